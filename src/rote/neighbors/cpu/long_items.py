"""Long 8-bit items read in place: a row at a time, in pieces whose pages are let go of.

Whoever searches them sees their sketches (`sketch`), projected as float items are (`projection`), and
touches the items themselves only for the few pairs that these leave.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.neighbors.cpu.projection import Features, Projection, fit_projection
from rote.neighbors.cpu.sketch import Sketch

SAMPLE = 1024
"""Sketches that directions are fitted to."""
PIECE_BYTES = 2**25
"""Bytes of items that are worked on at a time."""


def items_in_piece(dimension: int) -> int:
    """Return how many items of so many bytes make a piece."""
    return max(1, PIECE_BYTES // dimension)


class LongItems:
    """Some rows of an array of 8-bit items, which may be mapped from a file; nothing is copied.

    Parameters
    ----------
    items
        uint8 (N, ...), in C order.
    rows
        int64, ascending: which of them; None: all.
    """

    def __init__(
        self, items: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        self.array = np.ascontiguousarray(items).reshape(len(items), -1)
        self.shape = items.shape[1:]
        self.rows = np.arange(len(items)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, part: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return some of them, (n, D): a view where they lie side by side."""
        rows = self.rows[part]
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and isinstance(part, slice):
            return self.array[rows[0] : rows[-1] + 1]
        return self.array[rows]

    def release(self) -> None:
        """Let go of the pages read so far."""
        release_pages(self.array)


class _Sketches:
    """Sketches of items, made as they are sliced: what `Projection` takes for float items."""

    def __init__(self, items: LongItems, sketch: Sketch) -> None:
        self._items, self._sketch = items, sketch

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, part: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        numbers = np.arange(len(self))[part]
        out = np.empty((len(numbers), self._sketch.width))
        step = items_in_piece(self._items.array.shape[1])
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            whole = slice(int(some[0]), int(some[-1]) + 1) if isinstance(part, slice) else some
            out[start : start + step] = self._sketch(self._items.taken(whole))
            self._items.release()
        return out


@dataclass(frozen=True, eq=False)
class SketchProjection:
    """Directions among the sketches of items of one shape."""

    sketch: Sketch
    projection: Projection

    @property
    def coarse(self) -> int:
        """How many of the directions the first filter takes."""
        return self.projection.coarse

    def features(self, items: LongItems, pool: Executor) -> Features:
        """Return the features of items: no two of these are farther apart than the items."""
        found = self.projection.features(_Sketches(items, self.sketch), pool, scale=1.0)
        moved = self.sketch.rounding * 255 * math.sqrt(items.array.shape[1])
        return replace(found, rounding_error=found.rounding_error + moved)


def fit_sketch_projection(items: LongItems, *, directions: int, coarse: int) -> SketchProjection:
    """Fit directions to the sketches of a sample, as many as that allows (at least two items)."""
    sketch = Sketch.of(items.shape)
    chosen = np.unique(np.linspace(0, len(items) - 1, min(SAMPLE, len(items))).astype(np.int64))
    directions = max(1, min(directions, sketch.width // 2, len(chosen) // 2))
    projection = fit_projection(
        _Sketches(items, sketch)[chosen], directions=directions, coarse=min(coarse, directions)
    )
    return SketchProjection(sketch, projection)
