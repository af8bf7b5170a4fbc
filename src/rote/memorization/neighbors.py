"""Exact k nearest references.

uint8 items. Squared distances are integers and are computed as such: |q|^2 + |r|^2 - 2 q.r on values
shifted by -128, where the products are summed by float32 matrix products over blocks of at most 1024
dimensions. Every partial sum is an integer below 1024 * 128^2 = 2^24, so float32 holds it exactly
(TF32, which would not, is switched off for the block), and blocks add up in float64, exact to 2^53.

Float items. A float64 matrix product screens; every reference that its error bound cannot exclude is
decided by sum((q - r)^2) in float64, row by row in numpy, whose summation order depends on the
dimension alone.

Either way the answer equals brute force bit for bit, whatever the blocks, threads or device; ties go
to the lowest index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import ConfigError, DataError
from rote.core.precision import strict_fp32

EXACT_DIMENSIONS = 1024
BLOCK_BYTES = 128 * 2**20
QUERY_ROWS = 1024
LARGEST = 1e150


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest references of each query, nearest first.

    Attributes
    ----------
    indices
        int64 (queries, k), positions in the references.
    sq_distances
        Squared L2 distances: int64 for uint8 items, float64 for float items.
    """

    indices: npt.NDArray[np.int64]
    sq_distances: npt.NDArray[Any]


def nearest_neighbors(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    k: int = 2,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Find the exact k nearest references of every query in L2.

    Parameters
    ----------
    queries, references
        uint8 (N, ...) or float (N, ...), both of one kind and item shape.
    k
        How many, 1 <= k <= len(references).
    device
        Where the matrix products run: "cpu" or "cuda".
    on_progress
        Called with queries done and their total.

    Raises
    ------
    DataError
        If shapes or types differ, a side is empty, or a float is not finite.
    ConfigError
        If k is out of range.

    >>> images = np.array([[0, 0], [3, 4], [3, 4]], dtype=np.uint8)
    >>> found = nearest_neighbors(images[:1], images, k=3)
    >>> found.indices.tolist(), found.sq_distances.tolist()
    ([[0, 1, 2]], [[0, 25, 25]])
    """
    _check(queries, references, k)
    flat_queries = queries.reshape(len(queries), -1)
    flat_references = references.reshape(len(references), -1)
    engine = _IntegerSearch if queries.dtype == np.uint8 else _FloatSearch
    search = engine(flat_references, torch.device(device))
    indices = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k), engine.distance_type)
    rows = max(1, min(QUERY_ROWS, 4 * BLOCK_BYTES // (8 * len(references))))
    for start in range(0, len(queries), rows):
        part = slice(start, start + rows)
        indices[part], distances[part] = search.nearest(flat_queries[part], k)
        on_progress(min(start + rows, len(queries)), len(queries))
    return Neighbors(indices, distances)


def _check(queries: npt.NDArray[Any], references: npt.NDArray[Any], k: int) -> None:
    if not len(queries) or not len(references):
        side = "queries" if not len(queries) else "references"
        raise DataError(f"there are no {side} to search; both sides need at least one item")
    if queries.shape[1:] != references.shape[1:]:
        raise DataError(
            f"queries have items of shape {queries.shape[1:]}, references of {references.shape[1:]}; "
            "bring both to one size and channel count (--resolution, --channels)"
        )
    if (queries.dtype == np.uint8) != (references.dtype == np.uint8):
        raise DataError(
            f"queries are {queries.dtype} and references {references.dtype}; their value ranges "
            "cannot be compared: convert both to uint8 in [0, 255]"
        )
    if not 1 <= k <= len(references):
        raise ConfigError(f"k is {k}, but there are {len(references)} references; choose 1 to that")
    for name, items in (("queries", queries), ("references", references)):
        if items.dtype != np.uint8 and not np.isfinite(items).all():
            raise DataError(f"{name} hold NaN or infinity; remove those items")
        if items.dtype != np.uint8 and float(np.abs(items).max()) > LARGEST:
            raise DataError(
                f"{name} hold values beyond {LARGEST:g}; scale them, their squares overflow"
            )


class _IntegerSearch:
    distance_type = np.int64

    def __init__(self, references: npt.NDArray[Any], device: torch.device) -> None:
        self._device = device
        self._references = torch.from_numpy(np.ascontiguousarray(references)).to(device)
        self._sq_norms = torch.cat([(r.double() ** 2).sum(1) for _, r in self._blocks()])

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the references shifted by -128, float32, some rows at a time."""
        rows = max(1, BLOCK_BYTES // (4 * self._references.shape[1]))
        for start in range(0, len(self._references), rows):
            part = slice(start, start + rows)
            yield part, self._references[part].float() - 128

    def nearest(
        self, queries: npt.NDArray[Any], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        shifted = torch.from_numpy(np.ascontiguousarray(queries)).to(self._device).float() - 128
        best: tuple[Tensor, Tensor] | None = None
        for part, references in self._blocks():
            sq = self._sq_distances(shifted, references, self._sq_norms[part])
            found = _smallest(sq, min(k, sq.shape[1]), offset=part.start)
            best = found if best is None else _merge(best, found, k)
        assert best is not None
        sq, indices = best
        return indices.cpu().numpy(), sq.long().cpu().numpy()

    @staticmethod
    def _sq_distances(queries: Tensor, references: Tensor, sq_norms: Tensor) -> Tensor:
        """Return the exact squared distances as float64 (queries, references)."""
        cross = torch.zeros(
            len(queries), len(references), dtype=torch.float64, device=queries.device
        )
        with strict_fp32():
            for start in range(0, queries.shape[1], EXACT_DIMENSIONS):
                part = slice(start, start + EXACT_DIMENSIONS)
                cross += queries[:, part] @ references[:, part].T
        own = (queries.double() ** 2).sum(1, keepdim=True)
        return cross.mul_(-2).add_(own).add_(sq_norms)


class _FloatSearch:
    distance_type = np.float64

    def __init__(self, references: npt.NDArray[Any], device: torch.device) -> None:
        self._device = device
        self._host = np.ascontiguousarray(references, dtype=np.float64)
        self._references = torch.from_numpy(self._host).to(device)
        self._sq_norms = (self._references**2).sum(1)

    def nearest(
        self, queries: npt.NDArray[Any], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        host = np.ascontiguousarray(queries, dtype=np.float64)
        moved = torch.from_numpy(host).to(self._device)
        own = (moved**2).sum(1, keepdim=True)
        screen = own + self._sq_norms - 2 * (moved @ self._references.T)
        # Higham's bound for an inner product of n terms, n u |a|.|b|, doubled for the three sums.
        unit = (host.shape[1] + 8) * 2.0**-52
        margin = unit * (own.sqrt() + self._sq_norms.max().sqrt()) ** 2
        limit = screen.kthvalue(k, dim=1, keepdim=True).values + 2 * margin
        indices = np.empty((len(host), k), np.int64)
        distances = np.empty((len(host), k), np.float64)
        candidates = (screen <= limit).cpu().numpy()
        for row in range(len(host)):
            near = np.flatnonzero(candidates[row])
            sq = sq_differences(host[row], self._host[near])
            order = np.argsort(sq, kind="stable")[:k]
            indices[row], distances[row] = near[order], sq[order]
        return indices, distances


def sq_differences(
    query: npt.NDArray[np.float64], references: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return sum((q - r)^2) for each row: the definition of a float distance in rote."""
    difference = references - query
    return np.square(difference).sum(axis=1)


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
