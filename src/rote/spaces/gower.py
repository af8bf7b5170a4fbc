"""Gower's distance between rows of a table with numeric and categorical columns, searched exactly.

    d(q, r) = 1/p sum_j d_j,    d_j = |q_j - r_j| / range_j    of a numeric column
                                d_j = [q_j != r_j]             of a categorical one
                                d_j = [one has no value]       where q_j or r_j is missing

over p columns, with the range of each column in the full source, so that the distance does not change
with the size of a training set. It is 0 for equal rows, and at most 1 between rows of the source; a
query beyond a column's range may be farther than 1 from everything, and nothing is clipped. A column
counts as a column whatever its unit, and one far-off value counts once, not squared.

Over vectors whose categorical columns are one-hot this is a weighted L1 distance, for a mismatch of two
categories differs in two numbers of weight 1/2:

    d(q, r) = sum_i w_i |q_i - r_i|

So it is where cells of a numeric column have no value, once the column's value v = (q_j - low) / range
is written as two numbers, v / 2 and (1 - v) / 2, and no value as -1/4 twice: two values are |v - v'|
apart, no value and v are 1 apart (|v - 1/2|, where v lies beyond the range by more than half of it).
A cell without a value is a state like any other, and nothing is left out of the sum: else a row with few
values would lie near everything (decision 19).

Every distance is computed, in float64, block by block: there is no index for it here. That costs about
queries x references x numbers of a row: 1e9 of them take about a second of one core.

Source: Gower, "A general coefficient of similarity and some of its properties", Biometrics 27 (1971);
all weights 1. There a column counts for a pair only if both have a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.progress.work import counted
from rote.data.dataset import Dataset
from rote.data.tables.schema import Schema

BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Gower:
    """Gower's distance for the vectors of one table.

    Attributes
    ----------
    weights
        float64 (D,).
    gaps
        Of each numeric column with missing values: where its two numbers begin in a vector, which
        weighted value is the middle of its range, and from which second number on there is no value.
    columns
        p of the module's docstring.
    """

    weights: npt.NDArray[np.float64]
    gaps: tuple[tuple[int, float, float], ...] = ()
    columns: int = 1

    @staticmethod
    def of(dataset: Dataset) -> Gower:
        """Return Gower's distance in the units of a data set.

        Raises
        ------
        ConfigError
            If the data set is no table.
        """
        schema = dataset.schema
        if schema is None:
            raise ConfigError(
                f"`space` gower is for tables, and {dataset.source} has no named columns; give a CSV or "
                "Parquet file, or leave the space out"
            )
        weights = np.empty(schema.width)
        for column, part in schema.parts():
            weights[part] = (
                0.5 if column.kind == "categorical" else 1 / (column.high - column.low or 1.0)
            )
        middles = [
            (part.start, (column.low + column.high) / 2, 0.5)
            for column, part in schema.parts()
            if column.missing
        ]
        if dataset.scaling is not None:
            # vectors are this much larger than in their own units
            scale, shift = dataset.scaling.scale, dataset.scaling.shift
            weights = np.divide(weights, scale, out=np.zeros_like(weights), where=scale != 0)
            middles = [
                (
                    place,
                    (middle - shift[place]) * scale[place],
                    float((half - shift[place + 1]) * scale[place + 1]),
                )
                for place, middle, half in middles
            ]
        weights /= len(schema.columns)
        gaps = tuple(
            (place, float(middle * weights[place]), half) for place, middle, half in middles
        )
        return Gower(weights, gaps, len(schema.columns))

    def distances(
        self, queries: npt.NDArray[Any], references: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]:
        """Return all distances, float64 (Q, N), between vectors (Q, D) and (N, D)."""
        from scipy.spatial.distance import cdist

        return cdist(self._weighted(queries), self._weighted(references), "cityblock")

    def nearest(
        self,
        queries: npt.NDArray[Any],
        references: npt.NDArray[Any],
        k: int,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the k nearest references of each query: positions (Q, k) and distances (Q, k).

        Nearest first, ties to the lower position.

        >>> gower = Gower(np.array([1.0, 0.5, 0.5]))
        >>> rows = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32)
        >>> [part.tolist() for part in gower.nearest(rows[:1], rows, 3)]
        [[[0, 1, 2]], [[0.0, 1.0, 2.0]]]
        """
        assert 1 <= k <= len(references)
        weighted = self._weighted(references)
        rows = max(1, BLOCK_BYTES // (8 * len(references)))
        indices = np.empty((len(queries), k), np.int64)
        found = np.empty((len(queries), k))
        for start in counted(range(0, len(queries), rows), "blocks of rows searched"):
            part = slice(start, start + rows)
            distances = self._from(queries[part], weighted)
            # All that are as near as the k-th; then by distance and position.
            limit = np.partition(distances, k - 1, axis=1)[:, k - 1]
            for row, (line, most) in enumerate(zip(distances, limit, strict=True), start=start):
                near = np.flatnonzero(line <= most)
                best = near[np.argsort(line[near], kind="stable")[:k]]
                indices[row], found[row] = best, line[best]
            on_progress(min(start + rows, len(queries)), len(queries))
        return indices, found

    def by_column(
        self, queries: npt.NDArray[Any], references: npt.NDArray[Any], schema: Schema
    ) -> npt.NDArray[np.float64]:
        """Return d_j of the module's docstring, float64 (N, p), between pairs of vectors (N, D)."""
        apart = np.abs(self._weighted(queries) - self._weighted(references)) * self.columns
        return np.stack([apart[:, part].sum(axis=1) for _, part in schema.parts()], axis=1)

    def _from(
        self, queries: npt.NDArray[Any], weighted: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        from scipy.spatial.distance import cdist

        return cdist(self._weighted(queries), weighted, "cityblock")

    def _weighted(self, vectors: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return vectors between which the L1 distance is Gower's."""
        weighted: npt.NDArray[np.float64] = vectors.astype(np.float64) * self.weights
        for place, middle, half in self.gaps:
            # v / 2 - 1/4 and 1/4 - v / 2: the two numbers of the docstring, both moved by 1/4
            value = (weighted[:, place] - middle) / 2
            empty = vectors[:, place + 1] > half
            weighted[:, place] = np.where(empty, -0.5 / self.columns, value)
            weighted[:, place + 1] = np.where(empty, -0.5 / self.columns, -value)
        return weighted
