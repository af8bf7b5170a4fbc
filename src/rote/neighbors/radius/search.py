"""Groups of items within a radius, exactly: connected components, whose pairs are never listed.

Items are compared in blocks of near ones (`partition`, `kernels`). Two items that are joined already
are not compared again, so that a hundred thousand nearly equal images cost about as many measurements
as there are images, not as there are pairs.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.mapped_pages import is_mapped, release_pages
from rote.core.progress.work import counted_results
from rote.neighbors.brute_force import sq_differences
from rote.neighbors.numeric import computing_pool, item_scale
from rote.neighbors.radius import kernels
from rote.neighbors.radius.partition import ItemBlocks, build_blocks

CAPACITY = 4 * kernels.BLOCK**2
MEASURED_VALUES = 2**20
MEASURED = np.iinfo(np.int64).max
MEASURED_MAPPED, MAPPED_BYTES = 256, 2**26
"""Pairs, and their bytes, measured of a mapped file before its pages are released: each brings in up to
64 KB around it."""
TASK = 16
"""Blocks that one thread takes at a time."""
BANDS = (0, 16, 256, 4096)
"""How far apart in the order blocks are compared next: near ones first, for they join most."""


def block_components(
    items: npt.NDArray[Any],
    rows: npt.NDArray[np.int64],
    sq_radius: float,
    *,
    kin: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Return what `rote.neighbors.search.components_within` does, for rows of (N, ...) items."""
    threads = torch.get_num_threads()
    with computing_pool(threads) as pool:
        search = _RadiusSearch(items, rows, sq_radius, pool)
        if kin is not None:
            search.kin = kin[np.searchsorted(rows, search.blocks.order)]
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
                    for places in search.join(task, band, *forest):
                        kernels.join_pairs(forest[0], search.within(places))
                finally:
                    free.put(forest)

            tasks = search.tasks()
            counted_results(pool.map(grouped, tasks), "groups of near items", len(tasks))
            for other, whole in own:
                kernels.join_all(parent, other)
                one |= whole
    places = np.empty(len(rows), np.int64)
    places[np.searchsorted(rows, search.blocks.order)] = np.arange(len(rows))
    return np.unique(kernels.roots(parent)[places], return_inverse=True)[1].astype(np.int64)


class _RadiusSearch:
    """Items prepared for one kernels."""

    def __init__(
        self, items: npt.NDArray[Any], rows: npt.NDArray[np.int64], sq_radius: float, pool: Any
    ) -> None:
        flat = items.reshape(len(items), -1)
        self.items, self.sq_radius = flat, sq_radius
        self.blocks: ItemBlocks = build_blocks(items, rows, pool, scale=item_scale(flat))
        self.limit = self.blocks.limit(sq_radius)
        # Two sums of D squares in different orders differ by less than this.
        slack = 0.0 if items.dtype == np.uint8 else (flat.shape[1] + 8) * 2.0**-51
        self._budget = MEASURED
        if is_mapped(items):
            self._budget = max(1, min(MEASURED_MAPPED, MAPPED_BYTES // (2 * flat.shape[1])))
        self.sure, self.most = sq_radius * (1 - slack), sq_radius * (1 + slack)
        self.kin = np.empty(0, np.int64)  # of each place; none

    def tasks(self) -> list[range]:
        count = len(self.blocks)
        return [range(start, min(start + TASK, count)) for start in range(0, count, TASK)]

    def join(
        self,
        task: range,
        band: tuple[int, int],
        parent: npt.NDArray[np.int32],
        one: npt.NDArray[np.bool_],
    ) -> Iterator[npt.NDArray[np.int64]]:
        """Join what is surely near in a forest; yield the places (n, 2) of pairs to be decided."""
        blocks = self.blocks
        unsure = np.empty((CAPACITY, 2), np.int64)
        touched = 0
        for a in task:
            b, stop = a + band[0], min(a + band[1], len(blocks))
            while b < stop:
                b, count, measured = kernels.join_within(
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
                    unsure,
                    self._budget,
                    self.kin,
                )
                touched += measured
                if touched >= self._budget:
                    release_pages(self.items)
                    touched = 0
                if count:
                    yield unsure[:count]
        if touched:
            release_pages(self.items)

    def within(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
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
