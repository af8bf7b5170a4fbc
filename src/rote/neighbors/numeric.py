"""What every search on a CPU needs: threads that compute alone, and a range that float32 can square."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.precision import strict_fp32

SCALABLE = (1e-100, 1e100)
LOOK_NUMBERS = 2**20
LONG = 2**14
"""Numbers of an 8-bit item from which it is searched by sums over its blocks (`cpu.sketch`)."""
_lock = threading.Lock()
_lent, _threads = 0, 1
"""Pools that are lent now, and torch's threads before the first of them."""


def _forget() -> None:
    """Forget, in a fork, the pools of the process that was forked: their threads are not here."""
    global _lock, _lent
    _lock, _lent = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def computing_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Lend a pool whose threads each compute alone: parallel over blocks, not within."""
    global _lent, _threads
    with _lock:
        # A new thread inherits the one thread of another that is inside: that is not to be kept.
        _threads = _threads if _lent else torch.get_num_threads()
        _lent += 1
        torch.set_num_threads(1)
    try:
        with strict_fp32(), ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        with _lock:
            _lent -= 1
            torch.set_num_threads(_threads)


def largest(items: npt.NDArray[Any]) -> float:
    """Return the largest |x| of all numbers in (N, ...); NaN where one is NaN."""

    def of(start: int) -> float:
        part = items[start : start + rows]
        return float(np.maximum(-part.min(), part.max()))  # two looks in the cache, and no copy

    rows = max(1, LOOK_NUMBERS * len(items) // max(1, items.size))
    starts = range(0, len(items), rows)
    if len(starts) < 2:
        return of(0)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return float(np.max(list(pool.map(of, starts))))


def is_long(items: npt.NDArray[Any]) -> bool:
    """Say whether items (N, ...) are so long that they are read in place, and seldom."""
    return items.dtype == np.uint8 and math.prod(items.shape[1:]) >= LONG


def is_scalable(items: npt.NDArray[Any], *, size: float | None = None) -> bool:
    """Say whether squares of scaled items neither vanish nor overflow.

    ``size`` is their `largest`, where it is known already.
    """
    if items.dtype == np.uint8:
        return True
    return SCALABLE[0] < (largest(items) if size is None else size) < SCALABLE[1]


def item_scale(items: npt.NDArray[Any], *, size: float | None = None) -> float:
    """Return the power of two that brings (N, D) items to where float32 squares are safe; 1 for uint8.

    For ``size`` see `is_scalable`.
    """
    if items.dtype == np.uint8:
        return 1.0
    # No |x - center| exceeds this by much.
    bound = max(2 * (largest(items) if size is None else size) * items.shape[1] ** 0.5, 1e-300)
    return float(2.0 ** -np.ceil(np.log2(bound)))
