"""8-bit items on a device: int8 products on the tensor cores, integers to the end.

With u - 128 in int8 (the highest bit flipped), |q - r|^2 = |q|^2 + |r|^2 - 2 q.r, and every number is
an integer: a product of D dimensions is at most D 2^14 and fits int32 up to D = 131,071; more dimensions
are summed in int64, part by part. Lengths and distances are int64, for maxima and survivors alone.

What is kept of a reference is its key, distance x total + index: an order by keys is one by distance,
ties to the lowest index, and no two are equal. D 2^16 total < 2^63 for whatever fits into a memory.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import ConfigError
from rote.neighbors.gpu.blocks import (
    GROUP,
    ReferenceBlock,
    at_a_time,
    group_by_length,
    keep_least,
)
from rote.neighbors.gpu.transfer import to_device

MIDDLE = 128
ALIGNED = 16
"""The tensor cores want rows of so many bytes, and more than 16 rows."""
EXACT_DIMENSIONS = 2**17 - ALIGNED
NORM_BYTES = 2**23
PIECE = 2**22
NOTHING = torch.iinfo(torch.int64).max


class Uint8References:
    """How uint8 items are multiplied and compared on a device."""

    distance_type = np.int64
    itemsize = 1

    def __init__(self, references: npt.NDArray[np.uint8], device: torch.device) -> None:
        self.count, self.dimension = references.shape
        assert self.dimension * 2**16 * (self.count + 1) < 2**63
        check_products(device)

    def block(self, part: slice, raw: Tensor) -> ReferenceBlock:
        """Return references uint8 (n, D) ready to be multiplied."""
        items = self._signed(raw, len(raw))
        return group_by_length(items, sq_lengths(items), start=part.start, total=self.count)

    def search(self, queries: npt.NDArray[np.uint8], k: int, device: torch.device) -> Uint8Search:
        """Begin the search of some queries (Q, D)."""
        left = self._signed(to_device(queries, device), -(-len(queries) // 32) * 32)
        return Uint8Search(left, len(queries), k, self.count)

    def _signed(self, raw: Tensor, rows: int) -> Tensor:
        """Return uint8 (n, D) less 128 as int8 (rows, D'), zeros in what is added."""
        width = -(-self.dimension // ALIGNED) * ALIGNED
        out = torch.empty((rows, width), dtype=torch.uint8, device=raw.device)
        out[:, self.dimension :] = 0
        out[len(raw) :] = 0
        torch.bitwise_xor(raw, MIDDLE, out=out[: len(raw), : self.dimension])
        return out.view(torch.int8)


class Uint8Search:
    """Queries on the device and the keys of their nearest so far."""

    def __init__(self, left: Tensor, count: int, k: int, total: int) -> None:
        self._left, self._total = left, total
        self._sq_norms = sq_lengths(left)
        self.keys = torch.full((count, k), NOTHING, device=left.device)

    def products(self, tile: slice, block: ReferenceBlock) -> Tensor:
        """Return the products of some queries with a block, (tile, rows)."""
        # A multiple of 32 rows is multiplied, the last ones zeros.
        found = int8_products(self._left[tile.start : -(-tile.stop // 32) * 32], block.items)
        return found[: tile.stop - tile.start]

    def take(self, tile: slice, products: Tensor, block: ReferenceBlock) -> None:
        """Take in what a block, behind all before it, has to offer to some queries."""
        keys, own = self.keys[tile], self._sq_norms[tile]
        # Indices grow from block to block: what only ties with the k-th nearest comes too late.
        limits = keys[:, -1].div(self._total, rounding_mode="floor") - own
        near = block.least - 2 * block.maxima(products).long() < limits[:, None]
        many = block.crowded(near)
        crowded = many.nonzero()[:, 0]
        near &= ~many[:, None]
        for some in torch.split(near.nonzero(), PIECE // GROUP):
            if not len(some):
                continue
            rows, groups = some.unbind(1)
            sq = block.members(block.sq_norms, groups)
            sq = sq - 2 * block.members_of(products, rows, groups).long()
            indices = block.members(block.indices, groups)
            kept = (sq < limits[rows, None]) & (indices < self._total)
            found = (sq + own[rows, None]) * self._total + indices
            keep_least((keys,), rows[:, None].expand_as(kept)[kept], (found[kept],))
        for rows in torch.split(crowded, max(1, PIECE // len(block.items))):
            found = (block.sq_norms - 2 * products[rows].long()).add_(own[rows, None])
            found = found.mul_(self._total).add_(block.indices)
            found.masked_fill_(block.indices == self._total, NOTHING)
            few = found.topk(min(keys.shape[1], found.shape[1]), dim=1, largest=False).values
            keys[rows] = torch.cat([keys[rows], few], 1).sort(1).values[:, : keys.shape[1]]

    def result(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return indices and squared distances of the k nearest."""
        keys = self.keys.cpu()
        sq = keys.div(self._total, rounding_mode="floor")
        return (keys - sq * self._total).numpy(), sq.numpy()


def int8_products(left: Tensor, right: Tensor) -> Tensor:
    """Return the products of int8 (Q, D) and (N, D), exact: int32, or int64 where they need it."""
    if left.shape[1] <= EXACT_DIMENSIONS:
        return torch._int_mm(left, right.T)
    total = torch.zeros(len(left), len(right), dtype=torch.int64, device=left.device)
    for start in range(0, left.shape[1], EXACT_DIMENSIONS):
        part = slice(start, start + EXACT_DIMENSIONS)
        total += torch._int_mm(left[:, part].contiguous(), right[:, part].contiguous().T)
    return total


def sq_lengths(items: Tensor) -> Tensor:
    """Return |x|^2 of int8 (N, D), int64 (N,)."""
    rows = max(1, at_a_time(NORM_BYTES, items.device) // items.shape[1])
    wide = (part.to(torch.int16) for part in torch.split(items, rows))
    return torch.cat([part.mul_(part).sum(1, dtype=torch.int64) for part in wide])


@functools.lru_cache(maxsize=8)
def check_products(device: torch.device) -> None:
    """Refuse a device whose int8 products are missing or not exact."""
    # -128 squared is the largest product there is; a sum of pairs in 16 bits would saturate.
    left = torch.full((32, 64), -128, dtype=torch.int8, device=device)
    try:
        found = torch._int_mm(left, left.T)
    except RuntimeError as error:
        first = (str(error).splitlines() or [""])[0]
        raise ConfigError(
            f"device {device} cannot multiply 8-bit integers ({first}); use `device` cpu"
        ) from None
    if not bool((found == 64 * 128**2).all()):
        raise ConfigError(f"device {device} multiplies 8-bit integers wrongly; use `device` cpu")
