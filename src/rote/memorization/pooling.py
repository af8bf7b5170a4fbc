"""Means and spreads of image blocks: features that cost one pass over the bytes.

An image is cut into a grid of blocks, one channel each. For a block b of n pixels, S the sum of its
values and SS that of their squares, S / sqrt(n) is the projection on the block's constant direction and
sqrt(SS - S^2 / n) the length of what is left of it. The blocks are orthogonal to each other, so for any
two images x, y

    |x - y|^2 = sum_b |x_b - y_b|^2 >= sum_b (S_b - S'_b)^2 / n_b + sum_b (V_b - V'_b)^2,

the triangle inequality in each block. Sums of 8-bit values are integers and have no rounding; roots are
taken in float64.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

SMALLEST = 16
"""Sides below this have too few blocks to tell images apart."""
LARGE = 64
GRID, LARGE_GRID = 8, 16
MOST_CHANNELS = 4


def image_shape(items: npt.NDArray[Any]) -> tuple[int, int, int] | None:
    """Return height, width and channels of uint8 images (N, H, W[, C]); None for other items."""
    if items.dtype != np.uint8 or items.ndim not in (3, 4):
        return None
    height, width = items.shape[1:3]
    channels = items.shape[3] if items.ndim == 4 else 1
    fits = min(height, width) >= SMALLEST and 1 <= channels <= MOST_CHANNELS
    return (height, width, channels) if fits else None


def grid_of(shape: tuple[int, int, int]) -> int:
    """Return how many blocks a side is cut into."""
    return LARGE_GRID if min(shape[:2]) >= LARGE else GRID


def block_features(shape: tuple[int, int, int]) -> int:
    """Return how many numbers `pooled` makes of an image."""
    return 2 * grid_of(shape) ** 2 * shape[2]


def pooled(items: npt.NDArray[np.uint8], shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """Return the scaled mean and the spread of every block, float64 (N, 2 grid^2 C).

    Parameters
    ----------
    items
        uint8 (N, H W C), contiguous.
    shape
        H, W, C.
    """
    out = np.empty((len(items), block_features(shape)))
    _pool(items, *shape, grid_of(shape), out)
    return out


@numba.njit(nogil=True, cache=True)
def _add_row(row: Any, sums: Any, squares: Any) -> None:
    for i in range(len(row)):
        value = np.uint32(row[i])
        sums[i] = np.uint32(sums[i] + value)
        squares[i] = np.uint32(squares[i] + value * value)


@numba.njit(nogil=True, cache=True)
def _pool(items: Any, height: Any, width: Any, channels: Any, grid: Any, out: Any) -> None:
    line = width * channels
    half = grid * grid * channels
    sums, squares = np.empty(line, np.uint32), np.empty(line, np.uint32)
    for item in range(len(items)):
        for down in range(grid):
            top, bottom = down * height // grid, (down + 1) * height // grid
            sums[:] = 0
            squares[:] = 0
            for y in range(top, bottom):  # 2^16 rows of squares below 2^16: no overflow
                _add_row(items[item, y * line : (y + 1) * line], sums, squares)
            for across in range(grid):
                left, right = across * width // grid, (across + 1) * width // grid
                count = (bottom - top) * (right - left)
                for channel in range(channels):
                    total, square = np.int64(0), np.int64(0)
                    for x in range(left, right):
                        total += np.int64(sums[x * channels + channel])
                        square += np.int64(squares[x * channels + channel])
                    place = (down * grid + across) * channels + channel
                    out[item, place] = total / np.sqrt(count)
                    # n SS - S^2 is an integer >= 0: nothing cancels.
                    out[item, half + place] = np.sqrt((count * square - total * total) / count)
