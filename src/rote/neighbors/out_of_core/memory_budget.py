"""How much memory an exact search takes, and the blocks that fit into a budget.

`search_bytes` adds up, from above, what `nearest_neighbors` holds at once: every array of the projection
index and of the brute force that it may fall back to. It is a model of that code and is held to it by
measurement (`tests/unit/neighbors/out_of_core/test_search.py` reads the peak of a search's own process).
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import ConfigError
from rote.neighbors.numeric import LONG

RESERVE = 96 * 2**20
"""Compiled code, buffers of libraries and what the allocator keeps."""
MARGIN = 1.1
WIDE = 2048  # rows that the index samples, projects and filters at a time
DIRECTIONS = 256
FEATURE_BYTES = 4096  # features of one item, with the float64 projections they are made from
BRUTE_FORCE_BYTES = 128 * 2**20  # float32 references of one block of brute force
BRUTE_FORCE_QUERIES = 1024
FILTERED = 512  # queries of a block, and references of a leaf
CAPACITY = 8192  # candidates of a query at most
CANDIDATE_BYTES = 16  # with its place in the order of refining
# Of long items (`cpu.long_index`), whose sketches have at most so many numbers:
SKETCH = 4 * 32 * 32 + 64
LONG_DIRECTIONS, LONG_SAMPLE = 512, 1024
LONG_FEATURE_BYTES = 4 * 4 * LONG_DIRECTIONS  # features, in the order of leaves, and for products
WIDE_NUMBERS = 2**24  # numbers of the queries that are filtered by the items themselves


@dataclass(frozen=True)
class BlockSizes:
    """How many items of each side are in memory together."""

    queries: int
    references: int


def resident_bytes() -> int:
    """Return the memory this process holds now."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return peak_bytes()


def peak_bytes() -> int:
    """Return the most memory this process has held so far (resident set)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count what the parent held when it started us
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def search_bytes(
    *, queries: int, references: int, dimension: int, itemsize: int, k: int, threads: int
) -> int:
    """Return the bytes that a search of some queries in some references takes at most.

    Parameters
    ----------
    queries, references
        Items of each side that are in memory together.
    dimension
        Numbers of one item.
    itemsize
        Bytes of one number: 1 for uint8, 4 for float32.
    k, threads
        As in the search.
    """
    if itemsize == 1 and dimension >= LONG:
        return _long_search_bytes(queries, references, dimension=dimension, k=k, threads=threads)
    wide = 4 if itemsize == 1 else 8  # 8-bit items are computed on as float32, floats as float64
    # Twice: the next references are read while these are searched.
    held = references * (2 * dimension * itemsize + FEATURE_BYTES)
    held += queries * (dimension * itemsize + FEATURE_BYTES + 96 * k)
    held += dimension * DIRECTIONS * wide  # directions stay for the next references
    sampled = min(references, WIDE)
    fit = 3 * sampled * dimension * wide + 32 * dimension * (DIRECTIONS + 16)
    project = 4 * threads * min(WIDE, max(references, queries)) * dimension * wide
    block = min(references, max(1, BRUTE_FORCE_BYTES // (4 * dimension)))
    few = min(queries, BRUTE_FORCE_QUERIES)
    # Lengths are summed in float64, then products are: two float32 blocks and the float64 results.
    plain = few * dimension * 24 + block * max(20 * dimension, 8 * dimension + 20 * few)
    if itemsize != 1:
        rows = min(few, max(1, 4 * BRUTE_FORCE_BYTES // (8 * references)))
        plain = 8 * references * dimension + 40 * rows * references
    wide_rows = min(queries, max(128, min(4096, WIDE_NUMBERS // dimension)))
    items = threads * ((sampled + wide_rows) * dimension * 3 * wide + 8 * sampled * FILTERED)
    # Features once more in the order of their leaves, and what each thread notes of a block of queries.
    leaves = threads * (
        CANDIDATE_BYTES * min(queries, FILTERED) * min(references, CAPACITY) + 4 * FILTERED**2
    )
    return int(MARGIN * (held + max(fit, project, plain, items, leaves)))


def _long_search_bytes(
    queries: int, references: int, *, dimension: int, k: int, threads: int
) -> int:
    """Return what `search_bytes` does of long 8-bit items, which are searched by their sketches."""
    from rote.neighbors.cpu.long_items import PIECE_BYTES  # numba takes a moment to import
    from rote.neighbors.cpu.products import STRETCH

    held = references * (2 * dimension + LONG_FEATURE_BYTES)
    held += queries * (dimension + LONG_FEATURE_BYTES + 96 * k)
    held += LONG_DIRECTIONS * SKETCH * 8  # directions stay for the next references
    sampled = min(references, LONG_SAMPLE)
    fit = 4 * sampled * SKETCH * 8 + 4 * sampled**2 * 8 + PIECE_BYTES
    most = max(references, queries)
    project = threads * (3 * min(FILTERED, most) * SKETCH * 8 + PIECE_BYTES)
    own = min(queries * dimension, 4 * PIECE_BYTES)
    block = min(references * dimension, PIECE_BYTES)
    # Queries and references of a thread, one stretch of each once more as float32.
    few, many = own // dimension + 1, block // dimension + 1
    multiplied = threads * (own + block + (few + many) * STRETCH * 5 + 24 * few * many)
    leaves = threads * (
        CANDIDATE_BYTES * min(queries, FILTERED) * min(references, CAPACITY) + 4 * FILTERED**2 + own
    )
    return int(MARGIN * (held + max(fit, project, multiplied, leaves)))


def reference_rows(
    memory: int,
    *,
    queries: int,
    most: int,
    dimension: int,
    itemsize: int,
    k: int,
    threads: int,
) -> int:
    """Return how many references, 0 to ``most``, fit beside some queries and what is held now."""
    free = memory - resident_bytes() - RESERVE
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        needed = search_bytes(
            queries=queries,
            references=middle,
            dimension=dimension,
            itemsize=itemsize,
            k=k,
            threads=threads,
        )
        low, high = (middle, high) if needed <= free else (low, middle - 1)
    return low


def plan_blocks(
    memory: int,
    *,
    queries: int,
    references: int,
    dimension: int,
    itemsize: int,
    k: int,
    threads: int,
) -> BlockSizes:
    """Choose the largest block of queries that leaves room for as many references.

    Parameters
    ----------
    memory
        The budget of the whole process, in bytes.
    queries
        All of them.
    references
        Those of the largest shard.
    dimension, itemsize, k, threads
        As in `search_bytes`.

    Raises
    ------
    ConfigError
        If not even one query and one reference fit.
    """
    rows = queries
    while True:
        fit = reference_rows(
            memory,
            queries=rows,
            most=references,
            dimension=dimension,
            itemsize=itemsize,
            k=k,
            threads=threads,
        )
        if fit >= min(references, rows):
            return BlockSizes(rows, fit)
        if rows == 1:
            break
        rows = (rows + 1) // 2
    least = resident_bytes() + RESERVE
    least += search_bytes(
        queries=1, references=1, dimension=dimension, itemsize=itemsize, k=k, threads=threads
    )
    raise ConfigError(
        f"`memory` of {memory / 1e6:,.0f} MB is too little: Python, its libraries and what is loaded "
        f"take {resident_bytes() / 1e6:,.0f} MB, and with the smallest search of such items "
        f"{least / 1e6:,.0f} MB in all; give at least `memory` {-(-least // 10**7) * 10}MB"
    )
