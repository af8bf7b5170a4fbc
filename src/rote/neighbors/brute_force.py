"""Exact search by brute force: every distance, by matrix products.

For small searches on a CPU, and for what no filter can decide; the indexes of CPU and GPU give the same
bits.

uint8 items. Squared distances are integers and are computed as such: |q|^2 + |r|^2 - 2 q.r on values
shifted by -128, where the products are summed by float32 matrix products over blocks of at most 1024
dimensions. Every partial sum is an integer below 1024 * 128^2 = 2^24, so float32 holds it exactly
(lower precisions, which would not, are switched off), and blocks add up in float64, exact to 2^53.

Float items. A float64 matrix product filters; every reference that its error bound cannot exclude is
decided by sum((q - r)^2) in float64, row by row in numpy, whose summation order depends on the
dimension alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.precision import strict_fp32
from rote.core.progress.work import counted

SHIFT = 128
EXACT_DIMENSIONS = 1024
BLOCK_BYTES = 128 * 2**20
QUERY_ROWS = 1024


def brute_force_nearest(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    k: int,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return indices int64 (Q, k) and squared distances (Q, k) of (Q, D) among (N, D).

    Both sides are uint8 (distances int64) or finite floats (distances float64); 1 <= k <= N.
    """
    search: _IntegerSearch | _FloatSearch
    search = (_IntegerSearch if references.dtype == np.uint8 else _FloatSearch)(references)
    indices = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k), search.distance_type)
    rows = max(1, min(QUERY_ROWS, 4 * BLOCK_BYTES // (8 * len(references))))
    for start in counted(range(0, len(queries), rows), "blocks of items searched"):
        part = slice(start, start + rows)
        indices[part], distances[part] = search.nearest(queries[part], k)
        on_progress(min(start + rows, len(queries)), len(queries))
    return indices, distances


def brute_force_pairs(
    items: npt.NDArray[Any], sq_radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return all pairs i < j of (N, D) within the radius and their squared distances, sorted."""
    integer = items.dtype == np.uint8
    host: npt.NDArray[Any] = items.astype(np.int64 if integer else np.float64)
    first, second, found = [], [], []
    for i in range(len(host) - 1):
        later = host[i + 1 :]
        sq = np.square(later - host[i]).sum(axis=1) if integer else sq_differences(host[i], later)
        near = np.flatnonzero(sq <= sq_radius)
        first.append(np.full(len(near), i))
        second.append(near + i + 1)
        found.append(sq[near])
    none: list[npt.NDArray[Any]] = [np.empty(0, np.int64)]
    return (
        np.concatenate(none + first),
        np.concatenate(none + second),
        np.concatenate([np.empty(0, host.dtype), *found]),
    )


class _IntegerSearch:
    distance_type = np.int64

    def __init__(self, references: npt.NDArray[Any]) -> None:
        self._references = torch.from_numpy(np.ascontiguousarray(references))
        self._sq_norms = torch.cat([_sq_norms(part) for _, part in self._blocks()])

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the references, some rows at a time."""
        rows = max(1, BLOCK_BYTES // (4 * self._references.shape[1]))
        for start in range(0, len(self._references), rows):
            part = slice(start, start + rows)
            yield part, self._references[part]

    def nearest(
        self, queries: npt.NDArray[Any], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        left = torch.from_numpy(np.ascontiguousarray(queries))
        own = _sq_norms(left)[:, None]
        best: tuple[Tensor, Tensor] | None = None
        for part, references in self._blocks():
            sq = float32_products(left, references).mul_(-2).add_(own).add_(self._sq_norms[part])
            found = _smallest(sq, min(k, sq.shape[1]), offset=part.start)
            best = found if best is None else _merge(best, found, k)
        assert best is not None
        sq, indices = best
        return indices.numpy(), sq.long().numpy()


def _sq_norms(items: Tensor) -> Tensor:
    """Return |x - 128|^2 of uint8 (N, D), exact, as float64 (N,)."""
    return ((items.double() - SHIFT) ** 2).sum(1)


def float32_products(queries: Tensor, references: Tensor) -> Tensor:
    """Return (q - 128).(r - 128) of uint8 (Q, D) and (N, D), exact, as float64.

    float32 products over blocks of 1024 dimensions, whose sums are integers up to 2^24.
    """
    left, right = queries.float() - SHIFT, references.float() - SHIFT
    total = torch.zeros(len(left), len(right), dtype=torch.float64)
    with strict_fp32():
        for start in range(0, left.shape[1], EXACT_DIMENSIONS):
            part = slice(start, start + EXACT_DIMENSIONS)
            total += left[:, part] @ right[:, part].T
    return total


class _FloatSearch:
    distance_type = np.float64

    def __init__(self, references: npt.NDArray[Any]) -> None:
        self._host = np.ascontiguousarray(references, dtype=np.float64)
        self._references = torch.from_numpy(self._host)
        self._sq_norms = (self._references**2).sum(1)

    def nearest(
        self, queries: npt.NDArray[Any], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        host = np.ascontiguousarray(queries, dtype=np.float64)
        left = torch.from_numpy(host)
        own = (left**2).sum(1, keepdim=True)
        values = own + self._sq_norms - 2 * (left @ self._references.T)
        # Higham's bound for an inner product of n terms, n u |a|.|b|, doubled for the three sums.
        unit = (host.shape[1] + 8) * 2.0**-52
        # Products below float64's range lose up to 2^-1075 each, of which that knows nothing.
        margin = unit * (own.sqrt() + self._sq_norms.max().sqrt()) ** 2 + host.shape[1] * 2.0**-1070
        limit = values.kthvalue(k, dim=1, keepdim=True).values + 2 * margin
        indices = np.empty((len(host), k), np.int64)
        distances = np.empty((len(host), k), np.float64)
        candidates = (values <= limit).numpy()
        for row in range(len(host)):
            near = np.flatnonzero(candidates[row])
            sq = sq_differences(host[row], self._host[near])
            order = np.argsort(sq, kind="stable")[:k]
            indices[row], distances[row] = near[order], sq[order]
        return indices, distances


def sq_differences(
    query: npt.NDArray[np.float64], references: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return sum((q - r)^2) over the last axis: the definition of a float distance in rote."""
    difference = references - query
    return np.square(difference, out=difference).sum(axis=-1)


def _smallest(sq: Tensor, k: int, *, offset: int) -> tuple[Tensor, Tensor]:
    """Return the k smallest of each row by (distance, index), as distances and indices + offset."""
    values, indices = sq.topk(k, dim=1, largest=False, sorted=True)
    if k < sq.shape[1]:
        # topk is free to choose among equals: where a tie crosses the k-th place, choose ourselves.
        crossing = ((sq <= values[:, -1:]).sum(1) > k).nonzero()[:, 0]
        for row in crossing.tolist():
            near = (sq[row] <= values[row, -1]).nonzero()[:, 0]
            order = sq[row, near].sort(stable=True).indices[:k]
            indices[row], values[row] = near[order], sq[row, near[order]]
    return _in_order(values, indices + offset)


def _merge(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, indices = _in_order(torch.cat([a[0], b[0]], 1), torch.cat([a[1], b[1]], 1))
    return values[:, :k], indices[:, :k]


def _in_order(values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Sort each row by distance, equal distances by index."""
    by_index = indices.sort(dim=1).indices
    values, indices = values.gather(1, by_index), indices.gather(1, by_index)
    by_value = values.sort(dim=1, stable=True).indices
    return values.gather(1, by_value), indices.gather(1, by_value)
