"""What the steps of the neighbor cascade hand on: features, products, queries with what they found."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.neighbors.cpu import kernels
from rote.neighbors.cpu.projection import ROWS, SAMPLE, UNIT32

MIDDLE = 128


@dataclass(frozen=True, eq=False)
class Screen:
    """Features of one side: what the scan multiplies and what settles the survivors."""

    coarse: npt.NDArray[Any]
    coarse_sq: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    slip: float
    length: float

    def take(self, part: slice | npt.NDArray[np.int64]) -> Screen:
        """Return some rows."""
        return replace(
            self, coarse=self.coarse[part], coarse_sq=self.coarse_sq[part], fine=self.fine[part]
        )


class ItemScreen:
    """The items themselves as features, shifted to their middle and widened block by block.

    8-bit items less 128 fit into 8 bits again: where the processor multiplies those without saturating,
    their products are exact integers, and several times as fast as float32 ones.
    """

    fine = np.empty((0, 0), np.float32)

    def __init__(self, items: npt.NDArray[Any], center: npt.NDArray[Any], scale: float) -> None:
        self._items, self._center, self._scale = items, center, scale
        self._bytes = items.dtype == np.uint8 and int8_products_are_exact(items.shape[1])
        sq = [self._sq_norms(part).max() for part in parts_of(len(items), ROWS)]
        self.length = float(np.sqrt(max(sq))) * (1 + 1e-6)
        # 8-bit items less a whole number are exact in float32; floats are rounded to it once.
        self.slip = 0.0 if items.dtype == np.uint8 else UNIT32 * self.length

    def _shifted(self, part: slice) -> npt.NDArray[np.float32]:
        if self._items.dtype == np.uint8:
            return self._items[part].astype(np.float32) - self._center
        return ((self._items[part] - self._center) * self._scale).astype(np.float32)

    def _sq_norms(self, part: slice) -> npt.NDArray[np.float64]:
        if self._bytes:
            middle = np.full(self._items.shape[1], MIDDLE, np.uint8)
            return np.asarray(kernels.sq_lengths(self._items[part], middle), np.float64)
        return sq_norms(self._shifted(part))

    def rows(self, part: slice) -> Screen:
        """Return the features of some rows: int8 or float32."""
        coarse: npt.NDArray[Any]
        if self._bytes:
            coarse = (self._items[part] ^ MIDDLE).view(np.int8)  # x - 128 in two's complement
            coarse_sq = self._sq_norms(part)
        else:
            coarse = self._shifted(part)
            coarse_sq = sq_norms(coarse)
        nothing = np.empty((len(coarse), 0), np.float32)
        return Screen(coarse, coarse_sq.astype(np.float32), nothing, self.slip, self.length)


def item_values(own: Screen, block: Screen) -> npt.NDArray[np.float32]:
    """Return |b|^2 - 2 a.b of all pairs, the screening value less |a|^2, float32 (queries, block)."""
    left, right = torch.from_numpy(own.coarse), torch.from_numpy(block.coarse).T
    norms = torch.from_numpy(block.coarse_sq)
    if own.coarse.dtype == np.int8:
        values: npt.NDArray[np.float32] = (
            torch._int_mm(left, right).float().mul_(-2).add_(norms).numpy()
        )
    else:
        values = torch.addmm(norms[None], left, right, alpha=-2).numpy()
    return values


@functools.lru_cache(maxsize=16)
def int8_products_are_exact(dimension: int) -> bool:
    """Say whether this processor's int8 matrix products are right for vectors of a dimension.

    Without VNNI instructions, libraries add pairs of products in 16 bits, which saturate; the largest
    values there are would show it. Sums of 2^31 or more would overflow anywhere.
    """
    if dimension * MIDDLE**2 >= 2**31:
        return False
    signs = np.random.default_rng(0).integers(0, 2, (64 + 256, dimension))
    extremes = np.where(signs, 127, -128).astype(np.int8)
    extremes[::3] = -128
    left, right = torch.from_numpy(extremes[:64]), torch.from_numpy(extremes[64:]).T
    try:
        found = torch._int_mm(left, right).double()
    except (AttributeError, RuntimeError):  # not in this build of torch
        return False
    return bool(torch.equal(found, left.double() @ right.double()))


class Block:
    """Some queries and what is found for them so far."""

    def __init__(
        self,
        queries: npt.NDArray[Any],
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
    ) -> None:
        self.queries, self.best_sq, self.best_index = queries, best_sq, best_index

    def limits(self, scale: float, slip: float, error: float) -> npt.NDArray[np.float64]:
        """Return the screening value that bounds each query's k nearest by what is known so far."""
        known = self.best_index[:, -1] != kernels.UNSET
        limits = np.full(len(self.queries), np.inf)
        limits[known] = kernels.limits_of(self.best_sq[known, -1], scale, slip, error)
        return limits

    def hits(self, capacity: int) -> tuple[npt.NDArray[Any], ...]:
        """Return room for noted references and their values, and their number."""
        count = len(self.queries)
        return (
            np.empty((count, capacity), np.int32),
            np.empty((count, capacity), np.float32),
            np.zeros(count, np.int32),
        )


class Product:
    """Products of some rows with a leaf, in room that is used again and again."""

    def __init__(self, rows: int, width: int, columns: int) -> None:
        self._left = torch.empty(rows, width)
        self._out = torch.empty(rows * columns)

    def of(
        self, lifted: torch.Tensor, rows: npt.NDArray[np.int64], right: torch.Tensor
    ) -> npt.NDArray[np.float32]:
        """Return lifted[rows] @ right.T, valid until the next call."""
        left = lifted
        if len(rows) < len(lifted):
            left = self._left[: len(rows)]
            torch.index_select(lifted, 0, torch.from_numpy(rows), out=left)
        out = self._out[: len(rows) * len(right)].view(len(rows), len(right))
        values: npt.NDArray[np.float32] = torch.mm(left, right.T, out=out).numpy()
        return values


class Counter:
    """Counts finished queries over threads."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None]) -> None:
        self._total, self._done, self._on_progress = total, 0, on_progress
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count some more."""
        with self._lock:
            self._done += count
            self._on_progress(self._done, self._total)


def center_of(references: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a point amid the references; whole numbers for 8-bit items."""
    chosen = np.linspace(0, len(references) - 1, min(SAMPLE, len(references)))
    mean = references[chosen.astype(np.int64)].mean(axis=0, dtype=np.float64)
    return np.rint(mean).astype(np.float32) if references.dtype == np.uint8 else mean


def margins(own: Screen, other: Screen | ItemScreen) -> tuple[float, float, float]:
    """Return what a pair may be screened too far by: slip of its features, error coarse and fine."""
    sq_length = (own.length + other.length) ** 2
    coarse, fine = ((side.shape[1] + 8) * UNIT32 * sq_length for side in (own.coarse, own.fine))
    return own.slip + other.slip, coarse, fine


def parts_of(count: int, size: int) -> list[slice]:
    """Cut ``count`` rows into slices of at most ``size``."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def sq_norms(items: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return |x|^2 of each row, summed in float64."""
    return np.einsum("ij,ij->i", items, items, dtype=np.float64)
