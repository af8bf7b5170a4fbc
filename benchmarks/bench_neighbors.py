"""Exact neighbor search: rote against FAISS, in one process, pair by pair.

    python benchmarks/bench_neighbors.py [FOLDER] [--runs 5] [--rows NAME ...]

FOLDER holds cifar10_train.npz and cifar10_test.npz (array `images`); without it, rows that need CIFAR-10
are left out. Everything from uint8 arrays on counts: conversion, FAISS's index, rote's projections. Each
row runs the two in turn and prints the medians, the median of the ratios and whether the answers agree.
Compiled code is warmed up first; both use all cores.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from rote.memorization.criteria import RatioCriterion
from rote.memorization.neighbors import nearest_neighbors, pairs_within
from rote.memorization.verdicts import memorized

Array = np.ndarray[Any, Any]
RADIUS_RMS = 10


def load(folder: Path) -> tuple[Array, Array]:
    """Return CIFAR-10's test and training images, uint8 (N, 3072)."""
    sides = []
    for part in ("test", "train"):
        with np.load(folder / f"cifar10_{part}.npz") as file:
            sides.append(file["images"].reshape(len(file["images"]), -1))
    return sides[0], sides[1]


def near_copies(references: Array, count: int) -> Array:
    """Return noisy copies (sigma 8) of some references."""
    rng = np.random.default_rng(0)
    chosen = references[rng.integers(len(references), size=count)].astype(np.float32)
    return np.clip(np.rint(chosen + rng.normal(0, 8, chosen.shape)), 0, 255).astype(np.uint8)


def unit_features(images: Array, seed: int) -> Array:
    """Return 768-dimensional unit vectors: a random two-layer network of the images."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(images.shape[1], 1024)).astype(np.float32) / images.shape[1] ** 0.5
    out = rng.normal(size=(1024, 768)).astype(np.float32) / 32
    values = np.maximum((images.astype(np.float32) / 64 - 2) @ hidden, 0) @ out
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def faiss_index(references: Array) -> Any:
    index = faiss.IndexFlatL2(references.shape[1])
    index.add(references.astype(np.float32))
    return index


def faiss_search(queries: Array, references: Array, k: int) -> tuple[Array, Array]:
    return faiss_index(references).search(queries.astype(np.float32), k)


def rows(folder: Path | None) -> dict[str, tuple[Callable[[], Any], Callable[[], Any], Any]]:
    """Return each row: rote, FAISS, and a check of the two answers."""
    rng = np.random.default_rng(1)
    table = {}

    def search(name: str, queries: Array, references: Array, k: int) -> None:
        table[name] = (
            lambda: nearest_neighbors(queries, references, k=k).indices,
            lambda: faiss_search(queries, references, k)[1],
            lambda a, b: f"{(a == b).mean():.5f} of indices equal",
        )

    random = rng.integers(0, 256, (20_000, 3072), dtype=np.uint8)
    search("random uint8, 4k in 16k, k=2", random[:4000], random[4000:], 2)
    if folder is None:
        return table
    test, train = load(folder)
    search("CIFAR-10 test, 10k in 50k, k=2", test, train, 2)
    search("near-copies, 10k in 50k, k=2", near_copies(train, 10_000), train, 2)
    search("CIFAR-10 test, 10k in 50k, k=50", test, train, 50)
    features = [unit_features(side, 0) for side in (test, train)]
    search("768-d unit features, 10k in 50k, k=2", features[0], features[1], 2)

    def verdicts_of_faiss() -> Array:
        sq = faiss_search(test, train, 2)[0]
        return RatioCriterion().memorized(sq[:, 0], sq[:, 1])

    table["verdicts only, 10k in 50k"] = (
        lambda: memorized(test, train),
        verdicts_of_faiss,
        lambda a, b: f"{int((a != b).sum())} verdicts differ",
    )
    sq_radius = RADIUS_RMS**2 * train.shape[1]
    table[f"pairs within RMS {RADIUS_RMS}, 50k x 50k"] = (
        lambda: len(pairs_within(train, sq_radius)[0]),
        lambda: (len(faiss_range(train, sq_radius)) - len(train)) // 2,
        lambda a, b: f"{a} and {b} pairs",
    )
    return table


def faiss_range(items: Array, sq_radius: float) -> Array:
    _, _, found = faiss_index(items).range_search(items.astype(np.float32), sq_radius + 0.5)
    return found


def peak_memory(folder: Path, which: str) -> float:
    """Return the peak memory in MB that a search adds, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, str(folder), "--peak", which], capture_output=True, text=True
    )
    return float(done.stdout)


def print_peak(folder: Path, which: str) -> None:
    test, train = load(folder)
    nearest_neighbors(test[:200], train[:40_000])  # imports and compiled code
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if which == "rote":
        nearest_neighbors(test, train)
    elif which == "faiss":
        faiss_search(test, train, 2)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", nargs="*", help="only rows whose name contains one of these")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.folder, options.peak)
        return
    small = np.random.default_rng(0).integers(0, 256, (9000, 3072), dtype=np.uint8)
    nearest_neighbors(small[:1000], small)
    memorized(small[:1000], small)
    pairs_within(small[:2000], 100.0)
    nearest_neighbors(small[:1000].astype(np.float32), small.astype(np.float32))
    print("| work | rote s | FAISS s | FAISS / rote | answers |\n|---|---|---|---|---|")
    for name, (ours, theirs, compare) in rows(options.folder).items():
        if options.rows and not any(part in name for part in options.rows):
            continue
        seconds: list[tuple[float, float]] = []
        for _ in range(options.runs):
            start = time.perf_counter()
            a = ours()
            middle = time.perf_counter()
            b = theirs()
            seconds.append((middle - start, time.perf_counter() - middle))
        ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in seconds)
        medians = [statistics.median(pair[side] for pair in seconds) for side in (0, 1)]
        print(
            f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.1f} | {compare(a, b)} |",
            flush=True,
        )
    if options.folder and not options.rows:
        peaks = {which: peak_memory(options.folder, which) for which in ("rote", "faiss")}
        print(
            f"\npeak memory above the arrays: rote {peaks['rote']:.0f} MB, FAISS {peaks['faiss']:.0f} MB"
        )


if __name__ == "__main__":
    main()
