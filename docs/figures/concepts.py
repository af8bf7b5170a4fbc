"""The figures of two pages of docs/concepts: where each criterion flags, and how a search rules references out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scene import Scene, as_dataset, axis, flower, plane

import rote
from rote.neighbors.cpu.projection import fit_projection

CRITERIA = ("ratio", "calibrated", "carlini", "authenticity")
DIRECTIONS = (1, 2, 4, 8, 16, 24, 32, 48)


def definitions() -> None:
    """A grid of images over the plane, and which of them each rule calls a copy."""
    crowd = np.array([0.95, 0.1]) + 0.04 * np.random.default_rng(0).standard_normal((20, 2))
    training = np.vstack([flower(40, seed=218), crowd])
    across, up = np.meshgrid(np.linspace(-1.3, 1.3, 79), np.linspace(-0.98, 0.98, 60))
    grid = np.stack([across, up], axis=-1).reshape(-1, 2)
    held = flower(1200, seed=9)
    found = rote.audit(
        as_dataset(grid),
        as_dataset(training),
        holdout=as_dataset(held),
        criterion=list(CRITERIA),
        positive_control=0,
        false_positive_rate=0.05,
    )
    scene = Scene(**plane(1.3))
    scene.slider("Criterion", CRITERIA)
    frames = []
    for name in CRITERIA:
        one = next(result for result in found.criteria if result.name == name)
        assert one.memorized is not None and one.control is not None
        frames.append([[*p, 1.6] for p in grid[one.memorized]])
        scene.says.append(
            f"{name}: flags {one.memorized.mean():.1%} of this grid, and {one.control.value:.1%} of 1,200 held-out points, "
            "which are no copies."
        )
    scene.moves("dots", "sample", frames, "would be called a copy")
    scene.stays("dots", "training", [[*p, 3] for p in training], "training point")
    scene.save("definitions")


def search() -> None:
    """Bounds from a few numbers against true distances: one digit among the others."""
    items = rote.load_images("digits").items.reshape(-1, 64)
    query, references = items[:1], items[1:]
    true = np.sqrt(((references.astype(float) - query) ** 2).sum(1))
    second = np.sort(true)[1]
    scene = Scene(
        x=axis(0, 1200, "true distance to the image", (0, 250, 500, 750, 1000)),
        y=axis(0, 1200, "bound from below", (0, 250, 500, 750, 1000)),
    )
    scene.slider("Directions m", [str(m) for m in DIRECTIONS], start=3)
    left, out = [], []
    with ThreadPoolExecutor(1) as pool:
        for m in DIRECTIONS:
            projection = fit_projection(references, directions=m, coarse=m)
            values = projection.features(references, pool, scale=1.0).values
            own = projection.features(query, pool, scale=1.0).values
            bound = np.sqrt(((values - own) ** 2).sum(1))
            kept = bound <= second
            left.append(np.column_stack([true, bound, np.full(len(true), 3)])[kept])
            out.append(np.column_stack([true, bound, np.full(len(true), 1.3)])[~kept][::3])
            scene.says.append(
                f"{m} of 64 directions, {m + 1} numbers an image: {kept.sum()} of {len(true):,} digits may be among the two "
                "nearest and are measured; the others are out with certainty."
            )
    scene.stays("segments", "quiet", [[0, 0, 1200, 1200]], "bound = distance")
    scene.stays(
        "segments",
        "accent",
        [[0, second, 1200, second]],
        "distance of the second nearest",
        dashed=True,
    )
    scene.moves("dots", "quiet", out, "ruled out (every third is drawn)")
    scene.moves("dots", "sample", left, "to be measured")
    scene.save("search")


def draw() -> None:
    """Write both."""
    definitions()
    search()
