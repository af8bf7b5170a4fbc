"""The nearest under a distance of pairs, which has no rows to search in, among the nearest in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher, Nearest, Progress, no_progress
from rote.spaces.space import Space


class Reranker(Matcher):
    """A `Matcher` over images with the distances of a space of pairs, among so many near in pixels."""

    def __init__(
        self,
        training: npt.NDArray[Any],
        *,
        positions: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
        space: Space,
        device: str,
    ) -> None:
        super().__init__(
            training, positions=positions, group=group, invariances=Invariances(), device=device
        )
        self._images = training
        self._space = space

    def nearest(
        self, queries: npt.NDArray[Any], k: int, *, on_progress: Progress = no_progress
    ) -> Nearest:
        """Return the k nearest of the candidates; ties to the lowest index."""
        pairs = self._space.pairs
        assert pairs is not None
        wide = min(max(k, self._space.candidates), len(self))
        near = super().nearest(queries, max(wide, k))
        sq = np.empty(near.sq.shape)
        step = 256
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            sq[rows] = pairs(queries[rows], self._images, near.indices[rows])
            on_progress(min(start + step, len(queries)), len(queries))
        order = np.lexsort((near.indices, sq), axis=1)[:, :k]
        return Nearest(
            np.take_along_axis(near.indices, order, axis=1),
            np.take_along_axis(sq, order, axis=1),
            np.take_along_axis(near.transform, order, axis=1),
        )
