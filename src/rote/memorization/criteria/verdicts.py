"""What the criteria say of an audit: verdicts and rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.evaluator import CriteriaEvaluator, Measured
from rote.stats.clustered import rate_over
from rote.stats.rates import Rate


@dataclass(frozen=True, eq=False)
class CriterionResult:
    """What one criterion says.

    Attributes
    ----------
    score
        The name of its score among those that were measured.
    description
        Name, words, formula, source, direction and numbers, as plain types.
    memorized
        bool (N,), or None where it could not be applied (too few held-out items to calibrate).
    rate, control
        Of the generated and of the held-out items.
    unproven
        Items whose verdict is not proven for the whole training side.
    """

    name: str
    score: str
    description: dict[str, Any]
    memorized: npt.NDArray[np.bool_] | None
    rate: Rate | None
    control: Rate | None
    unproven: int


def criterion_results(
    ruler: CriteriaEvaluator,
    measured: Measured,
    held_out: Measured | None,
    group: npt.NDArray[np.int64] | None,
    confidence: float,
) -> tuple[CriterionResult, ...]:
    """Return what every criterion says of the generated items, and of held-out ones in groups (n,)."""

    def rate(
        mask: npt.NDArray[np.bool_] | None, group: npt.NDArray[np.int64] | None = None
    ) -> Rate | None:
        return None if mask is None else rate_over(mask, group, confidence=confidence)

    found = ruler.verdicts(measured)
    control = ruler.verdicts(held_out) if held_out is not None else {}
    return tuple(
        CriterionResult(
            name=criterion.name,
            score=criterion.score_name,
            description=criterion.describe(),
            memorized=found.get(criterion.name),
            rate=rate(found.get(criterion.name)),
            control=rate(control.get(criterion.name), group),
            unproven=int(measured.unproven.get(criterion.name, np.zeros(0)).sum()),
        )
        for criterion in ruler.criteria
    )
