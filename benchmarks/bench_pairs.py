"""Groups of near-duplicates within a radius: rote against FAISS's range search, in one process.

    python benchmarks/bench_pairs.py FOLDER

FOLDER holds CIFAR-10 as ``cifar10_train.npz``. Each row is measured `--runs` times in turns, and the
ratio is the median of the paired ratios. rote starts from uint8 arrays; FAISS (IndexFlatL2) from float32
ones, whose conversion is counted, and only lists pairs. The last rows are collapse: many noisy copies of
one image, where the pairs are too many to list and rote alone is timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rote.neighbors.search import components_within

Array = npt.NDArray[Any]
RMS = 10.0


def faiss_groups(items: Array, sq_radius: float) -> tuple[float, int]:
    """Return the seconds of FAISS's pairs, and the number of their groups.

    Its distances are float32: pairs within half a unit of the radius are measured again, untimed.
    """
    start = time.perf_counter()
    floats = items.astype(np.float32)
    index = faiss.IndexFlatL2(floats.shape[1])
    index.add(floats)
    limits, _, found = index.range_search(floats, sq_radius + 0.5)
    seconds = time.perf_counter() - start
    first = np.repeat(np.arange(len(items)), (limits[1:] - limits[:-1]).astype(np.int64))
    sq = np.square(items[first].astype(np.int64) - items[found]).sum(axis=1)
    near = sq <= sq_radius
    edges = coo_array((near[near], (first[near], found[near])), shape=(len(items), len(items)))
    return seconds, int(connected_components(edges, directed=False)[0])


def collapsed(image: Array, count: int, sigma: float) -> Array:
    """Return noisy copies of one image (D,), uint8 (count, D)."""
    rng = np.random.default_rng(0)
    out = np.empty((count, len(image)), np.uint8)
    for start in range(0, count, 4096):
        part = out[start : start + 4096]
        noise = rng.standard_normal(part.shape, np.float32) * sigma
        part[:] = np.clip(np.rint(image + noise), 0, 255)
    return out


def seconds_of(function: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def groups_row(train: Array, count: int, runs: int) -> None:
    """Print rote's grouping beside FAISS's range search."""
    items, sq_radius = train[:count], RMS**2 * train.shape[1]
    times = []
    for _ in range(runs):
        ours, groups = seconds_of(
            lambda: int(components_within(items, np.arange(count), sq_radius).max()) + 1
        )
        theirs, expected = faiss_groups(items, sq_radius)
        times.append((ours, theirs))
        assert groups == expected, f"{groups} and {expected} groups"
    ours, theirs = (statistics.median(row[n] for row in times) for n in range(2))
    ratio = statistics.median(theirs / ours for ours, theirs in times)
    print(
        f"| groups within RMS {RMS:g}, {count:,} x {count:,} | {ours:.2f} | {theirs:.2f} "
        f"| **{ratio:.1f}** | equal: {groups:,} groups |",
        flush=True,
    )


def collapse_row(train: Array, count: int, sigma: float) -> None:
    """Print what grouping a collapsed side takes."""
    items = collapsed(train[0], count, sigma)
    sq_radius = RMS**2 * train.shape[1]
    took, groups = seconds_of(
        lambda: int(components_within(items, np.arange(count), sq_radius).max()) + 1
    )
    pairs = count * (count - 1) // 2
    print(
        f"| {count:,} copies of one image, noise {sigma:g} ({pairs:.1e} pairs) | {took:.2f} | | "
        f"| {groups:,} groups |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--collapsed", type=int, default=100_000)
    options = parser.parse_args()
    train = np.load(options.folder / "cifar10_train.npz")["images"].reshape(50_000, -1)
    components_within(train[:5000], np.arange(5000), 100.0)  # imports and compiled code
    print("| work | rote s | FAISS s | FAISS / rote | answers |\n|---|---|---|---|---|")
    groups_row(train, options.count, options.runs)
    for sigma in (4.0, 6.8):
        collapse_row(train, options.collapsed, sigma)


if __name__ == "__main__":
    main()
