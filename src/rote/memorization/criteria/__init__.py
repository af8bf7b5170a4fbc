"""Criteria: rules that turn distances into a verdict per generated item, one file each.

`CRITERIA` holds all of them; `register` adds one from outside, and `docs/how-to/extend.md` shows how.
"""

from rote.memorization.criteria.absolute import AbsoluteCriterion
from rote.memorization.criteria.authenticity import AuthenticityCriterion
from rote.memorization.criteria.calibrated import CalibratedCriterion
from rote.memorization.criteria.carlini import CarliniCriterion
from rote.memorization.criteria.catalog import (
    CRITERIA,
    applied_criteria,
    check_criteria,
    default_criteria,
    register,
)
from rote.memorization.criteria.criterion import Conditions, Criterion, Evidence
from rote.memorization.criteria.ratio import RatioCriterion, distance_ratio
from rote.memorization.criteria.tiles import TileCriterion

__all__ = [
    "CRITERIA",
    "AbsoluteCriterion",
    "AuthenticityCriterion",
    "CalibratedCriterion",
    "CarliniCriterion",
    "Conditions",
    "Criterion",
    "Evidence",
    "RatioCriterion",
    "TileCriterion",
    "applied_criteria",
    "check_criteria",
    "default_criteria",
    "distance_ratio",
    "register",
]
