"""Float items on a device: float32 products filter, the defined float64 sum decides.

Items are centered and scaled by a power of two in float64 and rounded to float32 once: a = (x - c) s
(1 + u), |u| <= 2^-24 + 2^-53, which moves a point by less than 2^-23 |a| (and values below float32's
range by 2^-149 each). The filter value |a|^2 + |b|^2 - 2 a.b in strict float32 errs by at most

    e = (D + 8) 2^-23 (|a| + |b|)^2

whatever the order of summation (`projection`). So with t the k-th smallest filter value so far, R the
largest |b| so far, e its e and m = 2^-23 (|a| + R) + 2^-100, the k-th distance times s is at most
sqrt(t + e) + m, and no reference among the k nearest has a filter value above

    ((sqrt(t + e) + m) (1 + (D + 8) 2^-50) + m)^2 + e,

where the factor covers the rounding of the defined sums. What lies within that becomes a candidate,
and measured at the end on the host, by the sum that defines a float distance in rote. A query with more
near-ties than are worth keeping is decided by brute force on the host.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.precision import strict_fp32
from rote.neighbors.brute_force import brute_force_nearest, sq_differences
from rote.neighbors.gpu.blocks import (
    GROUP,
    ReferenceBlock,
    at_a_time,
    group_by_length,
    keep_smallest,
)
from rote.neighbors.gpu.transfer import to_device
from rote.neighbors.numeric import item_scale

SAMPLE = 2048
PIECE = 2**22
CANDIDATES = 512
"""Candidates of a query at most, beside 4 k; more near-ties go to brute force."""
MOST_CANDIDATES = 2**22
FARTHEST = 1e30
"""A longer query, squared, would leave float32's range."""


class Float32References:
    """How float items are multiplied and compared on a device."""

    distance_type = np.float64
    itemsize = 4

    def __init__(
        self, references: npt.NDArray[Any], device: torch.device, *, size: float | None = None
    ) -> None:
        self.count, self.dimension = references.shape
        self.references = references
        chosen = np.linspace(0, self.count - 1, min(SAMPLE, self.count)).astype(np.int64)
        center = references[np.unique(chosen)].mean(axis=0, dtype=np.float64)
        self._center = torch.from_numpy(center).to(device)
        self._scale = item_scale(references, size=size)

    def block(self, part: slice, raw: Tensor) -> ReferenceBlock:
        """Return references float (n, D) ready to be multiplied."""
        items, sq_norms = self._centered(raw)
        return group_by_length(items, sq_norms, start=part.start, total=self.count)

    def search(self, queries: npt.NDArray[Any], k: int, device: torch.device) -> Float32Search:
        """Begin the search of some queries (Q, D)."""
        left, sq_norms = self._centered(to_device(queries, device))
        return Float32Search(self.references, queries, left, sq_norms, k)

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
    """Queries on the device, their k least filter values and the candidates so far."""

    def __init__(
        self,
        references: npt.NDArray[Any],
        queries: npt.NDArray[Any],
        left: Tensor,
        sq_norms: Tensor,
        k: int,
    ) -> None:
        self._references, self._queries, self._left, self._k = references, queries, left, k
        self._sq_norms = sq_norms
        self._least = torch.full((len(left), k), torch.inf, device=left.device)
        self._longest = torch.zeros((), device=left.device)
        self._undecided = ~(sq_norms < FARTHEST)
        self._candidates: list[tuple[Tensor, Tensor, Tensor]] = []

    def products(self, tile: slice, block: ReferenceBlock) -> Tensor:
        """Return the products of some queries with a block, (tile, rows)."""
        with strict_fp32():
            return self._left[tile] @ block.items.T

    def limits(self, tile: slice) -> Tensor:
        """Return the filter value that none of the k nearest exceeds, float64 (tile,)."""
        length = self._sq_norms[tile].double().sqrt() + self._longest.double().sqrt()
        length = length * (1 + 2.0**-20)  # of squares that were rounded
        terms = self._left.shape[1] + 8
        error = terms * 2.0**-23 * length**2
        moved = 2.0**-23 * length + 2.0**-100
        reach = (self._least[tile, -1].double() + error).clamp(min=0).sqrt() + moved
        limits = (reach * (1 + terms * 2.0**-50) + moved) ** 2 + error
        return limits.masked_fill(self._undecided[tile], -torch.inf)

    def take(self, tile: slice, products: Tensor, block: ReferenceBlock) -> None:
        """Take in what a block has to offer to some queries."""
        self._longest = torch.maximum(self._longest, block.sq_norms.max())
        own, least = self._sq_norms[tile], self._least[tile]
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
            keep_smallest(least, rows, values[kept])
            self._add_candidates(rows + tile.start, indices[kept], values[kept])
        for rows in torch.split(crowded, max(1, PIECE // len(block.items))):
            self._take_all(tile, rows, products[rows], block)
        if sum(len(values) for _, _, values in self._candidates) > MOST_CANDIDATES:
            self._prune()

    def _take_all(self, tile: slice, rows: Tensor, products: Tensor, block: ReferenceBlock) -> None:
        """Take in a block for queries that nearly all of it might be near to."""
        least, k = self._least[tile], self._k
        values = block.sq_norms - 2 * products + self._sq_norms[tile][rows, None]
        real = block.indices < len(self._references)
        values.masked_fill_(~real, torch.inf)
        few = values.topk(min(k, values.shape[1]), dim=1, largest=False).values
        least[rows] = torch.cat([least[rows], few], 1).sort(1).values[:, :k]
        near = (values <= self.limits(tile)[rows, None]) & real
        crowded = near.sum(1) > CANDIDATES + 4 * k
        self._undecided[tile][rows[crowded]] = True
        near &= ~crowded[:, None]
        place, column = near.nonzero(as_tuple=True)
        self._add_candidates(rows[place] + tile.start, block.indices[column], values[place, column])

    def _add_candidates(self, rows: Tensor, indices: Tensor, values: Tensor) -> None:
        self._candidates.append((rows, indices, values))

    def _prune(self) -> None:
        """Drop what lies beyond the limits by now, and give up queries that too much is left of."""
        rows, indices, values = (torch.cat(parts) for parts in zip(*self._candidates, strict=True))
        kept = values <= self.limits(slice(0, len(self._left)))[rows]
        count = torch.bincount(rows[kept], minlength=len(self._left))
        self._undecided |= count > CANDIDATES + 4 * self._k
        kept &= ~self._undecided[rows]
        self._candidates = [(rows[kept], indices[kept], values[kept])]

    def result(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Measure the candidates and return the k nearest."""
        found = np.empty((len(self._left), self._k), np.int64)
        sq = np.empty((len(self._left), self._k), np.float64)
        lost = self._undecided
        if self._candidates:
            self._prune()
            lost = self._undecided
            rows, indices = (part.cpu().numpy() for part in self._candidates[0][:2])
            exact = self._refine(rows, indices)
            order = np.lexsort((indices, exact, rows))
            rows, indices, exact = rows[order], indices[order], exact[order]
            rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
            near = rank < self._k
            found[rows[near], rank[near]], sq[rows[near], rank[near]] = indices[near], exact[near]
        left = lost.cpu().numpy()
        if left.any():
            found[left], sq[left] = brute_force_nearest(
                self._queries[left], self._references, self._k
            )
        return found, sq

    def _refine(
        self, rows: npt.NDArray[np.int64], indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Return the defined distances of pairs of a query and a reference."""
        exact = np.empty(len(rows))
        size = max(1, PIECE // 32 // self._left.shape[1])

        def measure(start: int) -> None:
            part = slice(start, start + size)
            exact[part] = sq_differences(
                self._queries[rows[part]].astype(np.float64),
                self._references[indices[part]].astype(np.float64),
            )

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(measure, range(0, len(rows), size)))
        return exact
