"""The rates that docs/how-to/laion-scale.md rests on: CPU seconds of one thread, by kind of item.

    python benchmarks/laion_rates.py cifar10_train.npz

A search of Q queries in a shard of N references costs about fit + a (N + Q) + b N Q CPU seconds:
directions are fitted, every item is projected once, every pair is screened, and few are measured. A later
chunk is searched with neighbors known and in the directions of the first: a N + c N Q. This prints fit,
a, b and c for CIFAR-10 pixels (half of the queries near-copies, half other images), for 256x256 pixels
(CIFAR-10 scaled up, with noise of 4 levels: smoother than photographs) and for unit vectors of 512 and
768 dimensions: those in 32 random directions plus noise (structured) and those of pure noise (the worst
case), none of them near a reference. c is that of the same references once more, their own nearest known:
among many chunks the known ones are nearer.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rote.neighbors.cpu.index import COARSE, FINE, FLOAT_COARSE, FLOAT_FINE, ProjectionIndex
from rote.neighbors.cpu.projection import fit_projection


def enlarged(images: npt.NDArray[np.uint8], *, seed: int) -> npt.NDArray[np.uint8]:
    """Scale to 256x256 and add noise."""
    generator = np.random.default_rng(seed)
    out = np.empty((len(images), 256, 256, 3), np.uint8)
    for number, image in enumerate(images):
        large = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BICUBIC))
        noise = generator.normal(0, 4, large.shape).astype(np.float32)
        out[number] = np.clip(np.rint(large + noise), 0, 255)
    return out


def vectors(count: int, dimension: int, *, structured: bool) -> npt.NDArray[np.float32]:
    """Return unit vectors, float32 (count, dimension)."""
    generator = np.random.default_rng(dimension)
    made = generator.normal(size=(count, dimension)).astype(np.float32)
    if structured:
        basis = generator.normal(size=(32, dimension)).astype(np.float32)
        made = 0.3 * made + generator.normal(size=(count, 32)).astype(np.float32) @ basis / 32**0.5
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def rates(name: str, references: npt.NDArray[Any], queries: npt.NDArray[Any], few: int) -> None:
    """Print one line: fit in seconds, a in microseconds, b and c in nanoseconds."""
    references = references.reshape(len(references), -1)
    queries = queries.reshape(len(queries), -1)
    start = time.process_time()
    integer = references.dtype == np.uint8
    directions, coarse = (FINE, COARSE) if integer else (FLOAT_FINE, FLOAT_COARSE)
    fit_projection(references, directions=directions, coarse=coarse)
    fit = time.process_time() - start
    index = ProjectionIndex(references, threads=1)
    start = time.process_time()
    with index.pool() as pool:
        index.project(references, pool)
    a = (time.process_time() - start) / len(references)
    known = index.nearest(queries, 2)
    index.nearest(queries[:few], 2)
    found = []
    for start_from in (None, (known[0] - len(references), known[1])):
        times = []
        for count in (few, len(queries)):
            seeds = start_from and (start_from[0][:count], start_from[1][:count])
            start = time.process_time()
            index.nearest(queries[:count], 2, known=seeds)
            times.append(time.process_time() - start)
        found.append(((times[1] - times[0]) / (len(queries) - few) - a) / len(references))
    print(
        f"{name:28} {references.shape[1]:8,} {len(references):8,} {len(queries):6,} {fit:8.2f}"
        f" {1e6 * a:12.1f} {1e9 * found[0]:12.2f} {1e9 * found[1]:14.2f}",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    with np.load(sys.argv[1]) as arrays:
        images = arrays["images"]
    ProjectionIndex(vectors(4000, 512, structured=True), threads=1).nearest(
        vectors(300, 512, structured=True), 2
    )  # compiles
    flat = images[:4000].reshape(4000, -1)
    ProjectionIndex(flat, threads=1).nearest(flat[:300], 2)  # compiles
    print("items                       dimension     N      Q    fit s   a us a ref.", end=" ")
    print(" b ns a pair    c ns a pair")
    noise = np.random.default_rng(1).normal(0, 4, (500, *images.shape[1:]))
    near = np.clip(np.rint(images[:500] + noise), 0, 255).astype(np.uint8)
    both = np.stack([near, images[45_000:45_500]], axis=1).reshape(1000, *images.shape[1:])
    rates("CIFAR-10 pixels", images[:40_000], both, 200)
    large = enlarged(images[:1280], seed=2)
    rates("256x256 pixels", large[:1024], large[1024:], 64)
    for dimension in (512, 768):
        for structured in (True, False):
            made = vectors(41_000, dimension, structured=structured)
            name = "unit vectors, " + ("structured" if structured else "noise")
            rates(name, made[1000:], made[:1000], 200)


if __name__ == "__main__":
    main()
