"""All pairs within a radius, and groups of duplicates: rote against FAISS's range search, in one process.

    python benchmarks/bench_pairs.py FOLDER

FOLDER holds CIFAR-10 as ``cifar10_train.npz``. Each row is measured `--runs` times in turns, and the
ratio is the median of the paired ratios. rote starts from uint8 arrays; FAISS (IndexFlatL2) from float32
ones, whose conversion is counted. The last rows are collapse: many noisy copies of one image, where the
pairs are too many to list and only rote's groups are timed.
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

from rote.neighbors.search import components_within, pairs_within

Array = npt.NDArray[Any]
RMS = 10.0


def faiss_pairs(items: Array, sq_radius: float) -> int:
    """Return how many pairs FAISS finds within the radius (float32: half a unit is added to be safe)."""
    floats = items.astype(np.float32)
    index = faiss.IndexFlatL2(floats.shape[1])
    index.add(floats)
    limits, _, _ = index.range_search(floats, sq_radius + 0.5)
    return (int(limits[-1]) - len(items)) // 2


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


def pairs_rows(train: Array, count: int, runs: int) -> None:
    """Print rote's listing and grouping beside FAISS's range search."""
    items, sq_radius = train[:count], RMS**2 * train.shape[1]
    rows = np.arange(count)
    times = []
    for _ in range(runs):
        ours, found = seconds_of(lambda: len(pairs_within(items, sq_radius)[0]))
        groups, joined = seconds_of(
            lambda: int(components_within(items, rows, sq_radius).max()) + 1
        )
        theirs, expected = seconds_of(lambda: faiss_pairs(items, sq_radius))
        times.append((ours, groups, theirs))
        assert found == expected, f"{found} and {expected} pairs"
    ours, groups, theirs = (statistics.median(row[n] for row in times) for n in range(3))
    for name, mine, n in (("pairs listed", ours, 0), ("groups", groups, 1)):
        ratio = statistics.median(row[2] / row[n] for row in times)
        answer = f"equal: {found} pairs" if n == 0 else f"{joined:,} groups"
        print(
            f"| {name} within RMS {RMS:g}, {count:,} x {count:,} | {mine:.2f} | {theirs:.2f} "
            f"| **{ratio:.1f}** | {answer} |",
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
    pairs_within(train[:2000], 100.0)  # imports and compiled code
    components_within(train[:2000], np.arange(2000), 100.0)
    print("| work | rote s | FAISS s | FAISS / rote | answers |\n|---|---|---|---|---|")
    pairs_rows(train, options.count, options.runs)
    for sigma in (4.0, 6.8):
        collapse_row(train, options.collapsed, sigma)


if __name__ == "__main__":
    main()
