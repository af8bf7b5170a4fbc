"""The calibrated L2 distance of Carlini et al.: near, measured by the crowd around the image.

    score = |x - NN1| / (alpha * mean_{y in S} |x - y|),    S = the 50 nearest training images of x

memorized when score < 1; the smaller, the more of a copy. With alpha = 0.5 that is: nearer than half
the mean distance to its neighborhood. An image in a dense region (a plain sky) has near neighbors all
around and is not flagged for it.

Source: Carlini et al., "Extracting Training Data from Diffusion Models" (2023), section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.criteria.criterion import Conditions, Criterion, Evidence, Scores


@dataclass(frozen=True)
class CarliniCriterion(Criterion):
    """The rule with its two numbers; S holds exact duplicates once."""

    neighbors: int = 50
    alpha: float = 0.5
    threshold: float = 1.0

    name = "carlini"
    title = "Calibrated L2"
    words = (
        "The nearest distance against the mean distance of many neighbors instead of the second one. It "
        "still works where the second nearest is a near-duplicate."
    )
    unit = "the distance to the nearest over a share of the mean distance to its neighborhood"
    formula = "|x - NN1| < alpha * mean |x - y| over the nearest training images y"
    source = "Carlini et al. (2023), section 5.2"

    @property
    def matched_neighbors(self) -> int:
        """The neighborhood."""
        return self.neighbors

    def applied(self, conditions: Conditions) -> CarliniCriterion:
        """Return the rule over a neighborhood that there is."""
        most = conditions.most_neighbors
        return self if most is None else replace(self, neighbors=min(self.neighbors, most))

    def score(self, evidence: Evidence) -> Scores:
        """Return the score (N,)."""
        return self.of_distances(evidence.nearest.sq[:, : self.neighbors])

    def of_distances(self, sq_distances: npt.NDArray[Any]) -> Scores:
        """Return the score (N,) of squared distances (N, neighbors), nearest first; 0/0 is 0.

        >>> CarliniCriterion(neighbors=2).of_distances(np.array([[9, 81], [0, 0]])).tolist()
        [1.0, 0.0]
        """
        assert sq_distances.shape[1] == self.neighbors
        distances = np.sqrt(sq_distances.astype(np.float64))
        crowd = self.alpha * distances.mean(axis=1)
        return np.divide(distances[:, 0], crowd, out=np.zeros_like(crowd), where=crowd > 0)

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of the rule."""
        return super().numbers() | {"alpha": self.alpha, "neighbors": self.neighbors}
