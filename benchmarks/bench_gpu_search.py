"""The exact search on a GPU against the chip's own rate, torch's float32 and FAISS, in one process.

    python benchmarks/bench_gpu_search.py [--rows NAME ...] [--runs 3] [--device cpu --scale 0.01]

8-bit rows are random: the values do not change what a search without structure costs. Everything is made
on the fly, for a GPU in pinned memory; a row that needs more memory than is free is left out, and named.
For each row are measured, in turn, medians of the runs:

first     preparing and a search with nothing on the device: all transfers count; what fits stays
streamed  the same with no room on the device: what references larger than its memory cost
resident  a search in references that have stayed (not where they do not fit)
transfer  moving the references alone, as the search moves them
peak      the products alone, Q x N x D of one block as often as there are blocks, nothing else: 8-bit
          rows by torch._int_mm, float rows by float32 products without TF32

From these: operations a second (2 Q N D over the time), their share of the peak, and which share of the
shorter of computing and moving was hidden behind the longer: (resident + transfer - streamed) over it.
Peers: torch's float32 |q|^2 + |r|^2 - 2 q.r with topk (not exact for 8-bit rows), the references moved
block by block, and, where faiss is installed with a GPU, its index, made and filled each time. Answers
are compared, and a few queries are checked against differences in int64 or float64.

Results are from the device that is printed; on a CPU this is a test of the script and no measurement.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rote.core.precision import strict_fp32
from rote.neighbors.gpu.index import DeviceIndex
from rote.neighbors.gpu.transfer import stream_blocks

Array = np.ndarray[Any, Any]
K = 2
PEER_ROWS = 8192
CHECKED = 3
MOST_SPARE = 4 * 2**30
LEAST_SPARE = 2**29


@dataclass(frozen=True)
class Row:
    """What is searched: Q queries among N references of D numbers."""

    queries: int
    references: int
    dimension: int
    dtype: str

    def scaled(self, scale: float) -> Row:
        """Return fewer queries and references."""
        queries, references = (max(40, int(n * scale)) for n in (self.queries, self.references))
        return replace(self, queries=queries, references=references)

    @property
    def work(self) -> float:
        """Multiplications and additions of all products."""
        return 2.0 * self.queries * self.references * self.dimension

    @property
    def nbytes(self) -> int:
        """Bytes of both sides."""
        return (self.queries + self.references) * self.dimension * np.dtype(self.dtype).itemsize

    @property
    def needed(self) -> int:
        """Bytes that a run takes: both sides, and parts of them as peers and checks hold them."""
        return self.nbytes + min(MOST_SPARE, LEAST_SPARE + 16 * self.nbytes)


ROWS = {
    "CIFAR-10": Row(10_000, 50_000, 3072, "uint8"),
    "64x64 small": Row(10_000, 100_000, 12_288, "uint8"),
    "64x64 ImageNet": Row(10_000, 1_280_000, 12_288, "uint8"),
    "features 768-d": Row(10_000, 50_000, 768, "float32"),
    "features 768-d ImageNet": Row(10_000, 1_280_000, 768, "float32"),
}


def made(count: int, row: Row, device: torch.device, *, seed: int) -> Array:
    """Return random items, made block by block, in pinned memory for a GPU."""
    kind = torch.uint8 if row.dtype == "uint8" else torch.float32
    out = torch.empty(count, row.dimension, dtype=kind, pin_memory=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(seed)
    for start in range(0, count, PEER_ROWS):
        size = (min(PEER_ROWS, count - start), row.dimension)
        if kind == torch.uint8:
            part = torch.randint(0, 256, size, dtype=kind, device=device, generator=generator)
        else:
            part = torch.randn(size, device=device, generator=generator)
            part /= part.norm(dim=1, keepdim=True)
        out[start : start + PEER_ROWS] = part.cpu()
    return out.numpy()


def seconds_of(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Return how long some work takes until the device has finished, and its result."""
    wait(device)
    start = time.perf_counter()
    found = work()
    wait(device)
    return time.perf_counter() - start, found


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def move_all(search: DeviceIndex, references: Array, device: torch.device) -> None:
    """Move all references, as a search does, and do nothing with them."""
    for _ in stream_blocks(references, search.parts, device):
        pass


def peak_products(search: DeviceIndex, row: Row, device: torch.device) -> None:
    """Run the products of every block of a search with all queries, and nothing else."""
    whole = row.dtype == "uint8"
    width = -(-row.dimension // 16) * 16
    kind = torch.int8 if whole else torch.float32
    queries = -(-row.queries // 32) * 32
    left = torch.ones(queries, width, dtype=kind, device=device)
    most = max(part.stop - part.start for part in search.parts)
    right = torch.ones(-(-most // 32) * 32, width, dtype=kind, device=device)
    with strict_fp32():
        for part in search.parts:
            own = right[: -(-(part.stop - part.start) // 32) * 32]
            for tile in torch.split(left, search.tile_rows(queries, len(own))):
                if whole:
                    torch._int_mm(tile, own.T)
                else:
                    torch.mm(tile, own.T)


def float32_peer(queries: Array, references: Array, device: torch.device) -> Array:
    """Return the nearest by float32 distances, references moved block by block."""
    with strict_fp32():
        left = torch.from_numpy(queries).to(device).float()
        own = (left * left).sum(1, keepdim=True)
        best = torch.full((len(left), K), torch.inf, device=device)
        index = torch.zeros((len(left), K), dtype=torch.int64, device=device)
        for start in range(0, len(references), PEER_ROWS):
            block = torch.from_numpy(references[start : start + PEER_ROWS])
            right = block.to(device, non_blocking=True).float()
            sq = own + (right * right).sum(1) - 2 * left @ right.T
            found = sq.topk(min(K, sq.shape[1]), dim=1, largest=False)
            values = torch.cat([best, found.values], 1)
            places = torch.cat([index, found.indices + start], 1)
            best, chosen = values.topk(K, dim=1, largest=False)
            index = places.gather(1, chosen)
    return index.cpu().numpy()


def faiss_peer(device: torch.device) -> Callable[[Array, Array], Array] | None:
    """Return a search by FAISS on the GPU, or None where there is none."""
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return None
    if device.type != "cuda" or not getattr(faiss, "get_num_gpus", lambda: 0)():
        return None

    def search(queries: Array, references: Array) -> Array:
        index = faiss.GpuIndexFlatL2(faiss.StandardGpuResources(), references.shape[1])
        for start in range(0, len(references), PEER_ROWS):
            index.add(references[start : start + PEER_ROWS].astype(np.float32))
        found: Array = index.search(queries.astype(np.float32), K)[1]
        return found

    return search


def check(
    found: tuple[Array, Array], queries: Array, references: Array, device: torch.device
) -> None:
    """Compare a few queries with differences, block by block: int64 on the device, or numpy's float64."""
    for number in np.linspace(0, len(queries) - 1, CHECKED).astype(int):
        query, parts = queries[number], []
        for start in range(0, len(references), PEER_ROWS):
            block = references[start : start + PEER_ROWS]
            if queries.dtype == np.uint8:
                # Differences and sums of integers: exact in any order, and no product of the search.
                left, right = (torch.from_numpy(a).to(device).long() for a in (query, block))
                parts.append((right - left).square().sum(dim=1).cpu().numpy())
            else:
                parts.append(np.square(block.astype(np.float64) - query).sum(axis=1))
        sq = np.concatenate(parts)
        order = np.argsort(sq, kind="stable")[:K]
        assert (found[0][number] == order).all(), "the indices are not exact"
        assert (found[1][number] == sq[order]).all(), "the distances are not exact"


def run(name: str, row: Row, runs: int, device: torch.device) -> None:
    """Measure one row and print it."""
    references = made(row.references, row, device, seed=0)
    queries = made(row.queries, row, device, seed=1)
    faiss = faiss_peer(device)
    times: dict[str, list[float]] = {}
    answers: dict[str, Any] = {}

    def measure(what: str, work: Callable[[], Any]) -> None:
        seconds, answers[what] = seconds_of(work, device)
        times.setdefault(what, []).append(seconds)

    def measure_all() -> None:
        kept: list[DeviceIndex] = []

        def first() -> tuple[Array, Array]:
            kept.append(DeviceIndex(references, device=str(device)))
            return kept[0].nearest(queries, K)

        measure("first", first)
        if len(kept[0].kept) == len(kept[0].parts):
            measure("resident", lambda: kept[0].nearest(queries, K))
        kept.clear()
        search = DeviceIndex(references, device=str(device), room=0)
        measure("streamed", lambda: search.nearest(queries, K))
        measure("transfer", lambda: move_all(search, references, device))
        measure("peak", lambda: peak_products(search, row, device))
        measure("float32", lambda: float32_peer(queries, references, device))
        if faiss is not None:
            measure("faiss", lambda: faiss(queries, references))

    for _ in range(runs):
        measure_all()
    check(answers["first"], queries, references, device)
    for what in ("streamed", "resident"):
        same = what not in answers or np.array_equal(answers["first"][0], answers[what][0])
        assert same, f"the answers of first and {what} differ"
    seconds = {what: statistics.median(own) for what, own in times.items()}
    show(name, row, seconds, answers, overlap=device.type == "cuda")


def show(
    name: str, row: Row, seconds: dict[str, float], answers: dict[str, Any], *, overlap: bool
) -> None:
    """Print the lines of one row."""
    print(
        f"\n{name}: {row.queries:,} in {row.references:,}, {row.dimension:,} {row.dtype}, k = {K}"
    )
    for what in ("first", "streamed", "resident"):
        if what in seconds:
            rate = row.work / seconds[what] / 1e12
            share = seconds["peak"] / seconds[what]
            print(
                f"  {what:9} {seconds[what]:9.3f} s  {rate:9.2f} T operations/s  "
                f"{share:6.1%} of the rate of the products alone"
            )
    moved = row.nbytes * row.references / (row.queries + row.references)
    print(
        f"  peak      {seconds['peak']:9.3f} s  {row.work / seconds['peak'] / 1e12:9.2f} T operations/s\n"
        f"  transfer  {seconds['transfer']:9.3f} s  {moved / seconds['transfer'] / 1e9:9.2f} GB/s"
    )
    if overlap and "resident" in seconds:
        computing, moving = seconds["resident"], seconds["transfer"]
        hidden = (computing + moving - seconds["streamed"]) / min(computing, moving)
        print(f"  of the shorter of computing and moving, {hidden:.0%} hidden behind the longer")
    for peer in ("float32", "faiss"):
        if peer in seconds:
            equal = (answers[peer] == answers["first"][0]).mean()
            print(
                f"  {peer:9} {seconds[peer]:9.3f} s  {seconds[peer] / seconds['first']:9.2f} times "
                f"'first'; {equal:.5f} of its indices are the exact ones"
            )
    if "faiss" not in seconds:
        print("  faiss     not measured: it is not installed with a GPU here")


def free_memory() -> int:
    """Return the bytes of memory that can be had here, those of the system's file cache among them."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return (
            next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
        )
    except (OSError, StopIteration):  # not a Linux of this decade
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", nargs="*", help="only rows whose name contains one of these")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to try the script")
    parser.add_argument("--scale", type=float, default=1.0, help="of queries and references")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("torch sees no CUDA device: nothing to measure (--device cpu tries the script)")
        return
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU: no measurement"
    print(f"{where}; torch {torch.__version__}; medians of {options.runs} runs")
    warm = Row(64, 8192, 256, "uint8")
    items = made(warm.references, warm, device, seed=0)
    for side in (items, items.astype(np.float32)):
        DeviceIndex(side, device=str(device)).nearest(side[: warm.queries], K)
    for name, row in ROWS.items():
        if options.rows and not any(part in name for part in options.rows):
            continue
        scaled = row.scaled(options.scale)
        if scaled.needed > free_memory():
            print(
                f"\n{name}: left out, it needs {scaled.needed / 1e9:.1f} GB of memory "
                f"and {free_memory() / 1e9:.1f} GB are free"
            )
            continue
        run(name, scaled, options.runs, device)


if __name__ == "__main__":
    main()
