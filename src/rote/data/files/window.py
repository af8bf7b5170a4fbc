"""Values of any range to 8 bits: which value becomes black and which white.

16-bit files seldom hold 16 bits: cameras and scanners give 10 to 14. Divided by 257 as their type
says, all
pictures would be nearly black, and alike. So what a source of such files uses is measured over all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.options import Range

WHITE_16 = 65535
NARROW = 0.25
"""A source must fill this share of the range of its bits, or a person must say what its range is."""
_BINS = 65536
_MOST_OUTSIDE = 0.005

Blocks = Callable[[], Iterable[npt.NDArray[Any]]]


@dataclass(frozen=True)
class Measured:
    """The values of a source: their ends, and how many lie in each of equal bins between these."""

    low: float
    high: float
    counts: npt.NDArray[np.int64]
    whole: bool

    def below(self, share: float) -> float:
        """Return the value that this share of all values lies at or below; to a bin's width."""
        total = np.cumsum(self.counts)
        at = int(np.searchsorted(total, share * total[-1]))
        return self.low + at * (self.high - self.low) / max(1, len(self.counts) - 1)


def measure(blocks: Blocks) -> Measured:
    """Measure all values; ``blocks`` is gone through twice, and a block is never empty."""
    low, high, whole = np.inf, -np.inf, True
    for block in blocks():
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        whole = whole and (block.dtype.kind in "iu" or bool((block == np.rint(block)).all()))
    bins = int(high - low) + 1 if whole and high - low < _BINS else _BINS
    counts = np.zeros(bins, np.int64)
    scale = (bins - 1) / (high - low) if high > low else 0.0
    for block in blocks():
        at = np.rint((block.astype(np.float64).ravel() - low) * scale).astype(np.int64)
        counts += np.bincount(at, minlength=bins)
    return Measured(low, high, counts, whole)


def percentile_window(found: Measured, *, where: str) -> Range:
    """Return the values that 0.5 % and 99.5 % of all values lie below.

    Raises
    ------
    DataError
        If these are the same.
    """
    low, high = found.below(_MOST_OUTSIDE), found.below(1 - _MOST_OUTSIDE)
    if low < high:
        return low, high
    raise DataError(
        f"{where}: 99 % of its values, from {found.low:g} to {found.high:g}, are {low:g}, so percentiles "
        "give no window; give the two values that become black and white with `window`"
    )


def window_of_bits(found: Measured, *, where: str) -> Range:
    """Return the window of the number of bits that a source of 16-bit files uses.

    Raises
    ------
    DataError
        If its values fill less than a quarter of that.
    """
    bits = max(8, int(found.high).bit_length())
    white = WHITE_16 if bits == 16 else 2**bits - 1
    if found.high == found.low:
        return 0.0, float(WHITE_16)
    if found.high - found.low >= NARROW * white:
        return 0.0, float(white)
    raise DataError(
        f"{where}: the 16-bit files hold values from {found.low:g} to {found.high:g} of "
        f"{WHITE_16:,}, so all "
        f"images would look alike in 8 bits; give `window` {found.low:g},{found.high:g}, or the "
        "values that "
        "are black and white for the model, or `window` percentile"
    )


def to_uint8(values: npt.NDArray[Any], window: Range) -> npt.NDArray[np.uint8]:
    """Return values as whole numbers, 0 at and below the window and 255 at and above it.

    >>> to_uint8(np.array([0, 128, 129, 65535]), (0, 65535)).tolist()
    [0, 0, 1, 255]
    """
    low, high = window
    scaled = np.floor((values.astype(np.float64) - low) * 255 / (high - low) + 0.5)
    return np.clip(scaled, 0, 255).astype(np.uint8)
