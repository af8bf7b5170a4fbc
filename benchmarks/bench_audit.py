"""A whole audit of folders of PNG files: wall time and peak memory, with a cold and a warm cache.

    python benchmarks/bench_audit.py FOLDER --work WORK [--runs 3]

FOLDER holds CIFAR-10 as ``cifar10_train.npz`` and ``cifar10_test.npz``. Three folders of PNG files are
written once below WORK:

- ``training``: the 50,000 training images;
- ``holdout``: the 10,000 test images, none of which is a training image;
- ``generated``: 10,000 images that stand in for a model's: 9,000 novel ones (each the mean of two random
  test images, one of them mirrored), 500 copies of training images with noise of sigma 8, 300 of them
  as JPEG of quality 75, 100 exact copies, and 100 noisy copies of one mean (collapse).

Then ``rote audit --timings`` runs as a process of its own, first with an empty cache, then with what that
left. Peak memory is the resident set of `wait4`, which counts mapped pages of files.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from timed_audit import timed_audit

LIMITS = {"cold": 60.0, "warm": 25.0}
MOST_BYTES = 1.5e9
SIDES = ("generated", "training", "holdout")
STAGES = ("decode", "duplicates", "controls", "search", "report")


def write_png(folder: Path, images: npt.NDArray[np.uint8]) -> None:
    """Write images as numbered PNG files, complete or not at all."""
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)

    def write(number: int) -> None:
        Image.fromarray(images[number]).save(part / f"{number:05d}.png", compress_level=3)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(len(images)), chunksize=256))
    part.rename(folder)


def generated_images(train: npt.NDArray[Any], test: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the generated side, as the module says."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, len(test), 9000) for _ in range(2))
    means = (test[first].astype(np.uint16) + test[second, :, ::-1]) // 2
    noisy = train[rng.integers(0, len(train), 500)] + rng.normal(0, 8, (500, 32, 32, 3))
    one = means[:1] + rng.normal(0, 3, (100, 32, 32, 3))
    parts = [means, noisy, one, train[rng.integers(0, len(train), 100)]]
    parts = [np.clip(np.rint(part), 0, 255).astype(np.uint8) for part in parts]
    again = []
    for image in train[rng.integers(0, len(train), 300)]:
        content = io.BytesIO()
        Image.fromarray(image).save(content, "JPEG", quality=75)
        again.append(np.asarray(Image.open(content)))
    return np.concatenate([*parts, np.stack(again)])[rng.permutation(10_000)]


def run(work: Path, cache: Path) -> dict[str, float]:
    """Run one audit; return its wall seconds, its stages, and its peak memory in bytes."""
    measured = timed_audit(work, cache, sides=SIDES)
    text = measured.pop("log")
    found = {name: float(re.search(rf"{name}\W+([\d.]+)", text)[1]) for name in STAGES}  # type: ignore[index]
    return {**found, **measured}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not all((options.work / side).exists() for side in SIDES):
        train, test = (
            np.load(options.folder / f"cifar10_{name}.npz")["images"] for name in ("train", "test")
        )
        write_png(options.work / "training", train)
        write_png(options.work / "holdout", test)
        write_png(options.work / "generated", generated_images(train, test))
    cache = options.work / "cache"
    rows: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(options.runs):
        shutil.rmtree(cache, ignore_errors=True)
        for found in rows.values():
            found.append(run(options.work, cache))
    print(f"| cache | wall s | limit s | CPU s | {' | '.join(STAGES)} | peak GB | limit GB |")
    print("|---" * (6 + len(STAGES)) + "|")
    for name, found in rows.items():
        middle = {key: statistics.median(row[key] for row in found) for key in found[0]}
        stages = " | ".join(f"{middle[stage]:.1f}" for stage in STAGES)
        peak = max(row["peak"] for row in found)
        print(
            f"| {name} | {middle['wall']:.1f} | {LIMITS[name]:.0f} | {middle['cpu']:.1f} | {stages} "
            f"| {peak / 1e9:.2f} | {MOST_BYTES / 1e9:.1f} |"
        )
    rate = json.loads((options.work / "audit" / "audit.json").read_text())["rate"]
    print(f"rate: {rate['count']:,} of {rate['total']:,} memorized")


if __name__ == "__main__":
    main()
