"""The radius of near-duplicates on sets of every contrast, beside the fixed 10 levels that it replaced.

    python benchmarks/duplicate_radius.py [--cifar10 FOLDER] [--pictures FOLDER] ...

For each set: the spacing as measured, the true median distance to the nearest different image, the
radius, the share of the set that grouping merges, the share of JPEG 90 and 75 twins that join their
original, and the share of fresh images that leave a control; by the radius and by 10 levels. FOLDER of
CIFAR-10 holds cifar10_train.npz; any folder of pictures is a set of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.memorization.corruptions.catalog import jpeg
from rote.memorization.duplicate_radius import duplicate_radius, spacing_of
from rote.memorization.duplicates import near_duplicates
from rote.neighbors.search import nearest_neighbors

Pixels = npt.NDArray[np.uint8]
FIXED = 10.0
TWINS = 300
ROWS, COLUMNS = np.mgrid[:32, :32]


def galaxies(count: int, seed: int = 1) -> Pixels:
    """Return small blurred ellipses on black with a little noise."""
    rng = np.random.default_rng(seed)
    made = np.empty((count, 32, 32, 1), np.uint8)
    for image in made:
        size, peak = rng.uniform(1, 2.2), rng.uniform(60, 200)
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        x, y = COLUMNS - rng.uniform(13, 19), ROWS - rng.uniform(13, 19)
        u, v = x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / flat
        light = peak * np.exp(-np.hypot(u, v) / size) + rng.normal(4, 1, (32, 32))
        image[..., 0] = np.clip(light, 0, 255)
    return made


def smooth_fields(count: int, waves: int) -> Pixels:
    """Return sums of a few cosines: images of ``waves``^2 - 1 numbers."""
    rng = np.random.default_rng(2)
    parts = [
        np.cos(np.pi * a * COLUMNS / 32) * np.cos(np.pi * b * ROWS / 32)
        for a in range(waves)
        for b in range(waves)
    ][1:]
    weights = rng.normal(size=(count, len(parts))) * 40
    fields = 128 + np.tensordot(weights, np.stack(parts), 1)
    return np.clip(np.rint(fields), 0, 255).astype(np.uint8)[..., None]


def smaller(images: Pixels, size: int) -> Pixels:
    """Return block means of square images."""
    count, side, _, channels = images.shape
    step = side // size
    blocks = images.reshape(count, size, step, size, step, channels).mean(axis=(2, 4))
    return np.rint(blocks).astype(np.uint8)


def recompressed(images: Pixels, quality: int) -> Pixels:
    """Return the images as JPEG keeps them."""
    return np.stack([jpeg(image, quality, np.random.default_rng(0)) for image in images])


def sets(arguments: argparse.Namespace) -> Iterator[tuple[str, Pixels]]:
    """Yield each set with its name."""
    yield "digits", load_images("digits").items
    yield "faint galaxies", galaxies(1400)
    yield "smooth fields of 8 numbers", smooth_fields(2000, 3)
    yield "smooth fields of 3 numbers", smooth_fields(2000, 2)
    if arguments.cifar10:
        images = np.load(arguments.cifar10 / "cifar10_train.npz")["images"]
        yield "CIFAR-10, 32 px", images
        for size in (16, 8, 4):
            yield f"CIFAR-10, {size} px", smaller(images[:20_000], size)
    for folder in arguments.pictures:
        yield (
            folder.name,
            load_images(folder, resolution=64, channels=3, skip_unreadable=True).items,
        )


def shares(training: Pixels, fresh: Pixels, radius: float) -> list[str]:
    """Return what a radius merges, which twins join, and what it takes out of a control."""
    exact = exact_duplicates(training)
    groups = near_duplicates(training, exact, rms=radius)
    values = [1 - len(groups) / len(exact)]
    few = training[exact.representative[:TWINS]]
    for quality in (90, 75):
        apart = (few.astype(float) - recompressed(few, quality)).reshape(len(few), -1)
        values.append(float((np.sqrt((apart**2).mean(axis=1)) <= radius).mean()))
    nearest = nearest_neighbors(fresh, training, k=1).sq_distances[:, 0]
    size = float(np.prod(training.shape[1:]))
    values.append(float((np.sqrt(nearest / size) <= radius).mean()))
    return [f"{value:.1%}" for value in values]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    print(
        "| set | images | spacing | true | radius | by | merged | JPEG 90 | JPEG 75 | control out |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, images in sets(parser.parse_args()):
        order = np.random.default_rng(0).permutation(len(images))
        kept = min(len(images) // 5, 1000)
        fresh, training = images[order[:kept]], images[order[kept:]]
        positions = exact_duplicates(training).representative
        spacing = spacing_of(training, positions)
        found = nearest_neighbors(training[:500], training[positions], k=2).sq_distances
        other = np.where(found[:, 0] > 0, found[:, 0], found[:, 1])
        true = float(np.median(np.sqrt(other / np.prod(images.shape[1:]))))
        radius = duplicate_radius(spacing)
        for by, used in (("spacing", radius), ("10 levels", FIXED)):
            cells = [name, f"{len(training):,}", f"{spacing:.3g}", f"{true:.3g}", f"{used:g}", by]
            print(f"| {' | '.join([*cells, *shares(training, fresh, used)])} |", flush=True)


if __name__ == "__main__":
    main()
