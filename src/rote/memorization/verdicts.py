"""Ratio verdicts alone, without neighbors: the same verdicts as the full search, many times cheaper.

Memorized means d1 < c^2 d2, squared distances to the nearest and second nearest reference. Any two true
distances bound d2 from above, and screening values bound d1 from below. Two references of the query's
nearest leaf are measured; where no reference can lie within

    c^2 * (the larger of the two true distances),

the item is certified "not memorized" with no neighbor known. So small a ball reaches few leaves, and
ordinary images settle with few products; the rest goes through the full search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rote.memorization.criteria import RatioCriterion
from rote.memorization.neighbors import cascade_pays, check_search, nearest_neighbors

if TYPE_CHECKING:
    from rote.memorization.cascade import Cascade
    from rote.memorization.screening import Screen

DIRECTIONS = 32
"""Half of the time is to project the references; 24 directions leave twice the queries undecided."""
QUERY_ROWS = 512


def memorized(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    ratio_threshold: float = 1 / 3,
    device: str = "cpu",
) -> npt.NDArray[np.bool_]:
    """Return which queries are memorized under the ratio criterion.

    Parameters
    ----------
    queries, references
        As `nearest_neighbors` takes them; at least two references, each standing for another group of
        duplicates.
    ratio_threshold
        c in `RatioCriterion`.
    device
        "cpu", or "cuda" for the two nearest of all queries there: no verdicts by bounds alone.

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
    undecided = np.arange(len(queries))
    if device == "cpu" and cascade_pays(queries, references):
        from rote.memorization.cascade import Cascade  # numba takes a moment to import

        cascade = Cascade(
            references, threads=torch.get_num_threads(), coarse=DIRECTIONS, fine=DIRECTIONS
        )
        flat = np.ascontiguousarray(queries.reshape(len(queries), -1))
        undecided = np.flatnonzero(~certified_novel(cascade, flat, criterion))
        sq = cascade.nearest(flat[undecided], 2)[1]
    else:
        sq = nearest_neighbors(queries, references, k=2, device=device).sq_distances
    verdict = np.zeros(len(queries), bool)
    verdict[undecided] = criterion.memorized(sq[:, 0], sq[:, 1])
    return verdict


def certified_novel(
    cascade: Cascade, queries: npt.NDArray[Any], criterion: RatioCriterion
) -> npt.NDArray[np.bool_]:
    """Return which queries (Q, D) cannot be memorized, by bounds alone."""
    from rote.memorization.screening import parts_of

    if cascade.screen is None:
        return np.zeros(len(queries), bool)
    novel = np.empty(len(queries), bool)
    with cascade.pool() as pool:
        own = cascade.project(queries, pool)
        home = cascade.homes(own.coarse, pool)
        order = np.argsort(home, kind="stable")

        def judge(part: slice) -> None:
            rows = order[part]
            novel[rows] = _judge(cascade, queries[rows], own.take(rows), criterion)

        list(pool.map(judge, parts_of(len(queries), QUERY_ROWS)))
    return novel


def _judge(
    cascade: Cascade, queries: npt.NDArray[Any], own: Screen, criterion: RatioCriterion
) -> npt.NDArray[np.bool_]:
    """Return which queries of a block have no reference within c^2 of two that were measured."""
    from rote.memorization import kernels
    from rote.memorization.leaves import lifted_queries
    from rote.memorization.screening import Product, margins

    leaves, screen = cascade.leaves, cascade.screen
    assert screen is not None
    slip, error, _ = margins(own, screen)
    lifted = torch.from_numpy(lifted_queries(own.coarse))
    product = Product(len(lifted), lifted.shape[1], leaves.widest)
    boxes = cascade.boxes(own.coarse)
    home = boxes.argmin(axis=0)
    sq = np.zeros(len(queries), np.int64 if queries.dtype == np.uint8 else np.float64)

    def values(leaf: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return product.of(lifted, rows, torch.from_numpy(leaves.lifted[leaves.parts[leaf]]))

    for leaf in np.unique(home):
        rows = np.flatnonzero(home == leaf)
        ids = leaves.ids[leaves.parts[leaf]]
        kernels.worse_of_two(values(leaf, rows), rows, ids, queries, cascade.references, sq)
    within = float(criterion.fraction) ** 2 * (1 + 2.0**-40) * sq
    limits = kernels.limits_of(within, cascade.scale, slip, error)
    bounds = (limits - own.coarse_sq).astype(np.float32)
    novel = np.ones(len(queries), bool)
    for leaf in range(len(leaves.parts)):
        rows = np.flatnonzero((boxes[leaf] <= limits) & novel)
        if len(rows):
            kernels.strike_reached(values(leaf, rows), rows, bounds, novel)
    return novel
