"""Compiled inner loops of the projection index (numba); everything here is exact or certified.

Torch multiplies matrices; what it has no single pass for is done here: comparing a block of filter
values with each query's own limit, and integer distances of the few survivors. All functions release
the interpreter lock, so that query blocks run in threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

CHUNK = 32
STRETCH = 768
FLOAT_STRETCH = 128
BUCKET = 8
UNSET = np.iinfo(np.int64).min
"""No reference yet. Indices below 0 are references of earlier chunks (`out_of_core.chunk`)."""


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


def sq_within(a: Any, b: Any, limit: Any) -> Any:
    """Return sum((a - b)^2) as `sq_distance` does, or any part of it that exceeds the limit."""
    raise NotImplementedError("compiled code only")


@overload(sq_within, jit_options={"nogil": True})
def _sq_within(a: Any, b: Any, limit: Any) -> Any:
    integer = isinstance(a.dtype, types.Integer)
    zero: Any = np.int64(0) if integer else np.float64(0)
    stretch = STRETCH if integer else FLOAT_STRETCH

    def run(a: Any, b: Any, limit: Any) -> Any:
        total = zero
        start = 0
        while start < len(a) and total <= limit:
            stop = min(start + stretch, len(a))
            total += sq_distance(a[start:stop], b[start:stop])
            start = stop
        return total

    return run


@numba.njit(nogil=True, cache=True)
def measure_all(queries: Any, references: Any, best_sq: Any, best_index: Any) -> None:
    """Find the nearest references of a few queries by every distance."""
    k = best_sq.shape[1]
    for i in range(len(queries)):
        for j in range(len(references)):
            if best_index[i, k - 1] == UNSET:
                insert(best_sq[i], best_index[i], sq_distance(queries[i], references[j]), j)
                continue
            sq = sq_within(queries[i], references[j], best_sq[i, k - 1])
            if sq <= best_sq[i, k - 1]:
                insert(best_sq[i], best_index[i], sq, j)


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
    # Two sums of the same floats may differ in the last bits: what is in is known by its index alone.
    for i in range(last + 1):
        if best_index[i] == index:
            return
    place = 0
    while best_index[place] != UNSET and (
        best_sq[place] < sq or (best_sq[place] == sq and best_index[place] < index)
    ):
        place += 1
    for i in range(last, place, -1):
        best_sq[i] = best_sq[i - 1]
        best_index[i] = best_index[i - 1]
    best_sq[place] = sq
    best_index[place] = index


@numba.njit(nogil=True, cache=True)
def limit_of(sq: Any, scale: Any, rounding_error: Any, error: Any) -> Any:
    """Return the filter value that no reference within a squared distance exceeds (`projection`)."""
    return (np.sqrt(sq) * scale + rounding_error) ** 2 * (1 + 2.0**-30) + error


@numba.njit(nogil=True, cache=True, fastmath={"nnan", "ninf", "nsz"})
def _row_minima(values: Any, minima: Any) -> None:
    """Write the least value of each chunk."""
    size = len(values)
    full = size // CHUNK
    for chunk in range(full):
        start = chunk * CHUNK
        least = values[start]
        for j in range(start + 1, start + CHUNK):
            least = min(least, values[j])
        minima[chunk] = least
    if full * CHUNK < size:
        start = full * CHUNK
        least = values[start]
        for j in range(start + 1, size):
            least = min(least, values[j])
        minima[full] = least


@numba.njit(nogil=True, cache=True)
def _lowest_of(values: Any, chunk: Any) -> Any:
    """Return the position with the least value in a chunk."""
    start = chunk * CHUNK
    stop = min(start + CHUNK, len(values))
    place = start
    for j in range(start + 1, stop):
        if values[j] < values[place]:
            place = j
    return place


@numba.njit(nogil=True, cache=True)
def filter_pairs(
    values: Any,
    rows: Any,
    ids: Any,
    query_norms: Any,
    queries: Any,
    references: Any,
    query_features: Any,
    features: Any,
    best_sq: Any,
    best_index: Any,
    limits: Any,
    scale: Any,
    rounding_error: Any,
    error: Any,
    fine_error: Any,
    candidate_index: Any,
    candidate_value: Any,
    candidate_count: Any,
) -> Any:
    """Keep those of one block of references that may be near to some queries, by their filter values.

    ``values`` (rows, ids) are |a_r|^2 - 2 a_q.a_r for the queries ``rows`` and references ``ids``. The
    most promising references of each row are measured exactly, which tightens the query's limit. What
    lies within the limit, also by all directions (``features`` of the block; none: by ``values`` alone),
    becomes a candidate. A full list is first thinned by the limit that holds by now; ``candidate_count``
    is set to -1 where that does not help. Returns how many pairs were within the limit by ``values``.
    """
    chunks = (len(ids) + CHUNK - 1) // CHUNK
    minima = np.empty(chunks, np.float32)
    k = best_sq.shape[1]
    capacity = candidate_index.shape[1]
    few = (k + 15) // 16
    looked = 0
    for row in range(len(rows)):
        i = rows[row]
        if candidate_count[i] < 0:
            continue
        line = values[row]
        _row_minima(line, minima)
        unset = best_index[i, k - 1] == UNSET
        if unset:
            pivot = np.partition(line, k - 1)[k - 1] if k < len(line) else np.float32(np.inf)
            for j in range(len(line)):
                if line[j] <= pivot:
                    sq = sq_distance(queries[i], references[ids[j]])
                    insert(best_sq[i], best_index[i], sq, np.int64(ids[j]))
            if best_index[i, k - 1] == UNSET:  # fewer than k references so far: all are inserted
                continue
            limits[i] = limit_of(best_sq[i, k - 1], scale, rounding_error, error)
        else:
            # One reference a block keeps the limit of a few neighbors tight, many need some more.
            order = np.argsort(minima)[:few] if few > 1 else np.array([np.argmin(minima)])
            for chunk in order:
                if minima[chunk] > np.float32(limits[i] - query_norms[i]):
                    break
                j = _lowest_of(line, chunk)
                sq = sq_distance(queries[i], references[ids[j]])
                if sq < best_sq[i, k - 1]:
                    insert(best_sq[i], best_index[i], sq, np.int64(ids[j]))
                    limits[i] = limit_of(best_sq[i, k - 1], scale, rounding_error, error)
        bound = np.float32(limits[i] - query_norms[i])
        fine_bound = limits[i] - error + fine_error
        count = candidate_count[i]
        for chunk in range(chunks):
            if minima[chunk] <= bound:
                start = chunk * CHUNK
                for j in range(start, min(start + CHUNK, len(line))):
                    if line[j] <= bound and count >= 0:
                        looked += 1
                        value = np.float64(line[j]) + query_norms[i]
                        if features.shape[1]:
                            value = np.float64(_fine_value(query_features[i], features[j]))
                            if value > fine_bound:
                                continue
                        if count == capacity:
                            count = _thin(candidate_index[i], candidate_value[i], fine_bound)
                            if count > capacity // 2:
                                count = -1
                                continue
                        candidate_index[i, count] = ids[j]
                        candidate_value[i, count] = value
                        count += 1
        candidate_count[i] = count
    return looked


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
def refine(
    queries: Any,
    references: Any,
    best_sq: Any,
    best_index: Any,
    scale: Any,
    rounding_error: Any,
    error: Any,
    candidate_index: Any,
    candidate_value: Any,
    candidate_count: Any,
) -> Any:
    """Decide every candidate by its true distance; return how many were measured.

    The most promising ones of each query come first. The others then go by reference: far apart in
    memory as they are, each would cost four times as much by query.
    """
    k = best_sq.shape[1]
    measured = 0
    bounds = np.zeros(len(queries))
    buckets = np.zeros(len(references) // BUCKET + 2, np.int64)
    for i in range(len(queries)):
        count = candidate_count[i]
        if count <= 0:
            continue
        values = candidate_value[i, :count]
        pivot = np.partition(values, k)[k] if count > k else np.float32(np.inf)
        for n in range(count):
            if values[n] <= pivot:
                j = np.int64(candidate_index[i, n])
                sq = sq_within(queries[i], references[j], best_sq[i, k - 1])
                if sq <= best_sq[i, k - 1]:
                    insert(best_sq[i], best_index[i], sq, j)
                measured += 1
        bounds[i] = limit_of(best_sq[i, k - 1], scale, rounding_error, error)
        left = 0
        for n in range(count):
            if pivot < values[n] <= bounds[i]:
                candidate_index[i, left] = candidate_index[i, n]
                values[left] = values[n]
                buckets[candidate_index[i, left] // BUCKET + 1] += 1
                left += 1
        candidate_count[i] = left
    for bucket in range(1, len(buckets)):
        buckets[bucket] += buckets[bucket - 1]
    order = np.empty((buckets[-1], 2), np.int32)
    for i in range(len(queries)):
        for n in range(candidate_count[i]):
            place = buckets[candidate_index[i, n] // BUCKET]
            buckets[candidate_index[i, n] // BUCKET] += 1
            order[place, 0] = i
            order[place, 1] = n
    for place in range(len(order)):
        i, n = order[place]
        if candidate_value[i, n] <= bounds[i]:
            j = np.int64(candidate_index[i, n])
            sq = sq_within(queries[i], references[j], best_sq[i, k - 1])
            measured += 1
            if sq <= best_sq[i, k - 1]:
                insert(best_sq[i], best_index[i], sq, j)
                bounds[i] = limit_of(best_sq[i, k - 1], scale, rounding_error, error)
    return measured
