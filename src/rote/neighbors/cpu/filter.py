"""The filter of the projection index: features, their products, and queries with their candidates."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rote.neighbors.cpu import kernels
from rote.neighbors.cpu.projection import ROWS, SAMPLE, UNIT32

MIDDLE = 128


@dataclass(frozen=True, eq=False)
class FilterFeatures:
    """Features of one side: what the filter_pairs multiplies and what settles the survivors."""

    coarse: npt.NDArray[Any]
    coarse_sq: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    rounding_error: float
    length: float

    def take(self, part: slice | npt.NDArray[np.int64]) -> FilterFeatures:
        """Return some rows."""
        return replace(
            self, coarse=self.coarse[part], coarse_sq=self.coarse_sq[part], fine=self.fine[part]
        )


class ItemFeatures:
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
        self.rounding_error = 0.0 if items.dtype == np.uint8 else UNIT32 * self.length

    def _shifted(self, part: slice) -> npt.NDArray[np.float32]:
        if self._items.dtype == np.uint8:
            return self._items[part].astype(np.float32) - self._center
        return ((self._items[part] - self._center) * self._scale).astype(np.float32)

    def _sq_norms(self, part: slice) -> npt.NDArray[np.float64]:
        if self._bytes:
            middle = np.full(self._items.shape[1], MIDDLE, np.uint8)
            return np.asarray(kernels.sq_lengths(self._items[part], middle), np.float64)
        return sq_norms(self._shifted(part))

    def rows(self, part: slice) -> FilterFeatures:
        """Return the features of some rows: int8 or float32."""
        coarse: npt.NDArray[Any]
        if self._bytes:
            coarse = (self._items[part] ^ MIDDLE).view(np.int8)  # x - 128 in two's complement
            coarse_sq = self._sq_norms(part)
        else:
            coarse = self._shifted(part)
            coarse_sq = sq_norms(coarse)
        nothing = np.empty((len(coarse), 0), np.float32)
        return FilterFeatures(
            coarse, coarse_sq.astype(np.float32), nothing, self.rounding_error, self.length
        )


def item_values(own: FilterFeatures, block: FilterFeatures) -> npt.NDArray[np.float32]:
    """Return |b|^2 - 2 a.b of all pairs, the filter value less |a|^2, float32 (queries, block)."""
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


class Margins(NamedTuple):
    """What a pair may be filtered too far by: rounding of its features, and of their products."""

    rounding: float
    coarse: float
    fine: float


def margins(own: FilterFeatures, other: FilterFeatures | ItemFeatures) -> Margins:
    """Return the margins of pairs of two sides; without fine features the coarse ones decide."""
    sq_length = (own.length + other.length) ** 2
    coarse = (own.coarse.shape[1] + 8) * UNIT32 * sq_length
    fine = (own.fine.shape[1] + 8) * UNIT32 * sq_length if own.fine.shape[1] else coarse
    return Margins(own.rounding_error + other.rounding_error, coarse, fine)


class QueryBlock:
    """Some queries, what is found for them so far, and the candidates that are not measured yet.

    ``limits``, float64 (Q,), are the filter values that bound each query's k nearest by what is known.
    """

    def __init__(
        self,
        queries: npt.NDArray[Any],
        references: npt.NDArray[Any],
        best_sq: npt.NDArray[Any],
        best_index: npt.NDArray[np.int64],
        *,
        features: FilterFeatures,
        margins: Margins,
        scale: float,
        capacity: int,
    ) -> None:
        self.queries, self.features = queries, features
        self.best_sq, self.best_index = best_sq, best_index
        self._references, self._margins, self._scale = references, margins, scale
        count = len(queries)
        known = best_index[:, -1] != kernels.UNSET
        self.limits = np.full(count, np.inf)
        self.limits[known] = kernels.limit_of(
            best_sq[known, -1], scale, margins.rounding, margins.coarse
        )
        self._candidates = (
            np.empty((count, capacity), np.int32),
            np.empty((count, capacity), np.float32),
            np.zeros(count, np.int32),
        )

    @property
    def given_up(self) -> npt.NDArray[np.bool_]:
        """Whether a query has more candidates than are worth measuring, bool (Q,)."""
        return self._candidates[2] < 0

    def filter(
        self,
        values: npt.NDArray[np.float32],
        rows: npt.NDArray[np.int64],
        ids: npt.NDArray[np.int32],
        fine: npt.NDArray[np.float32],
    ) -> int:
        """Keep the candidates among some references for the queries ``rows``; see the kernel."""
        return int(
            kernels.filter_pairs(
                values,
                rows,
                ids,
                self.features.coarse_sq,
                self.queries,
                self._references,
                self.features.fine,
                fine,
                self.best_sq,
                self.best_index,
                self.limits,
                self._scale,
                *self._margins,
                *self._candidates,
            )
        )

    def refine(self) -> int:
        """Decide all candidates by their true distance; return how many were measured."""
        return int(
            kernels.refine(
                self.queries,
                self._references,
                self.best_sq,
                self.best_index,
                self._scale,
                self._margins.rounding,
                self._margins.fine,
                *self._candidates,
            )
        )


class LeafProducts:
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


class ProgressCounter:
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


def parts_of(count: int, size: int) -> list[slice]:
    """Cut ``count`` rows into slices of at most ``size``."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def sq_norms(items: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return |x|^2 of each row, summed in float64."""
    return np.einsum("ij,ij->i", items, items, dtype=np.float64)
