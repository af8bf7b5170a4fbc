"""Noisy copies of slices of patients: what is found of them with and without groups, and by which ruler.

    python benchmarks/validity/slices.py --scan matrix.dat --out slices.json

    groups  found with and without groups, and the share of slices of further patients that each threshold
            flags
    rulers  the same with groups, by several rulers, over three draws of the patients

The scan is the CT of a head in InVesalius' examples (`Cranium.inv3`, a tar with `matrix.dat`, int16 of
108 x 256 x 256). One head is no set of patients: columns of 10 x 10 or 16 x 16 pixels, 15 mm apart along
the axis, stand for patients, each with some slices 0.75 mm apart, every other one interpolated: of the
whole scan, in which a head holder is the same at every height, or of the head alone. Beside them are
smooth random fields, each of which is a patient of its own. Prints a line a world. One core, minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import rote
from rote.core.atomic_files import write_json
from rote.data.dataset import Dataset
from rote.stats.conformal import calibrate

Rng = np.random.Generator
Rows = Iterator[dict[str, Any]]
GAP = 5
WINDOW = (-150, 250)
"""Hounsfield units that become black and white: soft tissue."""
SETS = (
    ("scan", 10, 120, 220, 0.005),
    ("head", 10, 120, 220, 0.005),
    ("scan", 16, 50, 60, 0.05),
    ("fields", 16, 100, 220, 0.005),
)
"""Where patients are from, pixels a side, patients trained on and held out, false positives asked for."""
NOISES = (8, 16, 24, 32, 48)
DEPTH = {"scan": 27, "head": 18}
"""Slices of the scan from one column to the next."""
RULERS = ("pixel", "pixel, tone", "lowres:4", "lowres:5")


def columns_of(voxels: npt.NDArray[np.float64], side: int, depth: int) -> npt.NDArray[np.float64]:
    """Return a scan (108, 256, 256) as columns (n, depth - 2 GAP, side, side).

    Those above each other share no neighborhood: 15 mm lie between them.
    """
    across = 256 // side
    cut = voxels[:, : across * side, : across * side]
    cut = cut.reshape(108 // depth, depth, across, side, across, side).transpose(0, 2, 4, 1, 3, 5)
    return cut.reshape(-1, depth, side, side)[:, GAP:-GAP]


def patients_of(kind: str, path: Path, side: int, rng: Rng) -> list[npt.NDArray[np.uint8]]:
    """Return the columns of a scan with something in them, 8 and more neighboring slices of each."""
    voxels = np.fromfile(path, np.int16).reshape(108, 256, 256).astype(np.float64)
    low, high = WINDOW
    columns = columns_of(np.clip((voxels - low) / (high - low) * 255, 0, 255), side, DEPTH[kind])
    columns = columns.round()
    # Slices are twice as thin as the scan's: between two of them lies their mean.
    thin = np.empty((len(columns), 2 * columns.shape[1] - 1, side, side))
    thin[:, ::2], thin[:, 1::2] = columns, (columns[:, 1:] + columns[:, :-1]) / 2
    # Air is one image: every slice must hold tissue, or lie in the head with nine tenths of its pixels.
    inside = (thin.std(axis=(2, 3)) > 12).all(axis=1)
    if kind == "head":
        inside &= (columns_of(head_in(voxels), side, DEPTH[kind]).mean(axis=(2, 3)) > 0.9).all(
            axis=1
        )
    else:
        inside &= (thin.mean(axis=(2, 3)) > 40).all(axis=1)
    full = thin[inside].round().astype(np.uint8)[..., None]
    found = []
    for column in full[rng.permutation(len(full))]:
        count = int(rng.integers(8, len(column) + 1))
        start = int(rng.integers(0, len(column) - count + 1))
        found.append(column[start : start + count])
    return found


def head_in(voxels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return 1 within the largest part of a scan that is denser than air, its hollows filled, else 0."""
    from scipy import ndimage

    parts, count = ndimage.label(ndimage.binary_opening(voxels > -300, iterations=2))
    sizes = ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1))
    largest = parts == 1 + int(np.argmax(sizes))
    return np.stack([ndimage.binary_fill_holes(one) for one in largest]).astype(np.float64)


def fields(count: int, side: int, rng: Rng) -> list[npt.NDArray[np.uint8]]:
    """Return smooth random fields, each a patient of its own, with 8 to 33 thin slices."""
    from scipy.ndimage import gaussian_filter

    found = []
    for _ in range(count):
        field = gaussian_filter(rng.normal(size=(int(rng.integers(8, 34)), side, side)), (6, 2, 2))
        low, high = field.min(), field.max()
        found.append(((field - low) / (high - low) * 255).round().astype(np.uint8)[..., None])
    return found


def side_of(patients: list[npt.NDArray[np.uint8]], first: int) -> Dataset:
    """Return the slices of some patients, with the patient as group."""
    groups = [f"p{first + n}" for n, slices in enumerate(patients) for _ in slices]
    return Dataset(np.concatenate(patients), groups=tuple(groups))


def sides_of(
    path: Path, kind: str, side: int, trained: int, held_out: int, seed: int
) -> tuple[Dataset, Dataset, Dataset, Dataset]:
    """Return slices of patients: trained on, held out and never seen, and what is generated.

    Generated are those never seen, and 400 noisy copies at each strength.
    """
    rng, last = np.random.default_rng(seed), trained + held_out
    scan = kind != "fields"
    patients = patients_of(kind, path, side, rng) if scan else fields(last + 100, side, rng)
    training = side_of(patients[:trained], 0)
    holdout = side_of(patients[trained:last], trained)
    fresh = side_of(patients[last:], last)
    chosen = np.sort(rng.permutation(len(training))[:400])
    made = [fresh.items]
    for noise in NOISES:
        copies = training.items[chosen] + rng.normal(0, noise, (len(chosen), side, side, 1))
        made.append(np.clip(copies.round(), 0, 255).astype(np.uint8))
    return training, holdout, fresh, Dataset(np.concatenate(made))


def recalls(
    sides: tuple[Dataset, Dataset, Dataset, Dataset],
    asked: float,
    ruler: str,
    by: str | None = None,
) -> Rows:
    """Audit the generated side by one ruler."""
    training, holdout, fresh, generated = sides
    space, _, invariances = ruler.partition(", ")
    found = rote.audit(
        generated,
        training,
        holdout=holdout,
        group_by=by,
        space=space,
        invariances=invariances,
        false_positive_rate=asked,
        positive_control=0,
        training_sample=0,
        device="cpu",
    )
    for result in found.criteria:
        flagged = result.memorized
        assert flagged is not None
        assert result.control is not None
        copied = flagged[len(fresh) :].reshape(len(NOISES), -1).mean(axis=1)
        yield {
            "ruler": ruler,
            "criterion": result.name,
            "asked": asked,
            "threshold": result.description["threshold"],
            "patients": [len(set(side.groups or ())) for side in (training, holdout, fresh)],
            "slices": [len(training), len(holdout), len(fresh)],
            "held out": result.control.to_json(),
            "false": float(flagged[: len(fresh)].mean()),
            "recall": dict(zip(map(str, NOISES), copied.tolist(), strict=True)),
        }


def with_and_without_groups(path: Path) -> Rows:
    """Audit noisy copies of slices, and slices of further patients, with and without groups."""
    for kind, side, trained, held_out, asked in SETS:
        sides = sides_of(path, kind, side, trained, held_out, 0)
        for rule, by in (("slices alone", "none"), ("groups", None)):
            for row in recalls(sides, asked, "pixel", by):
                yield {"part": "groups", "world": rule, "patients of": kind, "side": side, **row}


def rulers(path: Path) -> Rows:
    """Audit noisy copies of slices of the head by several rulers, over three draws of the patients."""
    for seed in range(3):
        sides = sides_of(path, "head", 10, 120, 220, seed)
        for ruler in RULERS:
            for row in recalls(sides, 0.005, ruler):
                yield {"part": "rulers", "seed": seed, **row}
        yield {"part": "rulers", "seed": seed, **by_similarity(sides)}


def by_similarity(sides: tuple[Dataset, Dataset, Dataset, Dataset]) -> dict[str, Any]:
    """Rank the 10 nearest, and the 10 nearest of further patients, by structural similarity (7 x 7)."""
    training, holdout, fresh, generated = sides
    owner = np.unique(training.groups or (), return_inverse=True)[1]
    references = training.items[..., 0].astype(np.float64)

    def ratio(items: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        queries = items[..., 0].astype(np.float64)
        flat, theirs = queries.reshape(len(items), -1), references.reshape(len(references), -1)
        sq = (
            np.square(flat).sum(axis=1)[:, None]
            + np.square(theirs).sum(axis=1)
            - 2 * flat @ theirs.T
        )
        near = np.argsort(sq, axis=1)[:, :10]
        others = np.where(owner == owner[near[:, :1]], np.inf, sq)
        near = np.concatenate([near, np.argsort(others, axis=1)[:, :10]], axis=1)
        apart = np.stack([1 - similarity(queries, references[one]) for one in near.T], axis=1)
        first = apart.argmin(axis=1)[:, None]
        own = np.take_along_axis(owner[near], first, axis=1)
        second = np.where(owner[near] == own, np.inf, apart).min(axis=1)
        return np.sqrt(np.take_along_axis(apart, first, axis=1)[:, 0] / second)

    group = np.unique(holdout.groups or (), return_inverse=True)[1]
    found = calibrate(ratio(holdout.items), asked=0.005, group=group)
    flagged = found.flags(ratio(generated.items))
    copied = flagged[len(fresh) :].reshape(len(NOISES), -1).mean(axis=1)
    return {
        "ruler": "structural similarity",
        "criterion": "calibrated",
        "threshold": found.threshold,
        "false": float(flagged[: len(fresh)].mean()),
        "recall": dict(zip(map(str, NOISES), copied.tolist(), strict=True)),
    }


def similarity(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the structural similarity (N,) of images (N, H, W), the mean over windows of 7 x 7."""
    from scipy.ndimage import uniform_filter

    def mean(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(uniform_filter(x, (0, 7, 7)))[:, 3:-3, 3:-3]

    a, b, small, unbiased = mean(one), mean(other), (2.55**2, 7.65**2), 49 / 48
    spread = unbiased * (mean(one * one) - a * a + mean(other * other) - b * b)
    common = unbiased * (mean(one * other) - a * b)
    top = (2 * a * b + small[0]) * (2 * common + small[1])
    return (top / ((a * a + b * b + small[0]) * (spread + small[1]))).mean(axis=(1, 2))


def main() -> None:
    """Run the parts asked for, and write what they give."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scan", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=["groups", "rulers"])
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    parts = {"groups": with_and_without_groups, "rulers": rulers}
    rows: list[dict[str, Any]] = []
    for name in asked.only:
        for row in parts[name](asked.scan):
            rows.append(row)
            print(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
    if asked.out is not None:
        write_json(asked.out, {"rows": rows})


if __name__ == "__main__":
    main()
