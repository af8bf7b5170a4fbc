"""Ratio verdicts alone, without neighbors: the same verdicts as the full search, many times cheaper.

Memorized means d1 < c^2 d2, squared distances to the nearest and second nearest reference. Any two true
distances bound d2 from above, and the least screening value bounds d1 from below; where

    c^2 * (the larger of two true distances) <= (the bound on d1),

the item is certified "not memorized" with no neighbor known. Ordinary images settle so with very few
directions; the rest goes through the full search.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.memorization import kernels
from rote.memorization.bounds import UNIT32
from rote.memorization.cascade import REFERENCE_BLOCK, Cascade, parts_of
from rote.memorization.criteria import RatioCriterion
from rote.memorization.neighbors import check_search, nearest_neighbors

DIRECTIONS = 32
QUERY_ROWS = 512


def memorized(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    ratio_threshold: float = 1 / 3,
) -> npt.NDArray[np.bool_]:
    """Return which queries are memorized under the ratio criterion.

    Parameters
    ----------
    queries, references
        As `nearest_neighbors` takes them; at least two references, each standing for another group of
        duplicates.
    ratio_threshold
        c in `RatioCriterion`.

    Returns
    -------
    numpy.ndarray
        bool (queries,): the verdicts of `RatioCriterion` on the exact two nearest references.

    Raises
    ------
    DataError, ConfigError
        As `nearest_neighbors` and `RatioCriterion` raise them.
    """
    criterion = RatioCriterion(ratio_threshold)
    check_search(queries, references, 2)
    flat = np.ascontiguousarray(queries.reshape(len(queries), -1))
    cascade = Cascade(
        references.reshape(len(references), -1),
        threads=torch.get_num_threads(),
        coarse=DIRECTIONS,
        fine=DIRECTIONS,
    )
    undecided = np.flatnonzero(~_certified_novel(cascade, flat, criterion))
    verdict = np.zeros(len(queries), bool)
    if len(undecided):
        found = nearest_neighbors(queries[undecided], references, k=2)
        verdict[undecided] = criterion.memorized(found.sq_distances[:, 0], found.sq_distances[:, 1])
    return verdict


def _certified_novel(
    cascade: Cascade, queries: npt.NDArray[Any], criterion: RatioCriterion
) -> npt.NDArray[np.bool_]:
    """Return which queries cannot be memorized, by bounds alone."""
    if cascade.screen is None:
        return np.zeros(len(queries), bool)
    screen = cascade.screen
    novel = np.empty(len(queries), bool)
    with cascade.pool() as pool:
        own = cascade.project(queries, pool)

        def judge(rows: slice) -> None:
            side = own.rows(rows)
            value = np.full((len(side.coarse), 2), np.inf, np.float32)
            index = np.zeros((len(side.coarse), 2), np.int64)
            left = torch.from_numpy(side.coarse)
            for part in parts_of(len(screen.coarse), REFERENCE_BLOCK):
                products = left @ torch.from_numpy(screen.coarse[part]).T
                kernels.lowest_two(
                    products.numpy(), screen.coarse_sq[part], part.start, value, index
                )
            sq = np.empty(index.shape, np.int64 if queries.dtype == np.uint8 else np.float64)
            kernels.measure(queries[rows], cascade.references, index, sq)
            error = (side.coarse.shape[1] + 8) * UNIT32 * (side.length + screen.length) ** 2
            least = np.sqrt(np.maximum(value[:, 0] + side.coarse_sq.astype(np.float64) - error, 0))
            slip = side.slip + screen.slip
            floor = (np.maximum(least - slip, 0) / cascade.scale) ** 2 * (1 - 2.0**-29)
            novel[rows] = float(criterion.fraction) ** 2 * (1 + 2.0**-40) * sq.max(axis=1) <= floor

        list(pool.map(judge, parts_of(len(queries), QUERY_ROWS)))
    return novel
