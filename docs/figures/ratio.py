"""The figures of docs/derivations/ratio.md: the ratio in the plane, its floor, and the spacing of points."""

from __future__ import annotations

import numpy as np
from scene import Scene, axis, flower, log_axis, plane
from trained import copied

import rote
from rote.memorization.criteria.tolerance import reach_of

REACH = reach_of(1 / 3)
DIMENSIONS = (1, 2, 3, 4, 6, 9, 13, 18, 26)


def around() -> None:
    """Copies with an error around their sources, among more and more training points."""
    sizes, errors = (6, 12, 25, 50, 100, 200), (0.0, 0.01, 0.02, 0.04, 0.07, 0.11, 0.16)
    every = flower(max(sizes), seed=218)
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 20 * sizes[0])
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    scene = Scene(**plane(1.35), by=[0, 1])
    scene.slider("Training points", [str(size) for size in sizes], start=1)
    scene.slider("Error of the copies", [f"{error:.2f}" for error in errors], start=3)
    discs, novel, copy = [], [], []
    for size in sizes:
        training = every[:size].astype(np.float32)
        near = rote.nearest_neighbors(training, training, k=2)
        tolerance = REACH * np.sqrt(near.sq_distances[:, 1])
        discs.append(np.column_stack([training, tolerance]))
        for error in errors:
            x = np.repeat(every[: sizes[0]], 20, axis=0) + error * direction
            flagged = copied(x, every[:size])
            novel.append(x[~flagged])
            copy.append(x[flagged])
            inside = float((error < tolerance[: sizes[0]]).mean())
            scene.says.append(
                f"{size} training points: six of them have 20 copies each, off by {error:.2f}. The ratio flags "
                f"{flagged.mean():.0%} of these; {inside:.0%} of the six sources have a tolerance above the error."
            )
    scene.moves("discs", "training", discs, "tolerance: 0.354 of the way to the next point", by=[0])
    scene.stays("dots", "training", [[*p, 3] for p in every[: sizes[0]]], "source")
    scene.moves("dots", "training", [[[*p, 2] for p in every[6:size]] for size in sizes], by=[0])
    scene.moves("dots", "sample", [[[*p, 3] for p in x] for x in copy], "copy that is flagged")
    scene.moves("dots", "second", [[[*p, 3] for p in x] for x in novel], "copy that is missed")
    scene.save("ratio")


def _cube(count: int, dimensions: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, dimensions])
    return rng.uniform(size=(count, dimensions)).astype(np.float32)


def floor() -> None:
    """The ratio of fresh points among 5,000: its distribution is r^k."""
    grid = np.linspace(0, 1, 51)
    scene = Scene(
        x=axis(
            0,
            1,
            "ratio: distance to the nearest over that to the second nearest",
            (0, 0.33, 0.5, 1),
        ),
        y=axis(0, 1, "share of fresh points below", (0, 0.25, 0.5, 0.75, 1)),
    )
    scene.slider("Dimensions k", [str(k) for k in DIMENSIONS], start=1)
    measured, promised = [], []
    for k in DIMENSIONS:
        near = rote.nearest_neighbors(_cube(4000, k, 1), _cube(5000, k, 2), k=2)
        ratio = np.sqrt(near.sq_distances[:, 0] / near.sq_distances[:, 1])
        share = (ratio[:, None] < grid).mean(0)
        measured.append([np.column_stack([grid, share])])
        promised.append([np.column_stack([grid, grid**k])])
        scene.says.append(
            f"In {k} dimension{'s' if k > 1 else ''} {np.mean(ratio < 1 / 3):.2%} of 4,000 fresh points have a "
            f"ratio below 1/3. Chance alone promises (1/3)^{k} = {3.0**-k:.2g}."
        )
    scene.stays("segments", "quiet", [[1 / 3, 0, 1 / 3, 1]], "threshold 1/3")
    scene.moves("lines", "training", promised, "r to the power k", dashed=True)
    scene.moves("lines", "sample", measured, "measured")
    scene.save("floor")


def spacing() -> None:
    """How far the nearest other point is, among more and more points."""
    sizes = np.unique(np.geomspace(50, 20_000, 14).round().astype(int))
    scene = Scene(
        x=log_axis(40, 25_000, "training points N", (100, 1000, 10_000)),
        y=log_axis(
            1e-5, 3, "median distance to the nearest other one", (0.0001, 0.001, 0.01, 0.1, 1)
        ),
    )
    scene.slider("Dimensions k", [str(k) for k in DIMENSIONS], start=1)
    measured, promised = [], []
    for k in DIMENSIONS:
        median = []
        for size in sizes:
            points = _cube(int(size), k, 3)
            near = rote.nearest_neighbors(points[:500], points, k=2)
            median.append(float(np.median(np.sqrt(near.sq_distances[:, 1]))))
        line = median[0] * (sizes / sizes[0]) ** (-1 / k)
        measured.append(np.log10(np.column_stack([sizes, median])))
        promised.append([np.log10(np.column_stack([sizes, line]))])
        scene.says.append(
            f"In {k} dimension{'s' if k > 1 else ''}, {sizes[-1] // sizes[0]} times as many points bring the next one "
            f"{median[0] / median[-1]:.3g} times nearer; N^(1/k) would be {(sizes[-1] / sizes[0]) ** (1 / k):.3g}."
        )
    scene.moves("lines", "training", promised, "N to the power -1/k", dashed=True)
    scene.moves("dots", "sample", measured, "measured in a cube")
    scene.save("spacing")


def draw() -> None:
    """Write all three."""
    around()
    floor()
    spacing()
