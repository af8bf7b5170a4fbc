"""Large images: peak memory and time of a whole audit, beside decoding the same files and nothing else.

    python benchmarks/bench_large.py FOLDER --work WORK [--size 512] [--generated 250] [--training 2000]

FOLDER holds CIFAR-10 as ``cifar10_train.npz``, or any images (JPEG, PNG), of which photographs are made:
octaves of mosaics, a coarse one of one image over the whole picture, finer ones of 4 x 4 and 16 x 16
images at 0.35 and 0.2 of the contrast, and grain of sigma 2. They are written once below WORK as JPEG of
quality 92. Of the generated ones 5 % are training photographs compressed again at quality 75, and 5 %
training photographs cropped by 6 % and scaled back; the rest are photographs of their own.

``rote audit`` then runs as a process of its own, with an empty cache (cold) and with what that left
(warm). Before each, the files are decoded by Pillow with all cores, and nothing is kept. The peak is
that of `wait4`, which counts mapped pages of files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from timed_audit import timed_audit

OCTAVES = ((1, 1.0), (4, 0.35), (16, 0.2))
GRAIN = 2.0
QUALITY, AGAIN = 92, 75
PLANTED = 0.05
CROPPED = 0.06
SIDES = ("generated", "training")


def pool_of(folder: Path) -> npt.NDArray[np.uint8]:
    """Return small images uint8 (N, 32, 32, 3) that photographs are made of."""
    if (folder / "cifar10_train.npz").exists():
        return np.asarray(np.load(folder / "cifar10_train.npz")["images"])
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    small = [Image.open(path).convert("RGB").resize((32, 32)) for path in paths]
    return np.stack([np.asarray(image) for image in small])


def photograph(pool: npt.NDArray[np.uint8], number: int, size: int) -> Image.Image:
    """Make one photograph; the same number gives the same one."""
    rng = np.random.default_rng(number)
    total = np.full((size, size, 3), 128.0, np.float32)
    for side, share in OCTAVES:
        chosen = pool[rng.integers(0, len(pool), side * side)].reshape(side, side, 32, 32, 3)
        mosaic = chosen.transpose(0, 2, 1, 3, 4).reshape(32 * side, 32 * side, 3)
        picture = Image.fromarray(mosaic).resize((size, size), Image.Resampling.BICUBIC)
        total += share * (np.asarray(picture, np.float32) - 128)
    total += GRAIN * rng.standard_normal(total.shape, np.float32)
    return Image.fromarray(np.clip(np.rint(total), 0, 255).astype(np.uint8))


def write_range(source: Path, folder: Path, size: int, first: int, numbers: range) -> None:
    """Write some photographs as JPEG files, named by their place."""
    pool = pool_of(source)
    for number in numbers:
        photograph(pool, first + number, size).save(folder / f"{number:06d}.jpg", quality=QUALITY)


def write_side(source: Path, folder: Path, size: int, *, first: int, count: int) -> None:
    """Write one side, with all cores."""
    folder.mkdir(parents=True)
    step = 100
    parts = [range(start, min(start + step, count)) for start in range(0, count, step)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_range, source, folder, size, first), parts))


def plant(generated: Path, training: Path, size: int) -> None:
    """Replace the first generated files by copies of training files."""
    files, originals = sorted(generated.iterdir()), sorted(training.iterdir())
    each = round(PLANTED * len(files))
    for number in range(2 * each):
        picture: Image.Image = Image.open(originals[number * len(originals) // (2 * each)])
        if number >= each:
            edge = round(CROPPED / 2 * size)
            box = (edge, edge, size - edge, size - edge)
            picture = picture.crop(box).resize((size, size), Image.Resampling.LANCZOS)
        picture.save(files[number], quality=AGAIN)


def decode_only(folders: list[Path]) -> float:
    """Return the seconds of decoding all files with all cores."""

    def read(path: Path) -> None:
        with Image.open(path) as picture:
            picture.load()

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for folder in folders:
            list(pool.map(read, sorted(folder.iterdir())))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--generated", type=int, default=250)
    parser.add_argument("--training", type=int, default=2000)
    parser.add_argument("--cold-only", action="store_true")
    parser.add_argument("--log", action="store_true", help="print what rote said")
    options, more = parser.parse_known_args()
    work = options.work / f"{options.size}-{options.generated}-{options.training}"
    if not (work / "done").exists():
        shutil.rmtree(work, ignore_errors=True)
        facts = {"source": options.folder, "size": options.size}
        write_side(folder=work / "training", first=0, count=options.training, **facts)
        count = options.generated
        write_side(folder=work / "generated", first=options.training, count=count, **facts)
        plant(work / "generated", work / "training", options.size)
        (work / "done").touch()
    cache = work / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    print(
        "| size | generated | training | cache | decoding s | audit s | ratio | CPU s | peak GB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("cold",) if options.cold_only else ("cold", "warm"):
        alone = decode_only([work / "generated", work / "training"])
        found = timed_audit(work, cache, sides=SIDES, more=more)
        print(
            f"| {options.size} | {options.generated:,} | {options.training:,} | {name} | {alone:.1f} "
            f"| {found['wall']:.1f} | {found['wall'] / alone:.2f} | {found['cpu']:.1f} "
            f"| {found['peak'] / 1e9:.2f} |",
            flush=True,
        )
        if options.log:
            print(found["log"])
    rate = json.loads((work / "audit" / "audit.json").read_text())["rate"]
    print(f"rate: {rate['count']:,} of {rate['total']:,} memorized")


if __name__ == "__main__":
    main()
