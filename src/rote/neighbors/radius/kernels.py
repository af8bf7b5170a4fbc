"""Compiled loops of the search within a radius (numba): blocks of near items against each other.

What skips a pair is certified (`partition`); what is left is measured, until the sum is too large.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from rote.neighbors.cpu.kernels import sq_within

BLOCK = 64
"""Items of a block; its pairs are what one call may add to a full list."""
STEP = 8


@numba.njit(nogil=True, cache=True)
def find(parent: Any, i: Any) -> Any:
    """Return the root of an item, shortening its path."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(nogil=True, cache=True)
def join(parent: Any, i: Any, j: Any) -> Any:
    """Join two trees under the lower root, which is returned."""
    a, b = find(parent, i), find(parent, j)
    if a < b:
        parent[b] = a
        return a
    parent[a] = b
    return b


@numba.njit(nogil=True, cache=True)
def join_all(parent: Any, other: Any) -> None:
    """Join what another forest over the same items has joined."""
    for i in range(len(other)):
        if other[i] != i:
            join(parent, i, other[i])


@numba.njit(nogil=True, cache=True)
def join_pairs(parent: Any, pairs: Any) -> None:
    """Join the two items of each pair, int64 (n, 2)."""
    for n in range(len(pairs)):
        join(parent, pairs[n, 0], pairs[n, 1])


@numba.njit(nogil=True, cache=True)
def roots(parent: Any) -> Any:
    """Return the root of every item: the lowest item of its component."""
    out = np.empty(len(parent), np.int64)
    for i in range(len(parent)):
        out[i] = find(parent, i)
    return out


@numba.njit(nogil=True, cache=True)
def _apart(low: Any, high: Any, a: Any, b: Any, limit: Any) -> Any:
    """Whether two boxes are farther apart than the limit, squared."""
    total = 0.0
    for d in range(low.shape[1]):
        gap = max(np.float64(low[b, d]) - high[a, d], np.float64(low[a, d]) - high[b, d])
        if gap > 0:
            total += gap * gap
            if total > limit:
                return True
    return False


@numba.njit(nogil=True, cache=True)
def _outside(features: Any, a: Any, r: Any, low: Any, high: Any, b: Any, limit: Any) -> Any:
    """Whether one item is farther from a box than the limit, squared."""
    total = 0.0
    for d in range(low.shape[1]):
        value = np.float64(features[a, d, r])
        gap = max(low[b, d] - value, value - high[b, d])
        if gap > 0:
            total += gap * gap
            if total > limit:
                return True
    return False


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nnan", "nsz"})
def _filter(features: Any, a: Any, r: Any, b: Any, limit: Any, sums: Any) -> Any:
    """Write the squared distances of features of one item to a block; False once all are too large."""
    one, block = features[a], features[b]
    dimension = one.shape[0]
    sums[:] = 0
    for first in range(0, dimension, STEP):
        for d in range(first, min(first + STEP, dimension)):
            value = one[d, r]
            other = block[d]
            for j in range(BLOCK):
                gap = other[j] - value
                sums[j] += gap * gap
        least = sums[0]
        for j in range(1, BLOCK):
            least = min(least, sums[j])
        if least > limit:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _is_one(parent: Any, first: Any, stop: Any) -> Any:
    i, root = first + 1, find(parent, first)
    while i < stop and find(parent, i) == root:
        i += 1
    return i == stop


@numba.njit(nogil=True, cache=True)
def join_within(
    a: Any,
    start: Any,
    stop: Any,
    features: Any,
    low: Any,
    high: Any,
    limit: Any,
    items: Any,
    order: Any,
    sure: Any,
    most: Any,
    parent: Any,
    one: Any,
    unsure: Any,
    budget: Any,
    kin: Any,
) -> Any:
    """Join near items of block ``a`` and of the blocks ``start`` to ``stop``; a <= start.

    ``parent`` is a forest (int32, one entry per place in the block order; ``one`` says of each block
    whether it lies in one tree). Items up to ``sure`` apart are joined, and pairs of one tree are not
    looked at; places of pairs above that and up to ``most`` are written to ``unsure`` (n, 2). Returns the
    block to go on with, the number of unsure pairs, and how many were measured. It stops early where the
    list could overflow within one pair of blocks, or once ``budget`` pairs have been measured. ``kin``
    (one entry per place, or empty) are parts within which no pair is looked at.
    """
    count = measured = 0
    total = len(order)
    sums = np.empty(BLOCK, np.float32)
    first = a * BLOCK
    own_stop = min(first + BLOCK, total)
    for b in range(start, stop):
        if _apart(low, high, a, b, limit):
            continue
        other = b * BLOCK
        other_stop = min(other + BLOCK, total)
        if one[a] and one[b] and find(parent, first) == find(parent, other):
            continue
        if count + BLOCK * BLOCK > len(unsure) or measured >= budget:
            return b, count, measured
        touched = False
        for i in range(first, own_stop):
            if a != b and _outside(features, a, i - first, low, high, b, limit):
                continue
            if one[b] and find(parent, i) == find(parent, other):
                continue
            if not _filter(features, a, i - first, b, limit, sums):
                continue
            for j in range(max(other, i + 1), other_stop):
                if sums[j - other] > limit or find(parent, i) == find(parent, j):
                    continue
                if len(kin) and kin[i] == kin[j]:
                    continue
                measured += 1
                sq = sq_within(items[order[i]], items[order[j]], most)
                if sq > most:
                    continue
                if sq <= sure:
                    join(parent, i, j)
                    touched = True
                else:
                    unsure[count, 0] = i
                    unsure[count, 1] = j
                    count += 1
        if touched:
            one[a] = one[a] or _is_one(parent, first, own_stop)
            one[b] = one[b] or _is_one(parent, other, other_stop)
    return stop, count, measured
