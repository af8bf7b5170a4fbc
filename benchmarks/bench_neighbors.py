"""Exact neighbor search: rote against FAISS, scikit-learn and torch.cdist, in one process, pair by pair.

    python benchmarks/bench_neighbors.py [FOLDER] [--runs 5] [--rows NAME ...]

FOLDER holds cifar10_train.npz and cifar10_test.npz (array `images`); without it, rows that need CIFAR-10
are left out. Everything from uint8 arrays on counts: conversion, FAISS's index, rote's projections. Each
row runs rote and FAISS in turn and prints the medians, the median of the ratios, its target and whether
the answers agree. FAISS gets the faster of its OpenBLAS kernels: where OPENBLAS_CORETYPE is not set, both
the library's own choice and Haswell are tried in processes of their own first. The slow peers run on
250 queries, once, and are scaled to all. Memory is the peak of a fresh process (VmHWM) less what it held
with the data loaded and a small search done. Compiled code is warmed up first; both use all cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from rote.neighbors.out_of_core.memory_budget import peak_bytes, resident_bytes
from rote.neighbors.search import nearest_neighbors

Array = np.ndarray[Any, Any]
SLOW_QUERIES = 250


def load(folder: Path) -> tuple[Array, Array]:
    """Return CIFAR-10's test and training images, uint8 (N, 32, 32, 3)."""
    sides = []
    for part in ("test", "train"):
        with np.load(folder / f"cifar10_{part}.npz") as file:
            sides.append(file["images"])
    return sides[0], sides[1]


def near_copies(references: Array, count: int) -> Array:
    """Return noisy copies (sigma 8) of some references."""
    rng = np.random.default_rng(0)
    chosen = references[rng.integers(len(references), size=count)].astype(np.float32)
    return np.clip(np.rint(chosen + rng.normal(0, 8, chosen.shape)), 0, 255).astype(np.uint8)


def unit_features(images: Array) -> Array:
    """Return 768-dimensional unit vectors, float32: a random two-layer network of the images."""
    flat = images.reshape(len(images), -1)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(flat.shape[1], 1024)).astype(np.float32) / flat.shape[1] ** 0.5
    out = rng.normal(size=(1024, 768)).astype(np.float32) / 32
    values = np.maximum((flat.astype(np.float32) / 64 - 2) @ hidden, 0) @ out
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def faiss_search(queries: Array, references: Array, k: int) -> tuple[Array, Array]:
    flat = references.reshape(len(references), -1)
    index = faiss.IndexFlatL2(flat.shape[1])
    index.add(flat.astype(np.float32))
    return index.search(queries.reshape(len(queries), -1).astype(np.float32), k)


Row = tuple[float, Callable[[], Any], Callable[[], Any], Callable[[Any, Any], str]]


def rows(folder: Path | None) -> dict[str, Row]:
    """Return each row: target, rote, FAISS, and a check of the two answers."""
    rng = np.random.default_rng(1)
    table: dict[str, Row] = {}

    def search(name: str, target: float, queries: Array, references: Array, k: int) -> None:
        table[f"{name}, k = {k}"] = (
            target,
            lambda: nearest_neighbors(queries, references, k=k).indices,
            lambda: faiss_search(queries, references, k)[1],
            lambda a, b: f"{(a == b).mean():.5f} of indices equal",
        )

    if folder is not None:
        test, train = load(folder)
        search("CIFAR-10 test, 10k in 50k", 6, test, train, 2)
        search(
            "near-copies (noise of sigma 8), 10k in 50k", 6, near_copies(train, 10_000), train, 2
        )
        search("CIFAR-10 test, 10k in 50k", 3, test, train, 50)
        features = [unit_features(side) for side in (test, train)]
        search("768-d unit features, 10k in 50k", 1.5, features[0], features[1], 2)
    random = rng.integers(0, 256, (20_000, 32, 32, 3), dtype=np.uint8)
    search("random uint8, 4k in 16k", 1 / 1.2, random[:4000], random[4000:], 2)
    return table


def run_row(name: str, row: Row, runs: int) -> None:
    """Measure rote and FAISS in turn and print one line of the table."""
    target, ours, theirs, compare = row
    seconds: list[tuple[float, float]] = []
    for _ in range(runs):
        start = time.perf_counter()
        a = ours()
        middle = time.perf_counter()
        b = theirs()
        seconds.append((middle - start, time.perf_counter() - middle))
    ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in seconds)
    medians = [statistics.median(pair[side] for pair in seconds) for side in (0, 1)]
    print(
        f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.1f} | {target:.2g} "
        f"{'met' if ratio >= target else 'MISSED'} | {compare(a, b)} |",
        flush=True,
    )


def slow_peers(folder: Path) -> None:
    """Run scikit-learn and torch.cdist once on some queries and print seconds for all of them."""
    from sklearn.neighbors import NearestNeighbors

    test, train = (side.reshape(len(side), -1) for side in load(folder))
    few = test[:: len(test) // SLOW_QUERIES]
    start = time.perf_counter()
    references = train.astype(np.float32)
    prepared = time.perf_counter() - start
    start = time.perf_counter()
    NearestNeighbors(n_neighbors=2, algorithm="brute").fit(references).kneighbors(
        few.astype(np.float32)
    )
    sklearn_s = time.perf_counter() - start
    start = time.perf_counter()
    mode = "donot_use_mm_for_euclid_dist"
    left, right = torch.from_numpy(few.astype(np.float32)), torch.from_numpy(references)
    torch.cdist(left, right, compute_mode=mode).topk(2, largest=False)
    cdist_s = time.perf_counter() - start
    for name, seconds in (("scikit-learn brute", sklearn_s), ("torch.cdist, differences", cdist_s)):
        print(
            f"{name}, 10k in 50k, k = 2: {prepared + seconds * len(test) / len(few):.1f} s, scaled "
            f"from {len(few)} queries"
        )


def peak_memory(folder: Path, which: str) -> float:
    """Return the MB that a search adds at its peak, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, str(folder), "--peak", which],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def print_peak(folder: Path, which: str) -> None:
    test, train = load(folder)
    if which == "rote":
        nearest_neighbors(test[:200], train[:40_000])  # imports and compiled code
    else:
        faiss_search(test[:200], train[:2000], 2)
    before = resident_bytes()
    if which == "rote":
        nearest_neighbors(test, train)
    else:
        faiss_search(test, train, 2)
    print((peak_bytes() - before) / 1e6)


def print_faiss_seconds() -> None:
    items = np.random.default_rng(0).integers(0, 256, (10_000, 3072), dtype=np.uint8)
    faiss_search(items[:500], items, 2)
    start = time.perf_counter()
    faiss_search(items[:2000], items, 2)
    print(time.perf_counter() - start)


def with_fastest_blas() -> None:
    """Start again with the OpenBLAS kernel that FAISS is faster with."""
    if "OPENBLAS_CORETYPE" in os.environ:
        return
    seconds: dict[str | None, float] = {}
    for kernel in (None, "Haswell") * 3:  # the best of three: one look may meet another job
        environment = os.environ | ({"OPENBLAS_CORETYPE": kernel} if kernel else {})
        command = [sys.executable, __file__, "--faiss-seconds"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seconds[kernel] = min(float(done.stdout), seconds.get(kernel, float("inf")))
    best = min(seconds, key=lambda kernel: seconds[kernel])
    print(
        f"FAISS's kernels, seconds of a small search: {seconds}; taken: {best or 'its own choice'}\n"
    )
    if best:
        sys.stdout.flush()
        os.execve(
            sys.executable, [sys.executable, *sys.argv], os.environ | {"OPENBLAS_CORETYPE": best}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", nargs="*", help="only rows whose name contains one of these")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--faiss-seconds", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.faiss_seconds:
        print_faiss_seconds()
        return
    if options.peak:
        print_peak(options.folder, options.peak)
        return
    with_fastest_blas()
    table = rows(options.folder)
    chosen = {
        name: row
        for name, row in table.items()
        if not options.rows or any(part in name for part in options.rows)
    }
    small = np.random.default_rng(0).integers(0, 256, (9000, 32, 32, 3), dtype=np.uint8)
    nearest_neighbors(small[:1000], small)
    nearest_neighbors(small[:1000].astype(np.float32), small.astype(np.float32))
    for _, ours, _, _ in chosen.values():
        ours()  # every row's compiled code
    print(
        "| work | rote s | FAISS s | FAISS / rote | target | answers |\n|---|---|---|---|---|---|"
    )
    for name, row in chosen.items():
        run_row(name, row, options.runs)
    if options.folder and not options.rows:
        peaks = {which: peak_memory(options.folder, which) for which in ("rote", "faiss")}
        met = "met" if 2 * peaks["rote"] <= peaks["faiss"] else "MISSED"
        print(
            f"| peak memory above the loaded data, 10k in 50k, MB | {peaks['rote']:.0f} | "
            f"{peaks['faiss']:.0f} | {peaks['faiss'] / peaks['rote']:.1f} | 2 {met} | |\n"
        )
        slow_peers(options.folder)


if __name__ == "__main__":
    main()
