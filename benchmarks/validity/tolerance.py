"""The tolerance of the ratio in closed form, beside what it flags of copies that are really made.

    python benchmarks/validity/tolerance.py --cifar10 FOLDER --out tolerance.json

FOLDER holds cifar10_train.npz and cifar10_test.npz. A part that stands in the file is not done again.

tolerances   median of 0.354 d over all sources, CIFAR-10 (20,000 images) at four resolutions, and sixty
             digits of ten classes, of two and of one (five draws each)
noise        Gaussian noise added at each resolution, 24 cells: the share of sources with 0.354 d above
             the noise (no image degraded), and the share of noisy copies that the ratio flags
control      every kind of the positive control: predicted from each copy's own error, and flagged
row          noise of 16 levels added at 32 pixels, then scaled down; and added at each resolution
sizes        noise of 16 levels at 500, 5,000 and 50,000 training images: predicted and flagged
null         test images against the training set: flagged, and (1/3)^d, d by maximum likelihood from
             the ratios themselves (Levina and Bickel 2004, two neighbors)
cube         the same of points that fill a cube of 1 to 6 dimensions evenly
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.data.resample import fit_images
from rote.memorization.corruptions import degradations
from rote.memorization.criteria import RatioCriterion, distance_ratio
from rote.memorization.criteria.tolerance import (
    Tolerance,
    reach_of,
    tolerance_of,
    within_tolerance,
)
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher
from rote.spaces.space import PIXEL

Pixels = npt.NDArray[np.uint8]
RATIO = RatioCriterion()
C = float(RATIO.fraction)
SIZE, COPIES = 20_000, 2_000
RESOLUTIONS = (32, 16, 8, 4)
SIGMAS = (4, 8, 12, 16, 20, 24)


def matcher_of(training: Pixels | npt.NDArray[np.float32]) -> Matcher:
    """Return training images prepared as an audit prepares them, exact duplicates once."""
    groups = exact_duplicates(training)
    return Matcher(
        training,
        positions=groups.representative,
        group=groups.group,
        invariances=Invariances(),
        device="cpu",
    )


def noisy(images: Pixels, sigma: float, seed: int) -> Pixels:
    """Add noise, rounded and clipped as generated images are."""
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(images + sigma * rng.standard_normal(images.shape)), 0, 255).astype(
        np.uint8
    )


def squared(a: Pixels, b: Pixels) -> npt.NDArray[np.int64]:
    """Return the squared distance of each pair (N,)."""
    return np.square(a.astype(np.int64) - b).reshape(len(a), -1).sum(axis=1)


def flagged(matcher: Matcher, images: Pixels) -> npt.NDArray[np.bool_]:
    """Return what the ratio says of images."""
    found = matcher.match(images)[0]
    return RATIO.memorized(found.nn1_sq, found.nn2_sq)


def told(other_sq: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Tolerance:
    """Return the tolerance of the ratio over images of a shape."""
    found = tolerance_of(other_sq, PIXEL, Invariances(), shape=shape, ratio_threshold=C)
    assert found is not None
    return found


class Sources:
    """Training images of one resolution, and some sources with their own distance to another one."""

    def __init__(self, images: Pixels, resolution: int, *, size: int = SIZE) -> None:
        self.images = fit_images(images[:size], resolution=resolution, channels=None)
        self.matcher = matcher_of(self.images)
        self.chosen = np.sort(np.random.default_rng(0).permutation(size)[:COPIES])
        self.items = self.images[self.chosen]
        self.other_sq = self.matcher.nearest_other_group(self.items, self.chosen)
        self.values = int(np.prod(self.items.shape[1:]))

    def beyond(self, sigma: float) -> float:
        """Return the share of sources whose tolerance lies above an error per value."""
        rms = reach_of(C) * np.sqrt(self.other_sq / self.values)
        return float((rms > sigma).mean())


def tolerances(images: Pixels) -> list[dict[str, Any]]:
    """Return the median tolerance of the sets of the docstring."""
    rows = []
    for resolution in RESOLUTIONS:
        one = Sources(images, resolution)
        found = told(one.other_sq, one.items.shape[1:])
        rows.append({"set": f"CIFAR-10, {resolution} px", **found.to_json()})
    digits = load_images("digits")
    for classes in (tuple(range(10)), (0, 1), (3, 8), (0,), (1,), (8,)):
        medians = []
        for seed in range(5):
            rng = np.random.default_rng(seed)
            each = 60 // len(classes)
            rows_of = [
                rng.permutation(np.flatnonzero(digits.labels == label))[:each] for label in classes
            ]
            part = digits.items[np.concatenate(rows_of)]
            other = matcher_of(part).nearest_other_group(part, np.arange(len(part)))
            medians.append(told(other, (8, 8, 1)).median)
        name = f"60 digits of {len(classes)}: {' '.join(map(str, classes))}"
        rows.append({"set": name, "median": float(np.mean(medians)), "draws": medians})
    return rows


def noise(images: Pixels) -> list[dict[str, Any]]:
    """Return predicted and flagged for noise added at each resolution."""
    rows = []
    for resolution in RESOLUTIONS:
        one = Sources(images, resolution)
        for sigma in SIGMAS:
            made = noisy(one.items, sigma, sigma)
            error = squared(made, one.items)
            own = within_tolerance(error, one.other_sq, ratio_threshold=C)
            rows.append(
                {
                    "resolution": resolution,
                    "sigma": sigma,
                    "predicted": one.beyond(sigma),
                    "predicted_own": float(own.mean()),
                    "flagged": float(flagged(one.matcher, made).mean()),
                }
            )
    return rows


def control(images: Pixels) -> list[dict[str, Any]]:
    """Return predicted and flagged for every kind of the positive control."""
    rows = []
    for resolution in RESOLUTIONS[:2]:
        one = Sources(images, resolution)
        few = slice(0, 500)
        for number, kind in enumerate(degradations("image"), start=1):
            made = kind(one.items[few], seed=number)
            error = squared(made, one.items[few])
            own = within_tolerance(error, one.other_sq[few], ratio_threshold=C)
            rows.append(
                {
                    "resolution": resolution,
                    "kind": kind.name,
                    "strength": kind.strength,
                    "rms": float(np.sqrt(np.median(error) / one.values)),
                    "predicted_own": float(own.mean()),
                    "flagged": float(flagged(one.matcher, made).mean()),
                }
            )
    return rows


def row(images: Pixels) -> list[dict[str, Any]]:
    """Return what is flagged of noise of 16 levels, added before and after scaling down."""
    rows = []
    whole = Sources(images, 32)
    before = noisy(whole.items, 16, 1)
    for resolution in RESOLUTIONS:
        one = Sources(images, resolution)
        scaled = fit_images(before, resolution=resolution, channels=None)
        error = np.sqrt(squared(scaled, one.items) / one.values)
        rows.append(
            {
                "resolution": resolution,
                "added_at_32": float(flagged(one.matcher, scaled).mean()),
                "rms_left": float(np.median(error)),
                "added_here": float(flagged(one.matcher, noisy(one.items, 16, 2)).mean()),
                "predicted_here": one.beyond(16),
            }
        )
    return rows


def sizes(images: Pixels) -> list[dict[str, Any]]:
    """Return predicted and flagged for noise of 16 levels at growing training sets."""
    rows = []
    for size in (500, 5_000, 50_000):
        one = Sources(images, 32, size=size)
        found = flagged(one.matcher, noisy(one.items, 16, 3))
        rows.append({"size": size, "predicted": one.beyond(16), "flagged": float(found.mean())})
    return rows


def null(images: Pixels, test: Pixels) -> list[dict[str, Any]]:
    """Return what is flagged of test images, and the floor by the intrinsic dimension."""
    rows = []
    for resolution in RESOLUTIONS:
        one = Sources(images, resolution)
        fresh = fit_images(test, resolution=resolution, channels=None)
        found = one.matcher.match(fresh)[0]
        ratio = distance_ratio(found.nn1_sq, found.nn2_sq)
        dimension = 1 / float(-np.log(ratio[ratio > 0]).mean())
        rows.append(
            {
                "resolution": resolution,
                "flagged": int(RATIO.memorized(found.nn1_sq, found.nn2_sq).sum()),
                "of": len(fresh),
                "dimension": dimension,
                "floor": C**dimension,
            }
        )
    return rows


def cube() -> list[dict[str, Any]]:
    """Return what is flagged of fresh points among 20,000 of a cube, and (1/3)^d."""
    rows = []
    for dimension in range(1, 7):
        rng = np.random.default_rng(dimension)
        points, fresh = (rng.random((count, dimension), np.float32) for count in (SIZE, 20_000))
        found = matcher_of(points).match(fresh)[0]
        flags = RATIO.memorized(found.nn1_sq, found.nn2_sq)
        rows.append({"dimension": dimension, "flagged": float(flags.mean()), "floor": C**dimension})
    return rows


def main() -> None:
    """Do the parts that the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    images = np.load(given.cifar10 / "cifar10_train.npz")["images"]
    test = np.load(given.cifar10 / "cifar10_test.npz")["images"]
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "tolerances": lambda: tolerances(images),
        "noise": lambda: noise(images),
        "row": lambda: row(images),
        "sizes": lambda: sizes(images),
        "null": lambda: null(images, test),
        "control": lambda: control(images),
        "cube": cube,
    }
    held = json.loads(given.out.read_text()) if given.out.exists() else {}
    for name, part in parts.items():
        if name not in held:
            held[name] = part()
            given.out.write_text(json.dumps(held, indent=1))
        for entry in held[name]:
            print(name, entry, flush=True)


if __name__ == "__main__":
    main()
