"""Items in blocks of 64 near ones, each in a box: what makes a search within a radius skip nearly all.

The features of `cpu.projection` (projections on a few directions and the length of the rest) never lie
farther apart than the items do. Items are ordered by halving at the median of the widest feature until
blocks are left. Two blocks whose boxes of features are farther apart than the radius hold no pair;
neither do an item and a block whose box is.

Features are compared by their differences in float32: each difference and each square rounds by 2^-24 of
itself, and so does each of the m + 1 sums. A pair at true squared distance d is thus never filtered out
by a limit of

    (sqrt(d) scale + 2 rounding)^2 (1 + (m + 8) 2^-23),

with the rounding error of `cpu.projection` for each of the two.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.neighbors.cpu.long_items import LongItems, fit_sketch_projection
from rote.neighbors.cpu.projection import SAMPLE, UNIT32, fit_projection
from rote.neighbors.cpu.side_features import FEWEST, side_features
from rote.neighbors.numeric import is_long
from rote.neighbors.radius.kernels import BLOCK

DIRECTIONS = 32
FEW = 32
"""Up to so many dimensions the items are their own features."""
ROWS = 8192
SPREAD_SAMPLE = 1024
FAR = np.float32(1e18)
"""Fills up the last block: its square is finite in float32, and beyond every limit."""


@dataclass(frozen=True, eq=False)
class ItemBlocks:
    """Items in the order of their blocks.

    Attributes
    ----------
    order
        int64 (N,): the row of the item at each place.
    features
        float32 (blocks, features, 64), filled up with far values.
    low, high
        float32 (blocks, features): the box of each block.
    scale
        Features are those of items times this power of two.
    rounding_error
        How far rounding may have moved any item's features.
    """

    order: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    scale: float
    rounding_error: float

    def __len__(self) -> int:
        return len(self.features)

    def limit(self, sq_radius: float) -> float:
        """Return the filter value that no pair within the radius exceeds."""
        reach = math.sqrt(sq_radius) * self.scale * (1 + 2.0**-50) + 2 * self.rounding_error
        return reach**2 * (1 + (self.features.shape[1] + 8) * UNIT32)


def build_blocks(
    items: npt.NDArray[Any], rows: npt.NDArray[np.int64], pool: Executor, *, scale: float
) -> ItemBlocks:
    """Order some rows of uint8 or float (N, ...) items into blocks."""
    values, rounding_error = _features(items, rows, pool, scale=scale)
    order = _halved(values)
    count = -(-len(rows) // BLOCK)
    features = np.full((count, values.shape[1], BLOCK), FAR, np.float32)
    low = np.empty((count, values.shape[1]), np.float32)
    high = np.empty_like(low)
    for block in range(count):
        own = values[order[block * BLOCK : (block + 1) * BLOCK]]
        features[block, :, : len(own)] = own.T
        own.min(axis=0, out=low[block])
        own.max(axis=0, out=high[block])
    return ItemBlocks(rows[order], features, low, high, scale, rounding_error)


def _features(
    items: npt.NDArray[Any], rows: npt.NDArray[np.int64], pool: Executor, *, scale: float
) -> tuple[npt.NDArray[np.float32], float]:
    """Return the features float32 (rows, m) and how far rounding may have moved any of them."""
    if is_long(items):
        if len(rows) >= FEWEST:
            found = side_features(items, rows, pool)[1]
        else:
            whole = LongItems(items, rows)
            found = fit_sketch_projection(whole, directions=FEWEST, coarse=1).features(whole, pool)
        return found.values, found.rounding_error
    items = items.reshape(len(items), -1)
    dimension = items.shape[1]
    directions = min(DIRECTIONS, dimension // 2, min(len(rows), SAMPLE) // 2)
    sample = items[rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64))]]
    release_pages(items)
    parts = [slice(start, start + ROWS) for start in range(0, len(rows), ROWS)]
    if dimension <= FEW or directions < 1:
        middle = sample.mean(axis=0, dtype=np.float64)
        center = np.rint(middle) if items.dtype == np.uint8 else middle
        values = np.empty((len(rows), dimension), np.float32)
        for part in parts:
            values[part] = (items[rows[part]] - center) * scale
            release_pages(items)
        length = math.sqrt(float(np.einsum("ij,ij->i", values, values, dtype=np.float64).max()))
        return values, 0.0 if items.dtype == np.uint8 else 2 * UNIT32 * length
    projection = fit_projection(sample, directions=directions, coarse=directions)
    values, rounding_error = np.empty((len(rows), directions + 1), np.float32), 0.0
    for part in parts:
        found = projection.features(items[rows[part]], pool, scale=scale)
        values[part] = found.values
        release_pages(items)
        rounding_error = max(rounding_error, found.rounding_error)
    return values, rounding_error


def _halved(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return an order in which each block's items lie near each other."""
    order = np.arange(len(values))
    left = [(0, len(values))]
    while left:
        start, stop = left.pop()
        blocks = -(-(stop - start) // BLOCK)
        if blocks < 2:
            continue
        own, half = order[start:stop], blocks // 2 * BLOCK
        some = values[own[:: max(1, len(own) // SPREAD_SAMPLE)]]
        column = values[own, int(some.std(axis=0).argmax())]
        order[start:stop] = own[np.argpartition(column, half)]
        left += [(start, start + half), (start + half, stop)]
    return order
