"""Pictures of a bounded size: what result files and pages show of large images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LONGEST = 128
"""Pixels that a picture in a result file has each way at most."""


def factor_of(height: int, width: int) -> int:
    """Return how many times smaller pictures of a size are kept.

    >>> factor_of(32, 32), factor_of(512, 384)
    (1, 4)
    """
    return max(1, -(-max(height, width) // LONGEST))


def shrink(pictures: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """Average blocks of ``factor`` x ``factor`` pixels of (..., H, W, C); a remainder is cut off.

    >>> shrink(np.arange(8, dtype=np.uint8).reshape(2, 4, 1), 2).ravel().tolist()
    [2, 4]
    """
    if factor == 1:
        return pictures
    *before, height, width, channels = pictures.shape
    h, w = height // factor, width // factor
    cut = pictures[..., : h * factor, : w * factor, :]
    blocks = cut.reshape(*before, h, factor, w, factor, channels)
    small: npt.NDArray[np.float32] = blocks.mean(axis=(-4, -2), dtype=np.float32)
    return small.round().astype(np.uint8)
