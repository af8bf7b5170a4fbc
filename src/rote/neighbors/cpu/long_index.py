"""The exact search of long 8-bit items: their sketches are searched, and few of them are read again.

It is the search of `index` over directions among sketches (`sketch`, `long_items`), in which no two items
lie farther apart than they do: leaves, a filter by products and by all directions, then true distances.
Items are read where they lie, some at a time, so that memory depends on their number and not on their
length. What has no structure to be filtered by is multiplied as a whole (`products`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rote.core.progress.work import reported
from rote.neighbors.cpu import kernels
from rote.neighbors.cpu.filter import FilterFeatures, ProgressCounter, QueryBlock, margins, parts_of
from rote.neighbors.cpu.leaves import by_neighborhood, filter_features, search_leaves
from rote.neighbors.cpu.long_items import (
    LongItems,
    SketchProjection,
    items_in_piece,
)
from rote.neighbors.cpu.partition import build_leaves
from rote.neighbors.cpu.products import search_by_products
from rote.neighbors.cpu.refine import SearchResult
from rote.neighbors.cpu.side_features import FEWEST, side_features
from rote.neighbors.numeric import computing_pool

LEAF = 1024
QUERY_BLOCK = 512
FIRST_QUERIES = 128
CAPACITY = 8192
WORTH = 16
"""A pair that is read costs so many that are multiplied: beyond a share of 1 / `WORTH` all are."""


class LongIndex:
    """Long 8-bit references prepared for exact search.

    Parameters
    ----------
    references
        uint8 (N, ...), in C order; may be mapped from a file, is not copied.
    rows
        int64, ascending: which of them; None: all. Answers are places among these.
    threads
        How many blocks of queries are worked on side by side.
    projection
        Directions to take in place of fitting some, made for items of the same shape.
    """

    def __init__(
        self,
        references: npt.NDArray[np.uint8],
        *,
        threads: int,
        rows: npt.NDArray[np.int64] | None = None,
        projection: SketchProjection | None = None,
    ) -> None:
        self._whole = rows is None
        self._references = LongItems(references, rows)
        self._threads = threads
        self.projection = projection
        few = len(self._references) < FEWEST
        if projection is not None or not few:
            with self.pool() as pool:
                if projection is not None:
                    made = projection.features(self._references, pool)
                else:
                    self.projection, made = side_features(references, rows, pool)
            assert self.projection is not None
            features = filter_features(made, self.projection.coarse)
            leaves = build_leaves(features.coarse, features.coarse_sq, features.fine, size=LEAF)
            # Candidates are rows of the array, so that no row has to be copied.
            ids = self._references.rows[leaves.ids].astype(np.int32)
            self._features, self._leaves = features, replace(leaves, ids=ids)

    def nearest(
        self,
        queries: npt.NDArray[np.uint8],
        k: int,
        *,
        known: SearchResult | None = None,
        query_features: FilterFeatures | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> SearchResult:
        """Return indices and squared distances, int64 (Q, k), as `index.ProjectionIndex.nearest` does."""
        assert known is None or self._whole
        queries = np.ascontiguousarray(queries).reshape(-1, self._references.array.shape[1])
        best_sq = np.zeros((len(queries), k), np.int64)
        best_index = np.full((len(queries), k), kernels.UNSET, np.int64)
        if known is not None:
            seeds = known[0].shape[1]
            best_index[:, :seeds], best_sq[:, :seeds] = known
        with (
            self.pool() as pool,
            reported("items searched", len(queries), on_progress) as report,
        ):
            done = ProgressCounter(len(queries), report)
            left = np.arange(len(queries))
            if self.projection is not None and len(queries):
                features = query_features or self.project(queries, pool)
                left = self._filtered(queries, features, best_sq, best_index, pool, done)
            self._multiplied(queries, left, best_sq, best_index, pool, done)
        if not self._whole:
            best_index = np.searchsorted(self._references.rows, best_index)
        return best_index, best_sq

    def pool(self) -> AbstractContextManager[ThreadPoolExecutor]:
        """Lend threads that each compute alone."""
        return computing_pool(self._threads)

    def project(self, items: npt.NDArray[np.uint8], pool: ThreadPoolExecutor) -> FilterFeatures:
        """Return the features of uint8 (N, D) items."""
        assert self.projection is not None
        shaped = LongItems(items.reshape(len(items), *self._references.shape))
        return filter_features(self.projection.features(shaped, pool), self.projection.coarse)

    def _filtered(
        self,
        queries: npt.NDArray[np.uint8],
        features: FilterFeatures,
        best_sq: npt.NDArray[np.int64],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: ProgressCounter,
    ) -> npt.NDArray[np.int64]:
        """Search by features; return the queries that these do not help."""
        piece = items_in_piece(queries.shape[1])

        def search(own: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.int64]]:
            block = _LongBlock(
                self._references,
                queries[own],
                best_sq[own],
                best_index[own],
                features=features.take(own),
                theirs=self._features,
            )
            search_leaves(block, self._leaves)
            measured = block.refine()
            best_sq[own], best_index[own] = block.best_sq, block.best_index
            dense = np.flatnonzero(block.given_up)
            done.add(len(own) - len(dense))
            return measured, own[dense]

        # Some queries from everywhere tell what the filter is worth.
        first = np.arange(0, len(queries), -(-len(queries) // min(FIRST_QUERIES, piece)))
        others = np.setdiff1d(np.arange(len(queries)), first)
        measured, dense = search(first)
        if WORTH * measured > len(first) * len(self._references) or 4 * len(dense) > len(first):
            return np.concatenate([dense, others])
        others = by_neighborhood(others, features, self._leaves, pool)
        parts = [others[part] for part in parts_of(len(others), min(QUERY_BLOCK, piece))]
        return np.concatenate([dense, *(left for _, left in pool.map(search, parts))])

    def _multiplied(
        self,
        queries: npt.NDArray[np.uint8],
        left: npt.NDArray[np.int64],
        best_sq: npt.NDArray[np.int64],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: ProgressCounter,
    ) -> None:
        """Search some queries by all products."""

        def search(own: npt.NDArray[np.int64]) -> None:
            sq, index = best_sq[own], best_index[own]
            search_by_products(queries[own], self._references, sq, index)
            best_sq[own], best_index[own] = sq, index
            done.add(len(own))

        most = items_in_piece(queries.shape[1])
        each = max(1, min(most, -(-len(left) // self._threads)))
        list(pool.map(search, [left[part] for part in parts_of(len(left), each)]))


class _LongBlock(QueryBlock):
    """A block of queries whose candidates are measured in pieces, so that few pages are held."""

    def __init__(
        self,
        references: LongItems,
        queries: npt.NDArray[np.uint8],
        best_sq: npt.NDArray[np.int64],
        best_index: npt.NDArray[np.int64],
        *,
        features: FilterFeatures,
        theirs: FilterFeatures,
    ) -> None:
        super().__init__(
            queries,
            references.array,
            best_sq,
            best_index,
            features=features,
            margins=margins(features, theirs),
            scale=1.0,
            capacity=min(CAPACITY, len(references)),
        )
        self._items = references

    def filter(
        self,
        values: npt.NDArray[np.float32],
        rows: npt.NDArray[np.int64],
        ids: npt.NDArray[np.int32],
        fine: npt.NDArray[np.float32],
    ) -> int:
        """Keep the candidates among some references, of which a few are measured."""
        looked = super().filter(values, rows, ids, fine)
        self._items.release()
        return looked

    def refine(self) -> int:
        """Decide the candidates of one query after the other, the most promising first."""
        index, value, count = self._candidates
        piece, measured = items_in_piece(self.queries.shape[1]), 0
        for i in np.flatnonzero(count > 0):
            order = np.argsort(value[i, : count[i]], kind="stable")
            for part in parts_of(len(order), piece):
                near = order[part]
                limit = kernels.limit_of(
                    self.best_sq[i, -1], 1.0, self._margins.rounding, self._margins.fine
                )
                if self.best_index[i, -1] != kernels.UNSET and value[i, near[0]] > limit:
                    break  # so do all that follow
                measured += kernels.refine(
                    self.queries[i : i + 1],
                    self._references,
                    self.best_sq[i : i + 1],
                    self.best_index[i : i + 1],
                    self._scale,
                    self._margins.rounding,
                    self._margins.fine,
                    index[i : i + 1, near],
                    value[i : i + 1, near],
                    np.array([len(near)], np.int32),
                )
                self._items.release()
        return measured
