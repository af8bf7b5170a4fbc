"""All distances of long 8-bit items, by matrix products over pieces of bounded size: exact integers.

For what no filter can decide. |q - r|^2 = |q|^2 + |r|^2 - 2 q.r on values less 128; the products of a
stretch of `STRETCH` numbers are sums below 2^31 of int8 products where the processor multiplies those
without saturating, and float32 sums of exact integers otherwise.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch

from rote.neighbors.brute_force import float32_products
from rote.neighbors.cpu import kernels
from rote.neighbors.cpu.filter import MIDDLE, int8_products_are_exact, parts_of
from rote.neighbors.cpu.long_items import LongItems, items_in_piece

STRETCH = 2**16
QUERY_PIECES = 8
"""Pieces of queries that are multiplied with one piece of references."""


def search_by_products(
    queries: npt.NDArray[np.uint8],
    references: LongItems,
    best_sq: npt.NDArray[np.int64],
    best_index: npt.NDArray[np.int64],
) -> None:
    """Put all references among the k best of each query; indices are rows of the references' array.

    Parameters
    ----------
    queries
        uint8 (Q, D).
    references
        The rows to look at.
    best_sq, best_index
        int64 (Q, k): what is known, `kernels.UNSET` where there is nothing yet.
    """
    step = items_in_piece(queries.shape[1])
    for part in parts_of(len(queries), QUERY_PIECES * step):
        own = queries[part]
        length = _sq_lengths(own)
        for some in parts_of(len(references), step):
            block = references.taken(some)
            sq = length[:, None] + _sq_lengths(block) - 2 * _products(own, block)
            _insert_all(sq, references.rows[some], best_sq[part], best_index[part])
            references.release()


def _sq_lengths(items: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    middle = np.full(items.shape[1], MIDDLE, np.uint8)
    return np.asarray(kernels.sq_lengths(items, middle), np.int64)


def _products(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return (x - 128).(y - 128) of all pairs, int64."""
    total: npt.NDArray[Any] = np.zeros((len(left), len(right)), np.int64)
    for start in range(0, left.shape[1], STRETCH):
        one, other = (x[:, start : start + STRETCH] for x in (left, right))
        if int8_products_are_exact(one.shape[1]):
            a, b = (torch.from_numpy((x ^ MIDDLE).view(np.int8)) for x in (one, other))
            total += torch._int_mm(a, b.T).numpy()
        else:
            a, b = (torch.from_numpy(np.ascontiguousarray(x)) for x in (one, other))
            total += float32_products(a, b).numpy().astype(np.int64)
    return total


@numba.njit(nogil=True, cache=True)
def _insert_all(sq: Any, ids: Any, best_sq: Any, best_index: Any) -> None:
    for i in range(len(sq)):
        for j in range(len(ids)):
            kernels.insert(best_sq[i], best_index[i], sq[i, j], ids[j])
