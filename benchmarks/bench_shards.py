"""Search past memory: is the cost linear in the references, and does the budget hold?

    python benchmarks/bench_shards.py cifar10_train.npz [--full] [--queries 1000] [--memory 2GB]

The npz holds CIFAR-10's 50,000 training images as `images`. Larger sets are made of them: every further
50,000 are the same images cropped, shifted and noised, by a seed of their own. They stand in for more
data of the same kind; they are not as varied as that many photographs. Queries are near-copies (one half)
and fresh crops (the other half). Every count is searched by `rote neighbors` in a process of its own, so
that its peak memory is its own; seconds are those of the search, without starting Python, read from its
manifest. CPU seconds are those of the whole process, all threads: on a shared machine, look at these. A
small search, not listed, compiles what has to be compiled first.

Then, in this process and in turns: 100,000 references in chunks of 10,000 and of 25,000, each searched
anew and merged, against each starting from what the ones before have left (`--only-chunks`: this alone).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.data.shards.stream import Batch, Stream
from rote.data.shards.write import write_shards
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.search import Neighbors, merge

COUNTS = [50_000, 200_000]
FULL = [50_000, 200_000, 1_000_000]
TURNS = 3


def varied(images: npt.NDArray[np.uint8], *, seed: int) -> npt.NDArray[np.uint8]:
    """Crop 28 of 32 pixels at random, scale back, shift by up to 4 pixels, add noise of 4 levels."""
    if seed == 0:
        return images
    generator = np.random.default_rng(seed)
    grid = np.rint(np.linspace(0, 27, 32)).astype(np.int64)
    out = np.empty_like(images)
    for start in range(0, len(images), 1000):
        part = images[start : start + 1000]
        top, left = generator.integers(0, 5, (2, len(part), 1))
        shift = generator.integers(-4, 5, (2, len(part), 1))
        rows = np.arange(32)[None] + shift[0]
        columns = np.arange(32)[None] + shift[1]
        rows, columns = np.clip(rows, 0, 31), np.clip(columns, 0, 31)
        y = (top + grid[None])[np.arange(len(part))[:, None], rows]
        x = (left + grid[None])[np.arange(len(part))[:, None], columns]
        moved = part[np.arange(len(part))[:, None, None], y[:, :, None], x[:, None, :]]
        noise = generator.normal(0, 4, moved.shape)
        out[start : start + 1000] = np.clip(np.rint(moved + noise), 0, 255)
    return out


def references(images: npt.NDArray[np.uint8], count: int) -> Stream:
    """Return ``count`` items made of the images, as a source of shards."""

    def batches(start: int) -> Any:
        for first in range(start, count, len(images)):
            made = varied(images, seed=first // len(images))[: count - first]
            yield Batch(made, np.arange(first, first + len(made)), ())

    return Stream(f"varied CIFAR-10, {count}", count, "1", batches, account=lambda: None)


def chunk_by_chunk(
    queries: npt.NDArray[np.uint8], items: npt.NDArray[np.uint8], rows: int, *, anew: bool
) -> tuple[float, Neighbors]:
    """Search items in chunks; return CPU seconds and what was found."""
    begun = time.process_time()
    chunks = ChunkedSearch(queries, k=2)
    for first in range(0, len(items), rows):
        if anew:
            own = ChunkedSearch(queries, k=2)
            own.search(items[first : first + rows], first=first)
            assert own.best is not None
            chunks.best = own.best if chunks.best is None else merge(chunks.best, own.best, k=2)
        else:
            chunks.search(items[first : first + rows], first=first)
    assert chunks.best is not None
    return time.process_time() - begun, chunks.best


def compare_chunks(images: npt.NDArray[np.uint8], queries: npt.NDArray[np.uint8]) -> None:
    """Print CPU seconds of chunks searched anew and of chunks that know the others' neighbors."""
    torch.set_num_threads(1)
    items = np.concatenate([images, varied(images, seed=1)])
    chunk_by_chunk(queries, items[:20_000], 10_000, anew=False)  # compiles
    print(f"\n{len(queries):,} queries, {len(items):,} references, one thread, medians of {TURNS}")
    print("chunk    anew, CPU s   knowing, CPU s   ratio (lowest to highest)")
    for rows in (10_000, 25_000):
        pairs = []
        for _ in range(TURNS):
            slow, one = chunk_by_chunk(queries, items, rows, anew=True)
            fast, two = chunk_by_chunk(queries, items, rows, anew=False)
            assert np.array_equal(one.indices, two.indices), "the answers differ"
            pairs.append((slow, fast))
        ratios = sorted(slow / fast for slow, fast in pairs)
        slow, fast = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        print(
            f"{rows:6,} {slow:12.2f} {fast:16.2f} {statistics.median(ratios):11.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("npz", type=Path)
    parser.add_argument("--full", action="store_true", help="also 1,000,000 references")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--shard-images", type=int, default=50_000, help="images of a shard")
    parser.add_argument("--only-chunks", action="store_true", help="the comparison of chunks alone")
    chosen = parser.parse_args()
    with np.load(chosen.npz) as arrays:
        images = arrays["images"]
    half = chosen.queries // 2
    near = images[np.linspace(0, len(images) - 1, half).astype(np.int64)]
    noise = np.random.default_rng(10**6).normal(0, 4, near.shape)
    near = np.clip(np.rint(near + noise), 0, 255).astype(np.uint8)
    fresh = varied(images[: chosen.queries - half], seed=10**6)
    queries = np.concatenate([near, fresh])
    if not chosen.only_chunks:
        search_shards(images, queries, chosen)
    compare_chunks(images, queries)


def search_shards(
    images: npt.NDArray[np.uint8], queries: npt.NDArray[np.uint8], chosen: argparse.Namespace
) -> None:
    """Search shards of every count by the command and print what it took."""
    with tempfile.TemporaryDirectory(prefix="rote-bench-") as name:
        folder = Path(name)
        np.save(folder / "queries.npy", queries)
        print(f"{chosen.queries:,} queries, k = 2, --memory {chosen.memory}, {os.cpu_count()} CPUs")
        print("references     seconds   references/s   CPU seconds   CPU us a reference   peak MB")
        costs = []
        for count in [10_000, *(FULL if chosen.full else COUNTS)]:
            out = folder / f"{count}"
            size = chosen.shard_images * images[0].nbytes
            write_shards([references(images, count)], out / "shards", shard_bytes=size, options={})
            seconds, cpu, peak = search(folder / "queries.npy", out, memory=chosen.memory)
            if count < COUNTS[0]:
                continue
            costs.append(cpu / count)
            print(
                f"{count:10,} {seconds:11.2f} {count / seconds:14,.0f} {cpu:13.2f}"
                f" {1e6 * cpu / count:20.1f} {peak / 1e6:9,.0f}",
                flush=True,
            )
        print(f"CPU cost of a reference, largest set over smallest: {costs[-1] / costs[0]:.2f}")


def search(queries: Path, folder: Path, *, memory: str) -> tuple[float, float, int]:
    """Return seconds, CPU seconds and peak bytes of one search."""
    command = [sys.executable, "-m", "rote", "neighbors", "--generated", str(queries), "--json"]
    command += ["--training", str(folder / "shards"), "--out", str(folder / "found")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--memory", memory], check=True, stdout=subprocess.PIPE, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    manifest = json.loads((folder / "found" / "manifest.json").read_text())
    return manifest["seconds"]["search"], cpu, json.loads(done.stdout)["peak_memory"]


if __name__ == "__main__":
    main()
