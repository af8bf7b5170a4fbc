"""The tile-wise maximum distance of Carlini et al.: near in every part of the image.

    score = min_y max_tile RMS(x_tile - y_tile),    16 tiles (4 x 4), in 8-bit units

memorized when score < 0.15 * 255; the smaller, the more of a copy. A large image with an equal
background and another object is far in the tiles of the object, where the plain distance averages it
away.

The minimum runs over the 50 nearest training images in plain L2. Every other image y' has
max_tile >= |x - y'| / sqrt(values) >= that of the 50th, so wherever the score found lies below that
bound, or the bound above the threshold, the verdict is that of the whole training set; the rest is
counted as `unproven`.

The distance is that of the space `patch`, where every other criterion can be had; this is its published
absolute threshold, beside rulers of pixels.

Source: Carlini et al., "Extracting Training Data from Diffusion Models" (2023), section 4.2 (there: 16
tiles of 128 x 128, threshold 0.15 on values in [0, 1]). It is an absolute distance: flat images lie
near to all flat images, so read it beside its control.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.criteria.criterion import Criterion, Evidence, Scores, Verdicts
from rote.spaces.pairwise import tile_squares


@dataclass(frozen=True)
class TileCriterion(Criterion):
    """The rule with its numbers; the threshold is an RMS difference per value, 0 to 255."""

    grid: int = 4
    threshold: float = 0.15 * 255
    neighbors: int = 50

    name = "tiles"
    title = "Tiles"
    words = (
        "The image is cut into tiles, and the worst tile must still match. An equal background alone "
        "cannot make a copy of two different pictures."
    )
    unit = "RMS difference of the worst tile, in 8-bit units"
    formula = "max over tiles of RMS(x - y) < threshold, in 8-bit units"
    source = "Carlini et al. (2023), section 4.2"
    images_only = True
    pixels_only = True

    @property
    def plain_neighbors(self) -> int:
        """The candidates."""
        return self.neighbors

    def score(self, evidence: Evidence) -> Scores:
        """Return the score (N,)."""
        near = evidence.nearest_without_invariances.indices[:, : self._wide(evidence)]
        return self.of_images(evidence.items, evidence.training, near)

    def of_images(
        self,
        queries: npt.NDArray[np.uint8],
        references: npt.NDArray[np.uint8],
        candidates: npt.NDArray[np.int64],
    ) -> Scores:
        """Return the score (N,) of queries (N, H, W, C) among their candidates (N, k)."""
        score = np.full(len(queries), np.inf)
        for column in candidates.T:
            worst = tile_squares(queries, references[column], grid=self.grid).max(axis=(1, 2))
            np.minimum(score, np.sqrt(worst), out=score)
        return score

    def unproven(self, score: Scores, evidence: Evidence) -> Verdicts | None:
        """Return which verdicts (N,) an image beyond the candidates might change."""
        wide = self._wide(evidence)
        if wide == len(evidence.without_invariances):
            return None
        farthest_sq = evidence.nearest_without_invariances.sq[:, wide - 1]
        return self.may_change(score, farthest_sq, evidence.values)

    def may_change(
        self, score: Scores, farthest_sq: npt.NDArray[np.int64], values: int
    ) -> Verdicts:
        """Return which verdicts (N,) are open.

        Parameters
        ----------
        score
            As `score` returns it.
        farthest_sq
            Squared distance (N,) to the last candidate.
        values
            Values per image.
        """
        bound = np.sqrt(farthest_sq / values)
        return (score >= self.threshold) & (bound < self.threshold)

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of the rule."""
        return super().numbers() | {"grid": self.grid, "neighbors": self.neighbors}

    def _wide(self, evidence: Evidence) -> int:
        return min(self.neighbors, len(evidence.without_invariances))
