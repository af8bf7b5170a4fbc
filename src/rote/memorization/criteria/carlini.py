"""The calibrated L2 distance of Carlini et al.: near, measured by the crowd around the image.

    score = |x - NN1| / (alpha * mean_{y in S} |x - y|),    S = the 50 nearest training images of x

memorized when score < 1; the smaller, the more of a copy. With alpha = 0.5 that is: nearer than half
the mean distance to its neighborhood. An image in a dense region (a plain sky) has near neighbors all
around and is not flagged for it.

Source: Carlini et al., "Extracting Training Data from Diffusion Models" (2023), section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class CarliniCriterion:
    """The rule with its two numbers; S holds exact duplicates once."""

    neighbors: int = 50
    alpha: float = 0.5
    threshold: float = 1.0

    def score(self, sq_distances: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the score (N,) of squared distances (N, neighbors), nearest first; 0/0 is 0.

        >>> CarliniCriterion(neighbors=2).score(np.array([[9, 81], [0, 0]])).tolist()
        [1.0, 0.0]
        """
        assert sq_distances.shape[1] == self.neighbors
        distances = np.sqrt(sq_distances.astype(np.float64))
        crowd = self.alpha * distances.mean(axis=1)
        return np.divide(distances[:, 0], crowd, out=np.zeros_like(crowd), where=crowd > 0)

    def memorized(self, score: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return bool (N,)."""
        return score < self.threshold
