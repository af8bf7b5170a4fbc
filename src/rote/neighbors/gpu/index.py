"""Exact brute force on a device: products near its rate, references larger than its memory.

References come in blocks (`transfer`), the next ones moving while the last is multiplied. They stay on
the device for later searches as far as they fit; what does not fit is moved again each time. A block's
products with a tile of queries are one matrix product, read once (`blocks`); what a query's limit
reaches is decided exactly (`uint8`, `float32`). The first block is short, since all of it
is looked into to make the limits, and the next ones grow: each has a few candidates for a query. On a GPU
the next products are computed while the last ones are looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError
from rote.neighbors.brute_force import brute_force_nearest
from rote.neighbors.gpu.blocks import ReferenceBlock
from rote.neighbors.gpu.float32 import Float32References
from rote.neighbors.gpu.transfer import multiply, on_stream, stream_blocks
from rote.neighbors.gpu.uint8 import Uint8References
from rote.neighbors.numeric import is_scalable, largest

FIRST_ROWS = 1024
GROWTH = 4
"""Of the references seen so far, a block holds this many times as many: k GROWTH candidates or so."""
BLOCK_ROWS = 32768
BLOCK_BYTES = 2**28
PRODUCT_BYTES = 2**30
QUERY_BYTES = 2**30
SHARE = 0.9
"""Of the memory that is free when a search is prepared."""
HELD = 8
"""Blocks, products and queries that are held at once, in the sizes above, from above."""


class DeviceIndex:
    """References that stay on a device over many searches, as far as they fit.

    Parameters
    ----------
    references
        uint8, or finite float (N, D).
    device
        "cuda", "cuda:1" or "cpu".
    room
        Bytes of the device's memory for references that stay; None: what is free, less what a search
        needs itself.

    Raises
    ------
    ConfigError
        If the device cannot multiply 8-bit integers, or its memory is too small.
    """

    def __init__(
        self, references: npt.NDArray[Any], *, device: str, room: int | None = None
    ) -> None:
        if references.dtype not in (np.uint8, np.float32, np.float64):
            references = references.astype(np.float64)
        self._references = np.ascontiguousarray(references)
        self._device = torch.device(device)
        # Beyond this range squares vanish or overflow: brute force on the host decides there.
        whole = self._references.dtype == np.uint8
        size = 0.0 if whole else largest(self._references)
        self._on_host = not is_scalable(self._references, size=size)
        if self._on_host:
            return
        self._items: Uint8References | Float32References = (
            Uint8References(self._references, self._device)
            if whole
            else Float32References(self._references, self._device, size=size)
        )
        self._shrink = 1.0
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            needed = HELD * (BLOCK_BYTES + PRODUCT_BYTES) + 4 * QUERY_BYTES
            self._shrink = min(1.0, SHARE * free / (2 * needed))
            if room is None:
                room = int(SHARE * free - needed * self._shrink)
        self._room = 2**62 if room is None else room
        self.parts = self._cut()
        self.kept: list[ReferenceBlock] = []

    def tile_rows(self, queries: int, references: int) -> int:
        """Return how many of some queries are multiplied at a time with a block of references."""
        rows = int(self._shrink * PRODUCT_BYTES) // (4 * references)
        tiles = -(-queries // max(32, rows // 32 * 32))
        return -(-queries // (32 * tiles)) * 32

    def _cut(self) -> list[slice]:
        """Cut the references into blocks, a short one first."""
        count, dimension = self._references.shape
        rows = int(self._shrink * BLOCK_BYTES) // (self._items.itemsize * dimension)
        rows = max(32, min(BLOCK_ROWS, rows) // 32 * 32)
        ends = [0, min(FIRST_ROWS, rows, count)]
        while ends[-1] < count:
            ends.append(min(ends[-1] + min(rows, GROWTH * ends[-1] // 32 * 32 or 32), count))
        return [slice(a, b) for a, b in pairwise(ends) if a < b]

    def nearest(
        self,
        queries: npt.NDArray[Any],
        k: int,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return indices int64 (Q, k) and squared distances (Q, k), as `brute_force_nearest` does."""
        if self._on_host:
            return brute_force_nearest(queries, self._references, k, on_progress=on_progress)
        if queries.dtype not in (np.uint8, np.float32, np.float64):
            queries = queries.astype(np.float64)
        indices = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), self._items.distance_type)
        # Of a query the device holds its numbers and, at k keys, what merging them takes.
        each = self._items.itemsize * queries.shape[1] + 64 * k
        rows = max(32, int(self._shrink * QUERY_BYTES) // each)
        try:
            with on_stream(self._device):
                for start in range(0, len(queries), rows):
                    part = slice(start, min(start + rows, len(queries)))

                    def report(done: float, at: slice = part) -> None:
                        on_progress(at.start + int(done * (at.stop - at.start)), len(queries))

                    indices[part], distances[part] = self._some(queries[part], k, report)
        except torch.OutOfMemoryError as error:
            first = (str(error).splitlines() or [""])[0]
            raise ConfigError(
                f"the memory of {self._device} is too small for this search ({first}); free some, "
                "or use `device` cpu"
            ) from None
        return indices, distances

    def _some(
        self, queries: npt.NDArray[Any], k: int, report: Callable[[float], None]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Search some queries in all blocks."""
        search = self._items.search(queries, k, self._device)
        pairs = self._pairs(len(queries))
        for tile, block, products, done in multiply(search.products, pairs, self._device):
            search.take(tile, products, block)
            report(done)
        return search.result()

    def _pairs(self, queries: int) -> Iterator[tuple[slice, ReferenceBlock, float]]:
        """Yield all tiles of queries with all blocks, and which share of the work ends with each."""
        before = 0.0
        for block, done in self._blocks():
            rows = self.tile_rows(queries, len(block.items))
            for start in range(0, queries, rows):
                tile = slice(start, min(start + rows, queries))
                yield tile, block, before + (done - before) * tile.stop / queries
            before = done

    def _blocks(self) -> Iterator[tuple[ReferenceBlock, float]]:
        """Yield all blocks, and which share of the references ends with each."""
        count = len(self._references)
        kept = len(self.kept)
        for block, part in zip(self.kept, self.parts, strict=False):
            yield block, part.stop / count
        keeping = True
        for part, raw in stream_blocks(self._references, self.parts[kept:], self._device):
            block = self._items.block(part, raw)
            keeping = keeping and block.nbytes <= self._room
            if keeping:
                self.kept.append(block)
                self._room -= block.nbytes
            yield block, part.stop / count
