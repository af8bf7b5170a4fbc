"""Compiled inner loops of the neighbor cascade (numba); everything here is exact or certified.

Torch multiplies matrices; what it has no single pass for is done here: scanning a block of screening
values against each query's own limit, and integer distances of the few survivors. All functions release
the interpreter lock, so that query blocks run in threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

CHUNK = 32
UNSET = -1


def sq_distance(a: Any, b: Any) -> Any:
    """Return sum((a - b)^2): int64 for uint8 rows, float64 for float rows."""
    raise NotImplementedError("compiled code only")


@numba.njit(nogil=True, cache=True)
def _sq_part(a: Any, b: Any) -> Any:
    """Sum up to 2^15 squares. The narrow types and plain indices are what lets it vectorize: 13 x."""
    part = np.int32(0)
    for i in range(len(a)):
        d = np.int16(np.int16(a[i]) - np.int16(b[i]))
        part = np.int32(part + np.int32(np.int32(d) * np.int32(d)))
    return part


@overload(sq_distance, jit_options={"fastmath": {"reassoc", "contract"}, "nogil": True})
def _sq_distance(a: Any, b: Any) -> Any:
    if isinstance(a.dtype, types.Integer):

        def integers(a: Any, b: Any) -> Any:
            total = np.int64(0)
            start = 0
            while start < len(a):  # 2^15 squares below 2^16 each: int32 cannot overflow
                stop = min(start + 32768, len(a))
                total += _sq_part(a[start:stop], b[start:stop])
                start = stop
            return total

        return integers

    def floats(a: Any, b: Any) -> Any:
        total = 0.0
        for i in range(len(a)):
            d = np.float64(a[i]) - np.float64(b[i])
            total += d * d
        return total

    return floats


@numba.njit(nogil=True, cache=True)
def sq_lengths(items: Any, center: Any) -> Any:
    """Return |x - center|^2 of each row, uint8 (N, D) and uint8 (D,), exactly."""
    out = np.empty(len(items), np.int64)
    for i in range(len(items)):
        out[i] = sq_distance(items[i], center)
    return out


@numba.njit(nogil=True, cache=True)
def insert(best_sq: Any, best_index: Any, sq: Any, index: Any) -> None:
    """Put (sq, index) into one query's k best, ordered by distance, then index."""
    last = len(best_sq) - 1
    if best_index[last] != UNSET and (
        sq > best_sq[last] or (sq == best_sq[last] and index >= best_index[last])
    ):
        return
    place = 0
    while best_index[place] != UNSET and (
        best_sq[place] < sq or (best_sq[place] == sq and best_index[place] < index)
    ):
        place += 1
    if best_index[place] == index:
        return
    for i in range(last, place, -1):
        best_sq[i] = best_sq[i - 1]
        best_index[i] = best_index[i - 1]
    best_sq[place] = sq
    best_index[place] = index


@numba.njit(nogil=True, cache=True)
def limit_of(sq: Any, scale: Any, slip: Any, error: Any) -> Any:
    """Return the screening value that no reference within the squared distance exceeds (`bounds`)."""
    return (np.sqrt(np.float64(sq)) * scale + slip) ** 2 * (1 + 2.0**-30) + error


@numba.njit(nogil=True, cache=True, fastmath={"nnan", "ninf", "nsz"})
def _chunk_minima(products: Any, norms: Any, minima: Any) -> None:
    """Write the least of norms - 2 products over each chunk."""
    size = len(products)
    full = size // CHUNK
    for chunk in range(full):
        start = chunk * CHUNK
        least = norms[start] - np.float32(2) * products[start]
        for j in range(start + 1, start + CHUNK):
            least = min(least, norms[j] - np.float32(2) * products[j])
        minima[chunk] = least
    if full * CHUNK < size:
        start = full * CHUNK
        least = norms[start] - np.float32(2) * products[start]
        for j in range(start + 1, size):
            least = min(least, norms[j] - np.float32(2) * products[j])
        minima[full] = least


@numba.njit(nogil=True, cache=True)
def _lowest_of(products: Any, norms: Any, chunk: Any) -> Any:
    """Return the position with the least value in a chunk."""
    start = chunk * CHUNK
    stop = min(start + CHUNK, len(products))
    place = start
    for j in range(start + 1, stop):
        if norms[j] - 2 * products[j] < norms[place] - 2 * products[place]:
            place = j
    return place


@numba.njit(nogil=True, cache=True)
def scan(
    products: Any,
    query_norms: Any,
    norms: Any,
    offset: Any,
    queries: Any,
    references: Any,
    best_sq: Any,
    best_index: Any,
    scale: Any,
    slip: Any,
    error: Any,
    hit_index: Any,
    hit_value: Any,
    hit_count: Any,
) -> None:
    """Scan one block of screening products for all queries of a block.

    ``products`` (queries, block) are a_q . a_r; the screening value is |a_q|^2 + |a_r|^2 - 2 a_q.a_r.
    The most promising reference of each row is measured exactly, which tightens the query's limit;
    whatever lies within the limit is noted in ``hit_*``. A full list is first thinned by the limit that
    holds by now; ``hit_count`` becomes -1 where that does not help.
    """
    chunks = (len(norms) + CHUNK - 1) // CHUNK
    minima = np.empty(chunks, np.float32)
    k = best_sq.shape[1]
    capacity = hit_index.shape[1]
    for i in range(len(products)):
        if hit_count[i] < 0:
            continue
        row = products[i]
        _chunk_minima(row, norms, minima)
        if best_index[i, k - 1] == UNSET:
            seeds = k if chunks >= k else 0
            for chunk in np.argsort(minima)[:seeds]:
                j = _lowest_of(row, norms, chunk)
                sq = sq_distance(queries[i], references[offset + j])
                insert(best_sq[i], best_index[i], sq, offset + j)
            j = 0
            while best_index[i, k - 1] == UNSET and j < len(row):
                sq = sq_distance(queries[i], references[offset + j])
                insert(best_sq[i], best_index[i], sq, offset + j)
                j += 1
            if best_index[i, k - 1] == UNSET:  # fewer than k references so far: all are inserted
                continue
        else:
            # One reference a block keeps the limit of a few neighbors tight, many need some more.
            few = (k + 7) // 8
            order = np.argsort(minima)[:few] if few > 1 else np.array([np.argmin(minima)])
            for chunk in order:
                bound = limit_of(best_sq[i, k - 1], scale, slip, error) - query_norms[i]
                if minima[chunk] <= bound:
                    j = _lowest_of(row, norms, chunk)
                    sq = sq_distance(queries[i], references[offset + j])
                    insert(best_sq[i], best_index[i], sq, offset + j)
        bound = np.float32(limit_of(best_sq[i, k - 1], scale, slip, error) - query_norms[i])
        count = hit_count[i]
        for chunk in range(chunks):
            if minima[chunk] <= bound:
                start = chunk * CHUNK
                for j in range(start, min(start + CHUNK, len(row))):
                    value = norms[j] - np.float32(2) * row[j]
                    if value <= bound and count >= 0:
                        if count == capacity:
                            count = _thin(hit_index[i], hit_value[i], bound)
                            if count > capacity // 2:
                                count = -1
                                continue
                        hit_index[i, count] = offset + j
                        hit_value[i, count] = value
                        count += 1
        hit_count[i] = count


@numba.njit(nogil=True, cache=True)
def _thin(index: Any, value: Any, bound: Any) -> Any:
    """Keep the entries within the bound, in order; return their number."""
    kept = 0
    for n in range(len(index)):
        if value[n] <= bound:
            index[kept] = index[n]
            value[kept] = value[n]
            kept += 1
    return kept


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _fine_value(a: Any, b: Any) -> Any:
    total = np.float32(0)
    for i in range(len(a)):
        d = a[i] - b[i]
        total += d * d
    return total


@numba.njit(nogil=True, cache=True)
def settle(
    query_norms: Any,
    queries: Any,
    references: Any,
    query_features: Any,
    features: Any,
    best_sq: Any,
    best_index: Any,
    scale: Any,
    slip: Any,
    coarse_error: Any,
    fine_error: Any,
    hit_index: Any,
    hit_value: Any,
    hit_count: Any,
) -> Any:
    """Decide every noted reference: by all directions first, then by its true distance.

    Returns how many true distances were measured.
    """
    k = best_sq.shape[1]
    measured = 0
    for i in range(len(queries)):
        if hit_count[i] <= 0:
            continue
        bound = np.float32(limit_of(best_sq[i, k - 1], scale, slip, coarse_error) - query_norms[i])
        fine_bound = limit_of(best_sq[i, k - 1], scale, slip, fine_error)
        for n in range(hit_count[i]):
            if hit_value[i, n] > bound:
                continue
            j = hit_index[i, n]
            if features.shape[1] and _fine_value(query_features[i], features[j]) > fine_bound:
                continue
            sq = sq_distance(queries[i], references[j])
            measured += 1
            if sq <= best_sq[i, k - 1]:
                insert(best_sq[i], best_index[i], sq, np.int64(j))
                bound = np.float32(
                    limit_of(best_sq[i, k - 1], scale, slip, coarse_error) - query_norms[i]
                )
                fine_bound = limit_of(best_sq[i, k - 1], scale, slip, fine_error)
    return measured


@numba.njit(nogil=True, cache=True)
def lowest_two(products: Any, norms: Any, offset: Any, low_value: Any, low_index: Any) -> None:
    """Update each row's two lowest screening values (without |a_q|^2) and their references."""
    chunks = (len(norms) + CHUNK - 1) // CHUNK
    minima = np.empty(chunks, np.float32)
    for i in range(len(products)):
        row = products[i]
        _chunk_minima(row, norms, minima)
        for chunk in range(chunks):
            if minima[chunk] < low_value[i, 1]:
                start = chunk * CHUNK
                for j in range(start, min(start + CHUNK, len(row))):
                    value = norms[j] - np.float32(2) * row[j]
                    if value < low_value[i, 0]:
                        low_value[i, 1] = low_value[i, 0]
                        low_index[i, 1] = low_index[i, 0]
                        low_value[i, 0] = value
                        low_index[i, 0] = offset + j
                    elif value < low_value[i, 1]:
                        low_value[i, 1] = value
                        low_index[i, 1] = offset + j


@numba.njit(nogil=True, cache=True)
def measure(queries: Any, references: Any, index: Any, sq: Any) -> None:
    """Write the true squared distances of each query to the references in its row of ``index``."""
    for i in range(len(queries)):
        for n in range(index.shape[1]):
            sq[i, n] = sq_distance(queries[i], references[index[i, n]])
