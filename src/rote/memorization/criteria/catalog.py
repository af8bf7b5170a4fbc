"""All criteria, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Sequence

from rote.core.catalog import Catalog
from rote.memorization.criteria.absolute import AbsoluteCriterion
from rote.memorization.criteria.authenticity import AuthenticityCriterion
from rote.memorization.criteria.calibrated import CalibratedCriterion
from rote.memorization.criteria.carlini import CarliniCriterion
from rote.memorization.criteria.criterion import Conditions, Criterion
from rote.memorization.criteria.ratio import RatioCriterion
from rote.memorization.criteria.tiles import TileCriterion

RATIO = RatioCriterion.name
"""Always measured: an audit's rate is the ratio's."""

CRITERIA: Catalog[Criterion] = Catalog(
    "`criterion`",
    (
        RatioCriterion(),
        CalibratedCriterion(),
        CarliniCriterion(),
        TileCriterion(),
        AbsoluteCriterion(),
        AuthenticityCriterion(),
    ),
)


def register(criterion: Criterion) -> None:
    """Add a criterion from outside: from then on it can be asked for wherever the others can.

    Raises
    ------
    ConfigError
        If its name is that of a criterion that comes with rote.
    """
    CRITERIA.register(criterion)


def check_criteria(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the criteria, the ratio always first, each once.

    >>> check_criteria(["carlini"])
    ('ratio', 'carlini')
    """
    for name in names:
        CRITERIA[name]  # raises
    return tuple(name for name in CRITERIA.names if name in names or name == RATIO)


def default_criteria(*, controlled: bool) -> tuple[str, ...]:
    """Return the names of the criteria that are applied where none are asked for.

    >>> default_criteria(controlled=False), default_criteria(controlled=True)
    (('ratio',), ('ratio', 'calibrated'))
    """
    return tuple(c.name for c in CRITERIA if c.by_default and (controlled or not c.needs_holdout))


def applied_criteria(names: Sequence[str], conditions: Conditions) -> tuple[Criterion, ...]:
    """Return the rules of some criteria under these conditions, those that make sense there."""
    found = (CRITERIA[name].applied(conditions) for name in names)
    return tuple(criterion for criterion in found if criterion is not None)
