"""The ratio criterion: nearer to one training item than to all others, by a factor."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.memorization.criteria.criterion import Conditions, Criterion, Evidence, Scores, Verdicts
from rote.memorization.defaults import RATIO_THRESHOLD
from rote.memorization.matching import Matches

MAX_DENOMINATOR = 1000


@dataclass(frozen=True)
class RatioCriterion(Criterion):
    """Memorized when |x - NN1| < c |x - NN2|, strictly, and also when both are 0.

    The threshold c is taken as the nearest fraction with a denominator of at most 1000, so that on
    integer distances the test is exact: with c = 1/3 it is 9 |x - NN1|^2 < |x - NN2|^2.

    Source: Yoon et al. (2023); Gu et al. (2025), section 2.
    """

    ratio_threshold: float = RATIO_THRESHOLD

    name = "ratio"
    title = "Ratio"
    words = "Nearer to one training item than to all others, by a factor."
    unit = "the distance to the nearest over that to the second nearest, 0 to 1"
    formula = "|x - NN1| < c |x - NN2|"
    source = "Yoon et al. (2023); Gu et al. (2025)"
    by_default = True
    threshold_option = "ratio_threshold"

    def __post_init__(self) -> None:
        # Below 1 / 1000 the nearest fraction could be 0, and nothing would ever be flagged.
        if not 1 / MAX_DENOMINATOR <= self.ratio_threshold <= 1:
            raise ConfigError(
                f"`ratio_threshold` is {self.ratio_threshold}; it must lie in [0.001, 1], "
                "such as 0.3333"
            )

    @property
    def fraction(self) -> Fraction:
        """The threshold that is really used."""
        return Fraction(self.ratio_threshold).limit_denominator(MAX_DENOMINATOR)

    @property
    def threshold(self) -> float:
        """The threshold that is really used."""
        return float(self.fraction)

    @property
    def label(self) -> str:
        """What a short table calls it."""
        return f"ratio < {self.threshold:.3g}"

    def applied(self, conditions: Conditions) -> RatioCriterion:
        """Return the rule with the threshold asked for."""
        return RatioCriterion(conditions.ratio_threshold)

    def score(self, evidence: Evidence) -> Scores:
        """Return the ratio (N,)."""
        return distance_ratio(evidence.matches.nn1_sq, evidence.matches.nn2_sq)

    def verdict(self, score: Scores, matches: Matches) -> Verdicts:
        """Return which items (N,) are memorized, from their distances, where it is exact."""
        return self.memorized(matches.nn1_sq, matches.nn2_sq)

    def memorized(
        self, nn1_sq: npt.NDArray[Any], nn2_sq: npt.NDArray[Any]
    ) -> npt.NDArray[np.bool_]:
        """Return the verdict (N,) from squared distances (N,) to the two nearest groups.

        >>> RatioCriterion().memorized(np.array([1, 1, 0]), np.array([9, 10, 0])).tolist()
        [False, True, True]
        """
        c = self.fraction
        near, far = c.denominator**2 * nn1_sq, c.numerator**2 * nn2_sq
        return (near < far) | ((nn1_sq == 0) & (nn2_sq == 0))

    def to_json(self) -> dict[str, Any]:
        """Return the criterion as plain types."""
        return {"name": "ratio", "ratio_threshold": float(self.fraction), "space": "pixel"}


def distance_ratio(nn1_sq: npt.NDArray[Any], nn2_sq: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return |x - NN1| / |x - NN2| (N,), in [0, 1]; 0/0 counts as 0."""
    near, far = nn1_sq.astype(np.float64), nn2_sq.astype(np.float64)
    return np.sqrt(np.divide(near, far, out=np.zeros_like(near), where=far > 0))
