"""What every search on a CPU needs: threads that compute alone, and a range that float32 can square."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.precision import strict_fp32


@contextlib.contextmanager
def computing_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Lend a pool whose threads each compute alone: parallel over blocks, not within."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with strict_fp32(), ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def item_scale(items: npt.NDArray[Any]) -> float:
    """Return the power of two that brings (N, D) items to where float32 squares are safe; 1 for uint8."""
    if items.dtype == np.uint8:
        return 1.0
    # No |x - center| exceeds this by much.
    bound = max(2 * float(np.abs(items).max()) * items.shape[1] ** 0.5, 1e-300)
    return float(2.0 ** -np.ceil(np.log2(bound)))
