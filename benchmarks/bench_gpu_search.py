"""Exact neighbor search on a GPU against torch's own float32 distances, in one process.

    python benchmarks/bench_gpu_search.py [--queries 10000] [--references 200000] [--dimensions 12288]

Random uint8 (the cost does not depend on the values); transfers count. The peer is float32
|q|^2 + |r|^2 - 2 q.r with TF32 off, in blocks, which is not exact. Prints seconds, integer operations a
second and the ratio; says so and stops where torch sees no CUDA device.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from rote.memorization.neighbors import nearest_neighbors

BLOCK = 8192


def float32_peer(queries: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Return the two nearest by float32 distances, references moved block by block."""
    left = queries.cuda().float()
    own = (left * left).sum(1, keepdim=True)
    values, indices = [], []
    for start in range(0, len(references), BLOCK):
        right = references[start : start + BLOCK].cuda().float()
        sq = own + (right * right).sum(1) - 2 * left @ right.T
        found = sq.topk(2, dim=1, largest=False)
        values.append(found.values)
        indices.append(found.indices + start)
    best = torch.cat(values, 1).topk(2, dim=1, largest=False).indices
    return torch.cat(indices, 1).gather(1, best).cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--references", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=12_288)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch sees no CUDA device: nothing to measure")
        return
    rng = np.random.default_rng(0)
    references = rng.integers(0, 256, (options.references, options.dimensions), dtype=np.uint8)
    queries = rng.integers(0, 256, (options.queries, options.dimensions), dtype=np.uint8)
    nearest_neighbors(queries[:64], references[:4096], device="cuda")
    seconds = []
    for _ in range(options.runs):
        start = time.perf_counter()
        ours = nearest_neighbors(queries, references, device="cuda")
        middle = time.perf_counter()
        theirs = float32_peer(torch.from_numpy(queries), torch.from_numpy(references))
        seconds.append((middle - start, time.perf_counter() - middle))
    median = [statistics.median(run[side] for run in seconds) for side in (0, 1)]
    work = 2 * options.queries * options.references * options.dimensions
    same = (torch.from_numpy(ours.indices) == theirs).float().mean()
    print(torch.cuda.get_device_name())
    print(f"rote {median[0]:.2f} s, {work / median[0] / 1e12:.1f} T operations/s, exact")
    print(f"float32 {median[1]:.2f} s; ratio {statistics.median(b / a for a, b in seconds):.2f}")
    print(f"{same:.5f} of its indices equal the exact ones")


if __name__ == "__main__":
    main()
