"""The exact neighbor search on a CPU: filter by few projections, refine by true distances.

References lie in leaves by their features (`partition`). For each block of queries the nearest leaf gives
a first limit, which rules out whole leaves. Of the others, a float32 matrix product over the coarse
features (`projection`) leaves as candidates what lies within each query's limit, also by all features,
while the limit tightens (`kernels.filter_pairs`). At the end they are measured (`kernels.refine`).
Where the data has no structure that projections could use, the items themselves are the features, which
is a blocked brute-force search with the same certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.progress.work import reported
from rote.data.known import Arrays, known_together
from rote.neighbors.cpu import kernels
from rote.neighbors.cpu.filter import (
    FilterFeatures,
    ItemFeatures,
    ProgressCounter,
    QueryBlock,
    center_of,
    item_values,
    margins,
    parts_of,
)
from rote.neighbors.cpu.leaves import by_neighborhood, filter_features, search_leaves
from rote.neighbors.cpu.partition import Leaves, build_leaves
from rote.neighbors.cpu.projection import SAMPLE, Projection, fit_projection, packed, unpacked
from rote.neighbors.cpu.refine import (
    SearchResult,
    brute_force_with_known,
    refine_floats,
    sentinel_neighbors,
)
from rote.neighbors.numeric import computing_pool, item_scale

Kept = tuple[npt.NDArray[Any], str]
COARSE, FINE = 64, 128
FLOAT_COARSE, FLOAT_FINE = 96, 256
"""Features of networks spread over more directions than pixels do."""
FIRST_QUERIES = 128
QUERY_BLOCK = 512
WIDE_QUERY_BLOCK = 4096
REFERENCE_BLOCK = 2048
LEAF = 1024
CAPACITY = 8192
SPARE = 2
FEW_QUERIES = 32
"""So many queries are measured against everything without a matrix product."""
GATHER_COST = 4.0
WIDE_NUMBERS = 2**24


class ProjectionIndex:
    """References prepared for exact search.

    Parameters
    ----------
    references
        uint8, float32 or float64 (N, D), finite.
    threads
        How many query blocks are worked on side by side.
    coarse, fine
        Directions of the first filter, and in all; None takes the defaults.
    projection
        Directions to take in place of fitting some, made for references of the same `item_scale`.
    kept
        An array that cannot change, of which these are a part, and what tells this part: directions and
        features are then kept with it (`rote.data.known`).
    """

    def __init__(
        self,
        references: npt.NDArray[Any],
        *,
        threads: int,
        coarse: int | None = None,
        fine: int | None = None,
        projection: Projection | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.references = np.ascontiguousarray(references).reshape(len(references), -1)
        self._threads = threads
        self._integer = references.dtype == np.uint8
        self.scale = item_scale(self.references)
        self.projection = projection
        self.features: FilterFeatures | None = None
        self._leaves: Leaves | None = None
        count, dimension = self.references.shape
        usual = (COARSE, FINE) if self._integer else (FLOAT_COARSE, FLOAT_FINE)
        coarse, fine = coarse or usual[0], fine or usual[1]
        fine = min(fine, dimension // 2, min(count, SAMPLE) // 2)
        # With more than half of the dimensions there is nothing to gain over the items themselves.
        if projection is None and fine >= 2:

            def made() -> Arrays:
                with self.pool() as pool:
                    found = fit_projection(
                        self.references, directions=fine, coarse=min(coarse, fine)
                    )
                    return packed(found, found.features(self.references, pool, scale=self.scale))

            name = f"directions, 1 {coarse} {fine}"
            held = made() if kept is None else known_together(kept[0], f"{name} {kept[1]}", made)
            self.projection, features = unpacked(held)
            self.features = filter_features(features, self.projection.coarse)
        elif projection is not None:
            with self.pool() as pool:
                self.features = self.project(self.references, pool)

    @property
    def leaves(self) -> Leaves:
        """The projected references in boxes; made when first asked for."""
        assert self.features is not None
        if self._leaves is None:
            self._leaves = build_leaves(
                self.features.coarse, self.features.coarse_sq, self.features.fine, size=LEAF
            )
        return self._leaves

    def nearest(
        self,
        queries: npt.NDArray[Any],
        k: int,
        *,
        known: SearchResult | None = None,
        query_features: FilterFeatures | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> SearchResult:
        """Return indices int64 (Q, k) and squared distances (Q, k), int64 or float64.

        Ties go to the lowest index. Distances of float items are those of
        `rote.neighbors.brute_force.sq_differences`. With ``known`` neighbors among other references,
        sorted and at most k, the k nearest of both are returned; theirs are indices outside of
        [0, N). ``query_features`` are the features of the queries, where they were made before.
        """
        queries = np.ascontiguousarray(queries)
        if known is None:
            kind = np.int64 if self._integer else np.float64
            known = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), kind)
        seeds = known[0].shape[1]
        # Float distances of the compiled loop differ from the defined ones in the last bits: some
        # spare neighbors are found and measured again.
        wanted = k if self._integer else min(k + SPARE, len(self.references) + seeds)
        best_sq = np.zeros((len(queries), wanted), known[1].dtype)
        best_index = np.full((len(queries), wanted), kernels.UNSET, np.int64)
        best_index[:, :seeds], best_sq[:, :seeds] = known
        if seeds == k < wanted:
            best_index[:, k:], best_sq[:, k:] = sentinel_neighbors(
                known[1][:, -1], wanted - k, queries.shape[1]
            )
        rest = np.arange(len(queries))
        with (
            self.pool() as pool,
            reported("items searched", len(queries), on_progress) as report,
        ):
            done = ProgressCounter(len(queries), report)
            if self.projection is not None and len(rest):
                features = query_features or self.project(queries, pool)
                helped, rest = self._by_projection(
                    queries, features, best_sq, best_index, pool, done
                )
                if not helped:  # nor would they help the next queries
                    self.projection, self.features, self._leaves = None, None, None
            if 0 < len(rest) <= FEW_QUERIES:
                self._by_every_distance(queries, rest, best_sq, best_index, pool)
                done.add(len(rest))
            elif len(rest):
                self._by_items(queries, rest, known, best_sq, best_index, pool, done)
            if self._integer:
                return best_index, best_sq
            found = best_index, best_sq
            return refine_floats(queries, self.references, found, k, known=known, pool=pool)

    def pool(self) -> AbstractContextManager[ThreadPoolExecutor]:
        """Lend threads that each compute alone."""
        return computing_pool(self._threads)

    def project(self, items: npt.NDArray[Any], pool: ThreadPoolExecutor) -> FilterFeatures:
        """Return the features of uint8 or float (N, D) items."""
        assert self.projection is not None
        features = self.projection.features(items, pool, scale=self.scale)
        return filter_features(features, self.projection.coarse)

    def _by_projection(
        self,
        queries: npt.NDArray[Any],
        features: FilterFeatures,
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: ProgressCounter,
    ) -> tuple[bool, npt.NDArray[np.int64]]:
        """Search by features; return whether they help, and the queries left."""
        count, theirs = len(queries), self.features
        assert theirs is not None

        def search(own: npt.NDArray[np.int64]) -> tuple[float, npt.NDArray[np.int64]]:
            mine = features.take(own)
            block = QueryBlock(
                queries[own],
                self.references,
                best_sq[own],
                best_index[own],
                features=mine,
                margins=margins(mine, theirs),
                scale=self.scale,
                capacity=CAPACITY,
            )
            cost = self._through_leaves(block)
            best_sq[own], best_index[own] = block.best_sq, block.best_index
            return cost / (len(own) * len(self.references)), np.flatnonzero(block.given_up)

        def search_more(part: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            dense = search(part)[1]
            done.add(len(part) - len(dense))
            return part[dense]

        # Some queries from everywhere tell what projections are worth; the others go by neighborhoods.
        first = np.arange(0, count, -(-count // FIRST_QUERIES))
        cost, dense = search(first)
        others = np.setdiff1d(np.arange(count), first)
        if cost >= self.references.shape[1] or 4 * len(dense) > len(first):
            return False, np.sort(np.concatenate([first[dense], others]))
        done.add(len(first) - len(dense))
        others = by_neighborhood(others, features, self.leaves, pool)
        parts = [others[part] for part in parts_of(len(others), QUERY_BLOCK)]
        return True, np.concatenate([first[dense], *pool.map(search_more, parts)])

    def _by_every_distance(
        self,
        queries: npt.NDArray[Any],
        rows: npt.NDArray[np.int64],
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Search a few queries that lie amid countless references, like images of one color."""

        def search(row: int) -> None:
            own = slice(row, row + 1)
            kernels.measure_all(queries[own], self.references, best_sq[own], best_index[own])

        list(pool.map(search, rows))

    def _through_leaves(self, block: QueryBlock) -> float:
        """Search one block of queries; return its cost in products."""
        pairs, looked = search_leaves(block, self.leaves)
        gathered = block.features.fine.shape[1] * looked
        gathered += self.references.shape[1] * block.refine()
        return pairs * block.features.coarse.shape[1] + GATHER_COST * gathered

    def _by_items(
        self,
        queries: npt.NDArray[Any],
        rest: npt.NDArray[np.int64],
        known: SearchResult,
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: ProgressCounter,
    ) -> None:
        """Search the queries ``rest`` with the items themselves as features."""
        center = center_of(self.references)
        theirs = ItemFeatures(self.references, center, self.scale)
        ids = np.arange(len(self.references), dtype=np.int32)

        def search(part: slice) -> None:
            own = rest[part]
            mine = ItemFeatures(queries[own], center, self.scale).rows(slice(None))
            capacity = max(256, CAPACITY * FIRST_QUERIES // max(len(own), FIRST_QUERIES))
            block = QueryBlock(
                queries[own],
                self.references,
                best_sq[own],
                best_index[own],
                features=mine,
                margins=margins(mine, theirs),
                scale=self.scale,
                capacity=capacity,
            )
            self._through_items(block, theirs, ids)
            dense = np.flatnonzero(block.given_up)
            if len(dense):  # countless near-ties: decide them without any filter
                seeds = known[0][own[dense]], known[1][own[dense]]
                found = brute_force_with_known(
                    seeds, block.queries[dense], self.references, best_sq.shape[1]
                )
                block.best_index[dense], block.best_sq[dense] = found
            best_sq[own], best_index[own] = block.best_sq, block.best_index
            done.add(len(own))

        fit = max(FIRST_QUERIES, WIDE_NUMBERS // queries.shape[1])
        each = max(1, min(WIDE_QUERY_BLOCK, fit, -(-len(rest) // self._threads)))
        list(pool.map(search, parts_of(len(rest), each)))

    def _through_items(
        self, block: QueryBlock, features: ItemFeatures, ids: npt.NDArray[np.int32]
    ) -> None:
        """Search one block of queries among the items themselves."""
        for part in parts_of(len(self.references), REFERENCE_BLOCK):
            right = features.rows(part)
            for few in parts_of(len(block.queries), QUERY_BLOCK):
                values = item_values(block.features.take(few), right)
                block.filter(values, np.arange(few.start, few.stop), ids[part], right.fine)
        block.refine()
