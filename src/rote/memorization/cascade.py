"""The exact neighbor search on a CPU: screen by few projections, settle by true distances.

For each block of queries: a float32 matrix product over the coarse features (`bounds`), a scan that notes
what lies within each query's limit while the limit tightens (`kernels.scan`), and at the end the noted
references, first by all features, then by their exact distance (`kernels.settle`). Where the data has no
structure that projections could use, too much is noted: then the items themselves are the features, which
is a blocked brute-force search with the same certificate.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.memorization import kernels
from rote.memorization.bounds import ROWS, SAMPLE, UNIT32, Projection, fit_projection
from rote.memorization.exhaustive import exhaustive_nearest, sq_differences
from rote.memorization.pool import computing_pool, item_scale

COARSE = 64
FINE = 128
QUERY_BLOCK = 128
WIDE_QUERY_BLOCK = 1024
REFERENCE_BLOCK = 2048
CAPACITY = 8192
SPARE = 8
GATHER_COST = 4.0


@dataclass(frozen=True, eq=False)
class Screen:
    """Features of one side: what the scan multiplies and what settles the survivors."""

    coarse: npt.NDArray[np.float32]
    coarse_sq: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    slip: float
    length: float

    def rows(self, part: slice) -> Screen:
        """Return some rows, without copying."""
        return replace(
            self, coarse=self.coarse[part], coarse_sq=self.coarse_sq[part], fine=self.fine[part]
        )


class Cascade:
    """References prepared for exact search.

    Parameters
    ----------
    references
        uint8, float32 or float64 (N, D), finite.
    threads
        How many query blocks are worked on side by side.
    coarse, fine
        Directions of the first screening, and in all; None takes the defaults.
    """

    def __init__(
        self,
        references: npt.NDArray[Any],
        *,
        threads: int,
        coarse: int | None = None,
        fine: int | None = None,
    ) -> None:
        self.references = np.ascontiguousarray(references)
        self._threads = threads
        self._integer = references.dtype == np.uint8
        self.scale = item_scale(references)
        count, dimension = references.shape
        fine = min(fine or FINE, dimension, min(count, SAMPLE) // 2)
        self._projection: Projection | None = None
        self.screen: Screen | None = None
        # Below twice the directions there is nothing to gain over the items themselves.
        if fine >= 2 and dimension >= 2 * fine:
            coarse = min(coarse or COARSE, fine)
            self._projection = fit_projection(self.references, directions=fine, coarse=coarse)
            with self.pool() as pool:
                self.screen = self.project(self.references, pool)

    def nearest(
        self,
        queries: npt.NDArray[Any],
        k: int,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return indices int64 (Q, k) and squared distances (Q, k), int64 or float64.

        Ties go to the lowest index. Distances of float items are those of
        `rote.memorization.exhaustive.sq_differences`.
        """
        queries = np.ascontiguousarray(queries)
        # Float distances of the compiled loop differ from the defined ones in the last bits: some
        # spare neighbors are found and measured again.
        wanted = k if self._integer else min(k + SPARE, len(self.references))
        kind = np.int64 if self._integer else np.float64
        best_sq = np.zeros((len(queries), wanted), kind)
        best_index = np.full((len(queries), wanted), kernels.UNSET, np.int64)
        done = _Counter(len(queries), on_progress)
        with self.pool() as pool:
            rest = np.arange(len(queries))
            if self._projection is not None:
                rest = self._by_projection(queries, best_sq, best_index, pool, done)
            if len(rest):
                self._by_items(queries, rest, best_sq, best_index, pool, done)
        if self._integer:
            return best_index, best_sq
        return self._measured(queries, best_index, best_sq, k)

    @contextlib.contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Lend a pool whose threads each compute alone: parallel over blocks, not within."""
        with computing_pool(self._threads) as pool:
            yield pool

    def project(self, items: npt.NDArray[Any], pool: ThreadPoolExecutor) -> Screen:
        assert self._projection is not None
        features = self._projection.features(items, pool, scale=self.scale)
        used = self._projection.coarse
        coarse = np.concatenate(
            [features.values[:, :used], features.coarse_residual[:, None]], axis=1
        )
        return Screen(
            coarse=coarse,
            coarse_sq=_sq_norms(coarse).astype(np.float32),
            fine=features.values,
            slip=features.slip,
            length=features.length,
        )

    def _by_projection(
        self,
        queries: npt.NDArray[Any],
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: _Counter,
    ) -> npt.NDArray[np.int64]:
        """Search through the projections; return the queries that they could not help."""
        screen = self.project(queries, pool)

        references = self.screen
        assert references is not None

        def search(part: slice) -> tuple[int, int, npt.NDArray[np.int64]]:
            noted, measured, dense = self._block(
                queries[part], screen.rows(part), best_sq[part], best_index[part], references
            )
            done.add(part.stop - part.start - len(dense))
            return noted, measured, dense + part.start

        # Spread over all queries: the first ones may all be alike.
        parts = parts_of(len(queries), QUERY_BLOCK)
        noted, measured, dense = search(parts[0])
        pairs = (parts[0].stop - parts[0].start) * len(self.references)
        dimension = self.references.shape[1]
        cost = COARSE + GATHER_COST * (FINE * noted + dimension * measured) / pairs
        failed = [dense]
        if cost < dimension and len(dense) < parts[0].stop // 2:
            failed += [found[2] for found in pool.map(search, parts[1:])]
        else:
            failed += [np.arange(parts[0].stop, len(queries))]
        return np.concatenate(failed)

    def _block(
        self,
        queries: npt.NDArray[Any],
        own: Screen,
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        screen: Screen | ItemScreen,
    ) -> tuple[int, int, npt.NDArray[np.int64]]:
        """Search one block of queries; return references noted, measured, and queries given up."""
        count = len(queries)
        capacity = max(256, CAPACITY * QUERY_BLOCK // max(count, QUERY_BLOCK))
        hits = (
            np.empty((count, capacity), np.int32),
            np.empty((count, capacity), np.float32),
            np.zeros(count, np.int32),
        )
        slip = own.slip + screen.slip
        sq_length = (own.length + screen.length) ** 2
        coarse_error = (own.coarse.shape[1] + 8) * UNIT32 * sq_length
        fine_error = (own.fine.shape[1] + 8) * UNIT32 * sq_length
        left = torch.from_numpy(own.coarse)
        for part in parts_of(len(self.references), REFERENCE_BLOCK):
            block = screen.rows(part)
            products = left @ torch.from_numpy(block.coarse).T
            kernels.scan(
                products.numpy(),
                own.coarse_sq,
                block.coarse_sq,
                part.start,
                queries,
                self.references,
                best_sq,
                best_index,
                self.scale,
                slip,
                coarse_error,
                *hits,
            )
        measured = kernels.settle(
            own.coarse_sq,
            queries,
            self.references,
            own.fine,
            screen.fine,
            best_sq,
            best_index,
            self.scale,
            slip,
            coarse_error,
            fine_error,
            *hits,
        )
        dense = np.flatnonzero(hits[2] < 0)
        return int(np.maximum(hits[2], 0).sum()), measured, dense

    def _by_items(
        self,
        queries: npt.NDArray[Any],
        rest: npt.NDArray[np.int64],
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        pool: ThreadPoolExecutor,
        done: _Counter,
    ) -> None:
        """Search the queries ``rest`` with the items themselves as features."""
        center = self._center()
        screen = ItemScreen(self.references, center, self.scale)

        def search(part: slice) -> None:
            own = rest[part]
            chosen = queries[own]
            sq, index = best_sq[own], best_index[own]
            features = ItemScreen(chosen, center, self.scale).rows(slice(None))
            _, _, dense = self._block(chosen, features, sq, index, screen)
            if len(dense):  # countless near-ties: decide them without any screening
                found = exhaustive_nearest(chosen[dense], self.references, sq.shape[1])
                index[dense], sq[dense] = found
            best_sq[own], best_index[own] = sq, index
            done.add(len(own))

        list(pool.map(search, parts_of(len(rest), WIDE_QUERY_BLOCK)))

    def _center(self) -> npt.NDArray[Any]:
        """Return a point amid the references; whole numbers for 8-bit items."""
        chosen = np.linspace(0, len(self.references) - 1, min(SAMPLE, len(self.references)))
        mean = self.references[chosen.astype(np.int64)].mean(axis=0, dtype=np.float64)
        return np.rint(mean).astype(np.float32) if self._integer else mean

    def _measured(
        self,
        queries: npt.NDArray[Any],
        index: npt.NDArray[np.int64],
        sq: npt.NDArray[Any],
        k: int,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Measure float neighbors by the defined summation and order them again."""
        unsure = np.zeros(len(queries), bool)
        if index.shape[1] < len(self.references):
            # Two sums of D squares differ by at most D 2^-52 of their value.
            near = sq[:, k - 1] * (1 + 4 * queries.shape[1] * 2.0**-52)
            unsure = sq[:, -1] <= near
        out_index = np.empty((len(queries), k), np.int64)
        out_sq = np.empty((len(queries), k), np.float64)
        for row in range(len(queries)):
            if not unsure[row]:
                own = np.sort(index[row])
                exact = sq_differences(
                    queries[row].astype(np.float64), self.references[own].astype(np.float64)
                )
                order = np.argsort(exact, kind="stable")[:k]
                out_index[row], out_sq[row] = own[order], exact[order]
        if unsure.any():
            out_index[unsure], out_sq[unsure] = exhaustive_nearest(
                queries[unsure], self.references, k
            )
        return out_index, out_sq


class ItemScreen:
    """The items themselves as features, shifted to their middle and widened block by block."""

    fine = np.empty((0, 0), np.float32)

    def __init__(self, items: npt.NDArray[Any], center: npt.NDArray[Any], scale: float) -> None:
        self._items, self._center, self._scale = items, center, scale
        sq = [_sq_norms(self._shifted(part)).max() for part in parts_of(len(items), ROWS)]
        self.length = float(np.sqrt(max(sq))) * (1 + 1e-6)
        # 8-bit items less a whole number are exact in float32; floats are rounded to it once.
        self.slip = 0.0 if items.dtype == np.uint8 else UNIT32 * self.length

    def _shifted(self, part: slice) -> npt.NDArray[np.float32]:
        if self._items.dtype == np.uint8:
            return self._items[part].astype(np.float32) - self._center
        return ((self._items[part] - self._center) * self._scale).astype(np.float32)

    def rows(self, part: slice) -> Screen:
        """Return the features of some rows."""
        coarse = self._shifted(part)
        nothing = np.empty((len(coarse), 0), np.float32)
        sq_norms = _sq_norms(coarse).astype(np.float32)
        return Screen(coarse, sq_norms, nothing, self.slip, self.length)


class _Counter:
    """Counts finished queries over threads."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None]) -> None:
        self._total, self._done, self._on_progress = total, 0, on_progress
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count some more."""
        with self._lock:
            self._done += count
            self._on_progress(self._done, self._total)


def parts_of(count: int, size: int) -> list[slice]:
    """Cut ``count`` rows into slices of at most ``size``."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _sq_norms(items: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return |x|^2 of each row, summed in float64."""
    return np.einsum("ij,ij->i", items, items, dtype=np.float64)
