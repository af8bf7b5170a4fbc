"""Pairs of items within a radius, exactly: listed, or joined into groups without being listed.

Both go through blocks of near items (`blocks`, `radius`). Groups are connected components: two items that
are joined already are not compared again, so that a hundred thousand nearly equal images cost about as
many measurements as there are images, not as there are pairs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import DataError
from rote.core.mapped_pages import is_mapped, release_pages
from rote.neighbors.brute_force import sq_differences
from rote.neighbors.numeric import computing_pool, item_scale
from rote.neighbors.radius import kernels as radius
from rote.neighbors.radius.partition import Blocks, in_blocks

MOST_PAIRS = 50_000_000
CAPACITY = 4 * radius.BLOCK**2
MEASURED_VALUES = 2**20
MEASURED_MAPPED = 256
"""Pairs measured of a mapped file before its pages are released: each brings in up to 64 KB around it."""
TASK = 16
"""Blocks that one thread takes at a time."""
BANDS = (0, 16, 256, 4096)
"""How far apart in the order blocks are compared next: near ones first, for they join most."""

Found = tuple[npt.NDArray[np.int64], npt.NDArray[Any]]


def cascade_pairs(
    flat: npt.NDArray[Any], sq_radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return what `rote.neighbors.search.pairs_within` does, for (N, D) items."""
    flat = np.ascontiguousarray(flat)
    threads = torch.get_num_threads()
    total, lock = 0, threading.Lock()
    with computing_pool(threads) as pool:
        search = _Search(flat, np.arange(len(flat)), sq_radius, pool)

        def listed(task: range) -> Found:
            nonlocal total
            found = []
            for part in search.run(task, (0, len(search.blocks)), *_NO_FOREST):
                found.append(search.decided(*part))
                with lock:
                    total += len(found[-1][1])
                if total > MOST_PAIRS:
                    raise DataError(
                        f"more than {MOST_PAIRS:,} pairs lie within the radius; choose a smaller one"
                    )
            return search.joined(found)

        pairs, sq = search.joined(list(pool.map(listed, search.tasks())))
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order, 0], pairs[order, 1], sq[order]


def cascade_components(
    flat: npt.NDArray[Any], rows: npt.NDArray[np.int64], sq_radius: float
) -> npt.NDArray[np.int64]:
    """Return what `rote.neighbors.search.components_within` does, for rows of (N, D) items."""
    threads = torch.get_num_threads()
    with computing_pool(threads) as pool:
        search = _Search(flat, rows, sq_radius, pool)
        count = len(search.blocks)
        parent = np.arange(len(rows), dtype=np.int32)
        one = np.zeros(count, bool)
        ends = [band for band in BANDS if band < count]
        for band in zip(ends, [*ends[1:], count], strict=True):
            # Each thread joins in a forest of its own; they are put together after every band.
            forests: queue.SimpleQueue[tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]]
            forests = queue.SimpleQueue()
            own = [(parent.copy(), one.copy()) for _ in range(threads)]
            for forest in own:
                forests.put(forest)

            def grouped(task: range, band: tuple[int, int] = band, free: Any = forests) -> None:
                forest = free.get()
                try:
                    for places, _ in search.run(task, band, *forest):
                        radius.join_pairs(forest[0], search.close(places))
                finally:
                    free.put(forest)

            list(pool.map(grouped, search.tasks()))
            for other, whole in own:
                radius.join_all(parent, other)
                one |= whole
    places = np.empty(len(rows), np.int64)
    places[np.searchsorted(rows, search.blocks.order)] = np.arange(len(rows))
    return np.unique(radius.roots(parent)[places], return_inverse=True)[1].astype(np.int64)


_NO_FOREST = (np.empty(0, np.int32), np.empty(0, bool))


class _Search:
    """Items prepared for one radius."""

    def __init__(
        self, items: npt.NDArray[Any], rows: npt.NDArray[np.int64], sq_radius: float, pool: Any
    ) -> None:
        self.items, self.sq_radius = items, sq_radius
        self.blocks: Blocks = in_blocks(items, rows, pool, scale=item_scale(items))
        self.limit = self.blocks.limit(sq_radius)
        self._integer = items.dtype == np.uint8
        # Two sums of D squares in different orders differ by less than this.
        slack = 0.0 if self._integer else (items.shape[1] + 8) * 2.0**-51
        self._budget = MEASURED_MAPPED if is_mapped(items) else np.iinfo(np.int64).max
        self.sure, self.most = sq_radius * (1 - slack), sq_radius * (1 + slack)

    def tasks(self) -> list[range]:
        count = len(self.blocks)
        return [range(start, min(start + TASK, count)) for start in range(0, count, TASK)]

    def run(
        self,
        task: range,
        band: tuple[int, int],
        parent: npt.NDArray[np.int32],
        one: npt.NDArray[np.bool_],
    ) -> Iterator[Found]:
        """Yield the places (n, 2) and squared distances of the pairs that the compiled loop reports."""
        blocks = self.blocks
        pairs = np.empty((CAPACITY, 2), np.int64)
        sq = np.empty(CAPACITY, np.int64 if self._integer else np.float64)
        touched = 0
        for a in task:
            b, stop = a + band[0], min(a + band[1], len(blocks))
            while b < stop:
                b, count, measured = radius.search_block(
                    a,
                    b,
                    stop,
                    blocks.features,
                    blocks.low,
                    blocks.high,
                    self.limit,
                    self.items,
                    blocks.order,
                    self.sure,
                    self.most,
                    parent,
                    one,
                    pairs,
                    sq,
                    self._budget,
                )
                touched += measured
                if touched >= self._budget:
                    release_pages(self.items)
                    touched = 0
                if count:
                    yield pairs[:count].copy(), sq[:count].copy()
        if touched:
            release_pages(self.items)

    def decided(self, places: npt.NDArray[np.int64], sq: npt.NDArray[Any]) -> Found:
        """Return those pairs as rows i < j, with the defined distances where items are floats."""
        pairs = np.sort(self.blocks.order[places], axis=1)
        if self._integer:
            return pairs, sq
        sq = self._defined(pairs)
        near = sq <= self.sq_radius
        return pairs[near], sq[near]

    def close(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the places of those pairs that lie within the radius by the definition."""
        return places[self._defined(self.blocks.order[places]) <= self.sq_radius]

    def _defined(self, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the distances of pairs of rows by the defined summation, which has no direction."""
        sq = np.empty(len(pairs))
        rows = max(1, MEASURED_VALUES // self.items.shape[1])
        for start in range(0, len(pairs), rows):
            first, second = (
                self.items[pairs[start : start + rows, side]].astype(np.float64) for side in (0, 1)
            )
            sq[start : start + rows] = sq_differences(first, second)
        return sq

    def joined(self, parts: list[Found]) -> Found:
        kind = np.int64 if self._integer else np.float64
        pairs = [np.empty((0, 2), np.int64), *(part[0] for part in parts)]
        return np.concatenate(pairs), np.concatenate([np.empty(0, kind), *(p[1] for p in parts)])
