"""Criteria: rules that turn distances into a verdict per generated item, one small file each."""

from rote.memorization.criteria.absolute import AbsoluteCriterion
from rote.memorization.criteria.authenticity import AuthenticityCriterion
from rote.memorization.criteria.carlini import CarliniCriterion
from rote.memorization.criteria.ratio import RatioCriterion, distance_ratio
from rote.memorization.criteria.tiles import TileCriterion
from rote.stats.conformal import Calibration, calibrate

__all__ = [
    "AbsoluteCriterion",
    "AuthenticityCriterion",
    "Calibration",
    "CarliniCriterion",
    "RatioCriterion",
    "TileCriterion",
    "calibrate",
    "distance_ratio",
]
