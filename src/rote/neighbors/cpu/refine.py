"""The last word on float neighbors: the defined summation, with brute force behind it.

Neighbors are pairs of indices int64 (Q, k) and squared distances (Q, k) here. Indices outside of [0, N)
are known neighbors among other references; their distances are the defined ones already.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.neighbors.brute_force import brute_force_nearest, sq_differences
from rote.neighbors.cpu.filter import parts_of

MEASURE_NUMBERS = 2**19

SearchResult = tuple[npt.NDArray[np.int64], npt.NDArray[Any]]


def brute_force_with_known(
    known: SearchResult, queries: npt.NDArray[Any], references: npt.NDArray[Any], k: int
) -> SearchResult:
    """Return the k nearest of known neighbors and references by brute force."""
    index, sq = brute_force_nearest(queries, references, min(k, len(references)))
    index, sq = np.concatenate([known[0], index], 1), np.concatenate([known[1], sq], 1)
    order = np.lexsort((index, sq), axis=1)[:, :k]
    return np.take_along_axis(index, order, 1), np.take_along_axis(sq, order, 1)


def sentinel_neighbors(
    sq: npt.NDArray[np.float64], count: int, dimension: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return indices (count,) and distances (Q, 1) that stand for spare neighbors of known ones.

    Where all k are known, a limit is: what is farther than the k-th (``sq``) by more than two sums can
    differ is not looked for. In the place of spare neighbors stand pretended ones at that distance,
    behind every real index, which `refine_floats` never returns: the k known ones come before them.
    """
    limit = sq * (1 + 8 * dimension * 2.0**-52)
    return np.iinfo(np.int64).max - np.arange(count), np.maximum(limit, np.finfo(float).tiny)[
        :, None
    ]


def refine_floats(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    found: SearchResult,
    k: int,
    *,
    known: SearchResult,
    pool: Executor,
) -> SearchResult:
    """Measure float neighbors by the defined summation and return the k nearest in that order.

    Parameters
    ----------
    queries, references
        (Q, D) and (N, D).
    found
        At least k nearest by another summation, spare ones behind them.
    k
        How many.
    known
        Neighbors among other references that were there before.
    pool
        Does the measuring.
    """
    index, sq = found
    out_index = np.empty((len(queries), k), np.int64)
    out_sq = np.empty((len(queries), k), np.float64)

    def measure(part: slice) -> None:
        order = np.argsort(index[part], axis=1)
        own = np.take_along_axis(index[part], order, 1)
        inside = (own >= 0) & (own < len(references))
        rows = np.where(inside, own, 0)
        exact = sq_differences(
            queries[part, None].astype(np.float64), references[rows].astype(np.float64)
        )
        exact = np.where(inside, exact, np.take_along_axis(sq[part], order, 1))
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        out_index[part] = np.take_along_axis(own, order, 1)
        out_sq[part] = np.take_along_axis(exact, order, 1)

    rows = max(1, MEASURE_NUMBERS // (index.shape[1] * queries.shape[1]))
    list(pool.map(measure, parts_of(len(queries), rows)))
    if index.shape[1] < len(references) + known[0].shape[1]:
        # Two sums of D squares differ by at most D 2^-52 of their value.
        near = sq[:, k - 1] * (1 + 4 * queries.shape[1] * 2.0**-52)
        unsure = sq[:, -1] <= near
        if unsure.any():
            own = known[0][unsure], known[1][unsure]
            out_index[unsure], out_sq[unsure] = brute_force_with_known(
                own, queries[unsure], references, k
            )
    return out_index, out_sq
