"""Float items on a device: float32 products filter, the defined float64 sum decides, both there.

Items are centered and scaled by a power of two in float64 and rounded to float32 once: a = (x - c) s
(1 + u), |u| <= 2^-24 + 2^-53, which moves a point by less than 2^-23 |a| (and values below float32's
range by 2^-149 each). The filter value |a|^2 + |b|^2 - 2 a.b in strict float32 errs by at most

    e = (D + 8) 2^-23 (|a| + |b|)^2

whatever the order of summation (`projection`). Let R be the largest |b| so far, e its e and
m = 2^-23 (|a| + R) + 2^-100. If k references are known whose distances times s are at most r, then no
reference among the k nearest has a filter value above

    (r (1 + (D + 8) 2^-50) + m)^2 + e,

where the factor covers the rounding of the defined sums. r is the k-th distance so far; before there are
k, with t the k-th smallest filter value of a block, sqrt(t + e) + m. What lies within that is measured
while its block is on the device, by the sum that defines a float distance in rote (`exact_sums`), and the
k least pairs of (distance, index) are kept. A query with more near-ties in a block than are worth
measuring is decided by brute force on the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.precision import strict_fp32
from rote.neighbors.brute_force import brute_force_nearest
from rote.neighbors.gpu.blocks import (
    GROUP,
    ReferenceBlock,
    at_a_time,
    group_by_length,
    keep_least,
)
from rote.neighbors.gpu.exact_sums import check_sums, sq_differences
from rote.neighbors.gpu.transfer import to_device
from rote.neighbors.numeric import item_scale

SAMPLE = 2048
PIECE = 2**22
CANDIDATES = 512
"""Pairs of a query that are measured in a block at most, beside 4 k; more near-ties go to brute force."""
FARTHEST = 1e30
"""A longer query, squared, would leave float32's range."""


@dataclass(frozen=True, eq=False)
class Float32Block(ReferenceBlock):
    """References ready to be multiplied, and as they are, in order, from index ``start``."""

    raw: Tensor
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes that the block holds on its device."""
        return super().nbytes + self.raw.numel() * self.raw.element_size()


class Float32References:
    """How float items are multiplied and compared on a device."""

    distance_type = np.float64
    itemsize = 4 + 8
    """Bytes of a number on the device: as it is multiplied, and at most as it is."""

    def __init__(
        self, references: npt.NDArray[Any], device: torch.device, *, size: float | None = None
    ) -> None:
        self.count, self.dimension = references.shape
        self.references = references
        check_sums(self.dimension, device)
        chosen = np.linspace(0, self.count - 1, min(SAMPLE, self.count)).astype(np.int64)
        center = references[np.unique(chosen)].mean(axis=0, dtype=np.float64)
        self._center = torch.from_numpy(center).to(device)
        self._scale = item_scale(references, size=size)

    def block(self, part: slice, raw: Tensor) -> Float32Block:
        """Return references float (n, D) ready to be multiplied."""
        items, sq_norms = self._centered(raw)
        made = group_by_length(items, sq_norms, start=part.start, total=self.count)
        # What was moved is overwritten by the block after next.
        return Float32Block(made.items, made.sq_norms, made.indices, raw.clone(), part.start)

    def search(self, queries: npt.NDArray[Any], k: int, device: torch.device) -> Float32Search:
        """Begin the search of some queries (Q, D)."""
        raw = to_device(queries, device)
        left, sq_norms = self._centered(raw)
        return Float32Search(
            self.references, queries, raw=raw, left=left, sq_norms=sq_norms, scale=self._scale, k=k
        )

    def _centered(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return items centered and scaled, float32 (n, D), and their squared lengths (n,)."""
        items = torch.empty(raw.shape, dtype=torch.float32, device=raw.device)
        sq_norms = torch.empty(len(raw), dtype=torch.float32, device=raw.device)
        rows = max(1, at_a_time(PIECE, raw.device) // self.dimension)
        for start in range(0, len(raw), rows):
            part = slice(start, start + rows)
            items[part] = (raw[part].double() - self._center) * self._scale
            sq_norms[part] = items[part].double().square_().sum(1)
        return items, sq_norms


class Float32Search:
    """Queries on the device, and their k nearest so far by (distance, index)."""

    def __init__(
        self,
        references: npt.NDArray[Any],
        queries: npt.NDArray[Any],
        *,
        raw: Tensor,
        left: Tensor,
        sq_norms: Tensor,
        scale: float,
        k: int,
    ) -> None:
        self._references, self._queries, self._raw, self._left = references, queries, raw, left
        self._sq_norms, self._scale, self._k = sq_norms, scale, k
        shape, device = (len(left), k), left.device
        self._sq = torch.full(shape, torch.inf, dtype=torch.float64, device=device)
        self._indices = torch.full(shape, len(references), device=device)
        self._longest = torch.zeros((), device=device)
        self._undecided = ~(sq_norms < FARTHEST)

    def products(self, tile: slice, block: ReferenceBlock) -> Tensor:
        """Return the products of some queries with a block, (tile, rows)."""
        with strict_fp32():
            return self._left[tile] @ block.items.T

    def limits(self, tile: slice) -> Tensor:
        """Return the filter value that none of the k nearest exceeds, float64 (tile,)."""
        limits = self._limits(self._sq_norms[tile], self._sq[tile, -1].sqrt() * self._scale)
        return limits.masked_fill(self._undecided[tile], -torch.inf)

    def limits_of(self, sq_norms: Tensor, farthest: Tensor) -> Tensor:
        """Return the same of queries for k references with filter values up to ``farthest`` (Q,)."""
        error, moved = self._errors(sq_norms)
        reach = (farthest.double() + error).clamp(min=0).sqrt() + moved
        return self._limits(sq_norms, reach)

    def _limits(self, sq_norms: Tensor, reach: Tensor) -> Tensor:
        """Return what no reference exceeds whose scaled distance is within ``reach``, float64 (Q,)."""
        error, moved = self._errors(sq_norms)
        terms = self._left.shape[1] + 8
        return (reach * (1 + terms * 2.0**-50) + moved) ** 2 + error

    def _errors(self, sq_norms: Tensor) -> tuple[Tensor, Tensor]:
        """Return e and m of the module's formulas, float64 (Q,)."""
        length = sq_norms.double().sqrt() + self._longest.double().sqrt()
        length = length * (1 + 2.0**-20)  # of squares that were rounded
        error = (self._left.shape[1] + 8) * 2.0**-23 * length**2
        return error, 2.0**-23 * length + 2.0**-100

    def take(self, tile: slice, products: Tensor, block: ReferenceBlock) -> None:
        """Take in what a block has to offer to some queries."""
        assert isinstance(block, Float32Block)
        self._longest = torch.maximum(self._longest, block.sq_norms.max())
        own = self._sq_norms[tile]
        limits = self.limits(tile)
        lower = block.least - 2 * block.maxima(products) + own[:, None]
        near = lower <= limits[:, None]
        many = block.crowded(near)
        crowded = many.nonzero()[:, 0]
        near &= ~many[:, None]
        for some in torch.split(near.nonzero(), PIECE // GROUP):
            if not len(some):
                continue
            rows, groups = some.unbind(1)
            values = block.members(block.sq_norms, groups)
            values = values - 2 * block.members_of(products, rows, groups) + own[rows, None]
            indices = block.members(block.indices, groups)
            kept = (values <= limits[rows, None]) & (indices < len(self._references))
            rows = rows[:, None].expand_as(kept)[kept]
            self._measure(rows + tile.start, indices[kept], block)
        for rows in torch.split(
            crowded, max(1, at_a_time(PIECE, crowded.device) // len(block.items))
        ):
            self._take_all(tile, rows, products[rows], block)

    def _take_all(self, tile: slice, rows: Tensor, products: Tensor, block: Float32Block) -> None:
        """Take in a block for queries that nearly all of it might be near to."""
        own = self._sq_norms[tile][rows]
        values = block.sq_norms - 2 * products + own[:, None]
        real = block.indices < len(self._references)
        values.masked_fill_(~real, torch.inf)
        limits = self.limits(tile)[rows]
        if len(block.raw) >= self._k:
            farthest = values.topk(self._k, dim=1, largest=False).values[:, -1]
            limits = torch.minimum(limits, self.limits_of(own, farthest))
        place, column = ((values <= limits[:, None]) & real).nonzero(as_tuple=True)
        self._measure(rows[place] + tile.start, block.indices[column], block)

    def _measure(self, rows: Tensor, indices: Tensor, block: Float32Block) -> None:
        """Measure pairs of a query and a reference of a block, and keep the nearest."""
        count = torch.bincount(rows, minlength=len(self._left))
        self._undecided |= count > CANDIDATES + 4 * self._k
        kept = ~self._undecided[rows]
        rows, indices = rows[kept], indices[kept]
        # Both sides, their difference and its parts are float64 at once: a quarter of a piece each.
        size = max(1, at_a_time(PIECE, rows.device) // (4 * self._left.shape[1]))
        sq = [
            sq_differences(self._raw[some], block.raw[of - block.start])
            for some, of in zip(torch.split(rows, size), torch.split(indices, size), strict=True)
        ]
        keep_least((self._sq, self._indices), rows, (torch.cat(sq), indices))

    def result(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return the k nearest."""
        found, sq = self._indices.cpu().numpy(), self._sq.cpu().numpy()
        left = self._undecided.cpu().numpy()
        if left.any():
            found[left], sq[left] = brute_force_nearest(
                self._queries[left], self._references, self._k
            )
        return found, sq
