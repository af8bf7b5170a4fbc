"""The calibrated ratio: the ratio under the threshold that held-out items of this very data rarely pass.

`rote.stats.conformal` finds the threshold and says how well it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.criteria.criterion import Conditions, Criterion, Evidence, Scores
from rote.memorization.criteria.ratio import RatioCriterion, distance_ratio
from rote.memorization.defaults import FALSE_POSITIVE_RATE
from rote.stats.conformal import Calibration, calibrate


@dataclass(frozen=True)
class CalibratedCriterion(Criterion):
    """The rule; its calibration is None until held-out items have been measured."""

    false_positive_rate: float = FALSE_POSITIVE_RATE
    calibration: Calibration | None = None

    name = "calibrated"
    title = "Calibrated ratio"
    words = (
        "The same ratio under the threshold that only a chosen share of held-out items pass. It is "
        "fitted to this data, size and resolution, and so comparable where a fixed third is not."
    )
    unit = RatioCriterion.unit
    formula = "|x - NN1| / |x - NN2| < t, t from held-out images"
    source = "the ratio at a chosen false-positive rate (conformal)"
    by_default = True
    needs_holdout = True
    score_of = RatioCriterion.name
    threshold_option = "false_positive_rate"

    @property
    def threshold(self) -> float | None:
        """Of the ratio; None until it is calibrated, and where held-out items are too few."""
        return None if self.calibration is None else self.calibration.threshold

    @property
    def label(self) -> str:
        """What a short table calls it."""
        return f"ratio, {100 * self.false_positive_rate:g} % false"

    @property
    def undecided(self) -> str:
        """Why there is no threshold."""
        if self.threshold is not None:
            return ""
        found = self.calibration
        if found is not None and found.groups is not None:
            return (
                f"{found.groups:,} held-out groups are too few to calibrate a threshold, which needs "
                f"{found.needed:,} for {found.asked:g}; give more, a higher `false_positive_rate`, or "
                "another `criterion` first"
            )
        return (
            "there are too few held-out images to calibrate a threshold; give more, or another "
            "`criterion` first"
        )

    def applied(self, conditions: Conditions) -> CalibratedCriterion:
        """Return the rule at the false-positive rate asked for."""
        return replace(self, false_positive_rate=conditions.false_positive_rate)

    def calibrated(
        self,
        held_out: Scores,
        *,
        confidence: float,
        group: npt.NDArray[np.int64] | None = None,
    ) -> CalibratedCriterion:
        """Return the rule with its threshold."""
        found = calibrate(
            held_out, asked=self.false_positive_rate, confidence=confidence, group=group
        )
        return replace(self, calibration=found)

    def score(self, evidence: Evidence) -> Scores:
        """Return the ratio (N,)."""
        return distance_ratio(evidence.matches.nn1_sq, evidence.matches.nn2_sq)

    def numbers(self) -> dict[str, Any]:
        """Return the threshold, and how well it is known."""
        told = None if self.calibration is None else self.calibration.to_json()
        return super().numbers() | {"calibration": told}
