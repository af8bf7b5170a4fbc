"""Which silent differences are named: twelve of them on four kinds of pictures, by three rulers.

    python benchmarks/silent_differences.py [--cifar10 FOLDER]

For each kind and difference, by the audit, the metric and the monitor: copies that the ratio sees as they
are and under the change named, of at most 128, and the name; or the rate, where nothing is named. Then
how many of 40 honest pairs are named, and the CPU seconds of the look at 10,000 against 50,000 images
(with --cifar10, a folder with cifar10_train.npz and cifar10_test.npz), beside those of the whole audit.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from duplicate_radius import COLUMNS, ROWS, Pixels, galaxies
from PIL import Image

from rote import Dataset, MemorizationMonitor, MemorizationRate, Rate, RoteWarning, audit
from rote.data.load import load_images
from rote.memorization.differences.silent_differences import find_silent_differences
from rote.memorization.monitor.options import OnsetTest
from rote.memorization.notice import Notice


def textures(count: int, seed: int) -> Pixels:
    """Return smooth pictures in color."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    bicubic = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(x).resize((32, 32), bicubic)) for x in small])


def icons(count: int, seed: int) -> Pixels:
    """Return three flat shapes on a flat ground."""
    rng = np.random.default_rng(seed)
    made = np.empty((count, 32, 32, 3), np.uint8)
    for image in made:
        image[:] = rng.integers(0, 256, 3)
        for _ in range(3):
            color, corner = rng.integers(0, 256, 3), rng.integers(0, 24, 2)
            width, height = rng.integers(4, 16, 2)
            if rng.random() < 0.5:
                inside = (abs(COLUMNS - corner[0]) < width) & (abs(ROWS - corner[1]) < height)
            else:
                inside = np.hypot(COLUMNS - corner[0], ROWS - corner[1]) < width
            image[inside] = color
    return made


def digits(count: int, seed: int) -> Pixels:
    """Return handwritten digits in a random order."""
    items = load_images("digits").items
    return items[np.random.default_rng(seed).permutation(len(items))[:count]]


KINDS: dict[str, Callable[[int, int], Pixels]] = {
    "textures": textures,
    "digits": digits,
    "faint objects": galaxies,
    "icons": icons,
}


def differences(images: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yield what silent differences make of images."""
    share = images / 255
    if images.shape[3] == 3:
        yield "channels B, G, R", images[..., ::-1]
    yield "negatives", 255 - images
    yield "rows and columns exchanged", images.transpose(0, 2, 1, 3)
    yield "turned by 90 degrees", np.rot90(images, 1, (1, 2))
    yield "turned by 180 degrees", images[:, ::-1, ::-1]
    yield "mirrored", images[:, :, ::-1]
    yield "upside down", images[:, ::-1]
    yield "gamma 2.2", np.rint(255 * share**2.2).astype(np.uint8)
    yield "half of the range", images // 2
    yield "upper half of the range", (images // 2 + 128).astype(np.uint8)
    yield "video range", np.rint(16 + 219 * share).astype(np.uint8)
    moved = sum(np.roll(share, by, (1, 2)) for by in ((0, 0), (1, 0), (0, 1), (1, 1)))
    yield "half a pixel", np.rint(255 * moved / 4).astype(np.uint8)


def honest_pairs() -> Iterator[tuple[Pixels, Pixels]]:
    """Yield 40 pairs of sets of one kind that share nothing and differ in nothing."""
    for seed in range(10):
        for name, make in KINDS.items():
            both = make(1200 if name == "digits" else 800, seed)
            yield both[:200], both[200:]


def by_audit(images: Pixels, training: Pixels) -> tuple[Rate, Sequence[Notice]]:
    """Audit arrays."""
    found = audit(Dataset(images), Dataset(training), positive_control=0, training_sample=0)
    return found.rate, [notice for notice in found.notices if notice.topic == "difference"]


def by_metric(images: Pixels, training: Pixels) -> tuple[Rate, Sequence[Notice]]:
    """Feed the metric with batches of 8."""
    metric = MemorizationRate(training)
    for start in range(0, len(images), 8):
        metric.update(images[start : start + 8])
    return metric.compute(), metric.notices


def by_monitor(images: Pixels, training: Pixels) -> tuple[Rate, Sequence[Notice]]:
    """Let the monitor look once, at batches of 8."""
    monitor = MemorizationMonitor(
        training, test=OnsetTest(null_rate=0.001), every_images=1, samples=len(images), batch=8
    )
    batches = iter(np.split(images, range(8, len(images), 8)))
    (check,) = monitor(1, lambda num, seed: next(batches))
    return check.memorized, monitor.notices


def cell(rate: Rate, notices: Sequence[Notice]) -> str:
    """Return what a ruler said."""
    if notices:
        numbers = notices[0].numbers
        return f"{numbers['copies']} → {numbers['copies_changed']}, {numbers['name']}"
    return f"{'right' if rate.value > 0.9 else 'WRONG'}: {rate.value:.0%}"


def print_cost(folder: Path) -> None:
    """Print the CPU seconds of the look and of the audit, by turns."""
    train = np.load(folder / "cifar10_train.npz")["images"]
    test = np.load(folder / "cifar10_test.npz")["images"]
    measured = []
    for _ in range(4):  # the first compiles
        start = time.process_time()
        find_silent_differences(test, train)
        middle = time.process_time()
        rate = audit(Dataset(test), Dataset(train)).rate
        look, whole = middle - start, time.process_time() - middle
        measured.append((look, whole, look / whole))
    look, whole, share = np.median(measured[1:], axis=0)
    print(f"CPU seconds, 10,000 against 50,000: look {look:.2f}, audit {whole:.2f}: {share:.1%}")
    print(f"null of CIFAR-10: {rate.count} of {rate.total}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path)
    folder = parser.parse_args().cifar10
    warnings.simplefilter("ignore", RoteWarning)
    rulers = (by_audit, by_metric, by_monitor)
    print("| pictures | difference | audit | metric | monitor |\n|---|---|---|---|---|")
    for kind, make in KINDS.items():
        training = make(600, 0)
        for name, changed in differences(training[:200]):
            images = np.ascontiguousarray(changed)
            cells = [cell(*ruler(images, training)) for ruler in rulers]
            print(f"| {kind} | {name} | {' | '.join(cells)} |", flush=True)
    alarms = sum(bool(find_silent_differences(*pair)) for pair in honest_pairs())
    print(f"\nhonest pairs named: {alarms} of 40", flush=True)
    if folder:
        print_cost(folder)


if __name__ == "__main__":
    main()
