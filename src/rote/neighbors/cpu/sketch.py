"""Long items by sums over blocks: a map to some thousand numbers that brings no two items farther apart.

An item of two axes and up to four numbers at each place (an image) is cut into blocks of places, other
items into runs. With the indicators of the blocks, 1 / sqrt(n) on the n numbers of each, as an
orthonormal basis E,

    |x - y|^2  =  |E'x - E'y|^2 + |R(x) - R(y)|^2  >=  |E'x - E'y|^2 + sum_a (|R_a(x)| - |R_a(y)|)^2,

R being what block means do not see and R_a its part in an area of some blocks. So the *sketch*
(E'x, |R_a(x)|) satisfies |s(x) - s(y)| <= |x - y|, and |s(x)| = |x|: whatever bounds the distance of two
sketches from below bounds that of the items. Sizes that blocks do not divide make blocks of two sizes.

Rounding. Sums and lengths are exact integers. A sum over its root rounds by 2^-52 of itself; |R_a|^2 is
the length of the area less its squared sums, whose error of at most (blocks + 8) 2^-53 of that length
moves the root by at most its own root: in all sqrt((blocks + 8) 2^-53) |x|, bounded by `rounding`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

SIDE = 32
"""Blocks a side, or `SIDE`^2 in all."""
AREAS = 8
"""Areas a side whose remainders have a length each, or `AREAS`^2 in all."""
MOST_CHANNELS = 4
RUN = 2**15
"""Squares of 8-bit numbers that are summed in 32 bits."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """How items of one shape are cut.

    Attributes
    ----------
    rows, columns
        int64: where blocks begin along both axes, and the end of the last.
    row_areas, column_areas
        int64: the area of each block along both axes.
    channels
        Numbers at each place.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    row_areas: npt.NDArray[np.int64]
    column_areas: npt.NDArray[np.int64]
    channels: int

    @staticmethod
    def of(shape: tuple[int, ...], *, side: int = SIDE, areas: int = AREAS) -> Sketch:
        """Cut items of a shape, without their number."""
        image = len(shape) == 3 and shape[2] <= MOST_CHANNELS
        height, width, channels = shape if image else (1, math.prod(shape), 1)
        rows = min(side, height)
        columns = min(side * side // rows, width)
        row_areas = min(areas, rows)
        column_areas = min(areas * areas // row_areas, columns)
        return Sketch(
            rows=np.arange(rows + 1) * height // rows,
            columns=np.arange(columns + 1) * width // columns,
            row_areas=np.arange(rows) * row_areas // rows,
            column_areas=np.arange(columns) * column_areas // columns,
            channels=channels,
        )

    @property
    def blocks(self) -> int:
        """Sums of an item."""
        return (len(self.rows) - 1) * (len(self.columns) - 1) * self.channels

    @property
    def width(self) -> int:
        """Numbers of a sketch: sums, and lengths of remainders."""
        return self.blocks + int((self.row_areas[-1] + 1) * (self.column_areas[-1] + 1))

    @property
    def rounding(self) -> float:
        """How far rounding may move a sketch, as a share of the length of its item."""
        return math.sqrt((self.blocks + 8) * 2.0**-52) + 2.0**-50

    def __call__(self, items: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return the sketches, float64 (N, width), of uint8 (N, D) items."""
        out = np.empty((len(items), self.width))
        _sketch(
            items,
            self.rows,
            self.columns,
            self.row_areas,
            self.column_areas,
            self.channels,
            self.blocks,
            out,
        )
        return out


@numba.njit(nogil=True, cache=True)
def _add(line: Any, sums: Any) -> None:
    for x in range(len(line)):
        sums[x] = np.int32(sums[x] + np.int32(line[x]))


@numba.njit(nogil=True, cache=True)
def _squares(line: Any) -> Any:
    part = np.int32(0)
    for x in range(len(line)):
        value = np.int32(line[x])
        part = np.int32(part + np.int32(value * value))
    return part


@numba.njit(nogil=True, cache=True)
def _sq_length(line: Any) -> Any:
    total = np.int64(0)
    for start in range(0, len(line), RUN):
        total += _squares(line[start : start + RUN])
    return total


@numba.njit(nogil=True, cache=True)
def _sketch(
    items: Any,
    rows: Any,
    columns: Any,
    row_areas: Any,
    column_areas: Any,
    channels: Any,
    blocks: Any,
    out: Any,
) -> None:
    """Write sums over roots, row by row of blocks, then the lengths of the remainders."""
    across = len(columns) - 1
    width = columns[-1] * channels
    areas = column_areas[-1] + 1
    squares = np.empty((row_areas[-1] + 1, areas), np.int64)
    seen = np.empty((row_areas[-1] + 1, areas))
    sums = np.empty(width, np.int32)
    ends = np.zeros(areas + 1, np.int64)
    for j in range(across):
        ends[column_areas[j] + 1] = columns[j + 1] * channels
    for n in range(len(items)):
        item = items[n]
        squares[:] = 0
        seen[:] = 0
        for i in range(len(rows) - 1):
            area = row_areas[i]
            sums[:] = 0
            for y in range(rows[i], rows[i + 1]):
                line = item[y * width : (y + 1) * width]
                _add(line, sums)
                for a in range(areas):
                    squares[area, a] += _sq_length(line[ends[a] : ends[a + 1]])
            for j in range(across):
                first, stop = columns[j], columns[j + 1]
                root = np.sqrt(np.float64((stop - first) * (rows[i + 1] - rows[i])))
                for c in range(channels):
                    total = np.int64(0)
                    for x in range(first, stop):
                        total += sums[x * channels + c]
                    value = total / root
                    out[n, (i * across + j) * channels + c] = value
                    seen[area, column_areas[j]] += value * value
        place = blocks
        for a in range(len(squares)):
            for b in range(areas):
                out[n, place] = np.sqrt(max(squares[a, b] - seen[a, b], 0.0))
                place += 1
