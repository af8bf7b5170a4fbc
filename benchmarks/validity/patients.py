"""Counting patients: recall among thin slices of a real scan, and how often intervals over patients hold.

    python benchmarks/validity/patients.py --scan matrix.dat --out patients.json
    python benchmarks/validity/patients.py --only reproduced control threshold

    scan        noisy copies of slices: found with and without groups at 0.5 % false positives, and the
                share of slices of further patients that each threshold flags
    reproduced  share of 95 % intervals of "k of n patients reproduced" that hold the share expected
    control     share of 95 % intervals of the rate over slices of held-out patients that hold it
    threshold   the calibrated threshold: false positives among slices of a new patient, and how often its
                intervals hold

The scan is the CT of a head in InVesalius' examples (`Cranium.inv3`, a tar with `matrix.dat`, int16 of
108 x 256 x 256). One head is no set of patients: columns of 10 x 10 or 16 x 16 pixels, 15 mm apart along
the axis, stand for patients, each with 8 to 33 slices 0.75 mm apart, every other one interpolated; beside
them smooth random fields, each of which is a patient of its own. Prints a line a world. One core, some
minutes; `--draws` scales the rest.
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
from rote.stats.clustered import rate_over
from rote.stats.conformal import calibrate
from rote.stats.rates import wilson

Rng = np.random.Generator
Rows = Iterator[dict[str, Any]]
DEPTH, GAP = 27, 5
WINDOW = (-150, 250)
"""Hounsfield units that become black and white: soft tissue."""
SETS = (
    ("scan", 10, 120, 220, 0.005),
    ("scan", 16, 50, 60, 0.05),
    ("fields", 16, 100, 220, 0.005),
)
"""Where patients are from, pixels a side, patients trained on and held out, false positives asked for."""
NOISES = (8, 16, 24, 32, 48)


def patients_of(path: Path, side: int, rng: Rng) -> list[npt.NDArray[np.uint8]]:
    """Return the columns of a scan with something in them, 8 to 33 neighboring slices of each."""
    voxels = np.fromfile(path, np.int16).reshape(108, 256, 256).astype(np.float64)
    low, high = WINDOW
    grey = np.clip((voxels - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    across = 256 // side
    grey = grey[:, : across * side, : across * side]
    columns = grey.reshape(108 // DEPTH, DEPTH, across, side, across, side)
    columns = columns.transpose(0, 2, 4, 1, 3, 5).reshape(-1, DEPTH, side, side, 1)
    # Those above each other share no neighborhood: 15 mm lie between them. Slices are twice as thin as
    # the scan's: between two of them lies their mean.
    columns = columns[:, GAP:-GAP].astype(np.float64)
    thin = np.empty((len(columns), 2 * columns.shape[1] - 1, side, side, 1))
    thin[:, ::2], thin[:, 1::2] = columns, (columns[:, 1:] + columns[:, :-1]) / 2
    # Air is one image, and the rest for the head the same at every height: every slice must hold tissue.
    inside = (thin.std(axis=(2, 3, 4)) > 12) & (thin.mean(axis=(2, 3, 4)) > 40)
    full = thin[inside.all(axis=1)].round().astype(np.uint8)
    found = []
    for column in full[rng.permutation(len(full))]:
        count = int(rng.integers(8, len(column) + 1))
        start = int(rng.integers(0, len(column) - count + 1))
        found.append(column[start : start + count])
    return found


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


def scan(path: Path) -> Rows:
    """Audit noisy copies of slices, and slices of further patients, with and without groups."""
    for kind, side, trained, held_out, asked in SETS:
        rng, last = np.random.default_rng(0), trained + held_out
        patients = patients_of(path, side, rng) if kind == "scan" else fields(last + 100, side, rng)
        training = side_of(patients[:trained], 0)
        holdout = side_of(patients[trained:last], trained)
        fresh = side_of(patients[last:], last)
        chosen = np.sort(rng.permutation(len(training))[:400])
        made = [fresh.items]
        for noise in NOISES:
            copies = training.items[chosen] + rng.normal(0, noise, (len(chosen), side, side, 1))
            made.append(np.clip(copies.round(), 0, 255).astype(np.uint8))
        generated = Dataset(np.concatenate(made))
        for rule, by in (("slices alone", "none"), ("groups", None)):
            found = rote.audit(
                generated,
                training,
                holdout=holdout,
                group_by=by,
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
                    "part": "scan",
                    "world": rule,
                    "patients of": kind,
                    "side": side,
                    "criterion": result.name,
                    "asked": asked,
                    "threshold": result.description["threshold"],
                    "patients": [trained, held_out, len(patients) - last],
                    "slices": [len(training), len(holdout), len(fresh)],
                    "held out": result.control.to_json(),
                    "false": float(flagged[: len(fresh)].mean()),
                    "recall": dict(zip(map(str, NOISES), copied.tolist(), strict=True)),
                }


def sizes_of(rng: Rng, count: int) -> npt.NDArray[np.int64]:
    """Return numbers of slices from 5 to 400, most of them small."""
    return np.asarray(np.exp(rng.uniform(np.log(5), np.log(400), count)), np.int64)


def reproduced(draws: int) -> Rows:
    """Hold shares of patients reproduced against their expectation."""
    rng = np.random.default_rng(1)

    def hits(count: int, world: str, mean: float) -> npt.NDArray[np.bool_]:
        sizes = sizes_of(rng, count)
        if world == "by slices":  # the more slices, the likelier
            chance = 1 - np.exp(-mean * sizes / 100)
            return rng.random(count) < chance
        # 1,000 samples, some of which copy a slice; patients are copied very unequally.
        weight = sizes * rng.lognormal(0, 1.5, count)
        copies = rng.multinomial(rng.binomial(1000, mean / 20), weight / weight.sum())
        return copies > 0

    for world in ("by slices", "one budget of copies"):
        for count in (5, 8, 12, 30, 100):
            for mean in (0.02, 0.1, 0.5):
                truth = float(np.mean([hits(count, world, mean).mean() for _ in range(20 * draws)]))
                held = {"exact": 0, "wilson": 0}
                width = 0.0
                for _ in range(draws):
                    hit = hits(count, world, mean)
                    exact = rate_over(hit, np.arange(count), confidence=0.95)
                    plain = wilson(int(hit.sum()), count)
                    held["exact"] += exact.low <= truth <= exact.high
                    held["wilson"] += plain.low <= truth <= plain.high
                    width += exact.high - exact.low
                yield {
                    "part": "reproduced",
                    "world": world,
                    "patients": count,
                    "truth": truth,
                    **{name: n / draws for name, n in held.items()},
                    "width": width / draws,
                }


def control(draws: int) -> Rows:
    """Hold the rate over slices of held-out patients against its truth."""
    rng = np.random.default_rng(2)
    for count in (3, 5, 8, 12, 30, 100):
        for mean in (0.02, 0.1, 0.5):
            for alike in (0.1, 0.5, 0.9):
                total = 1 / alike - 1
                held = plain = 0
                for _ in range(draws):
                    sizes = sizes_of(rng, count)
                    group = np.repeat(np.arange(count), sizes)
                    chance = rng.beta(mean * total, (1 - mean) * total, count)
                    flagged = rng.random(len(group)) < chance[group]
                    found = rate_over(flagged, group, confidence=0.95)
                    other = wilson(int(flagged.sum()), len(flagged))
                    held += found.low <= mean <= found.high
                    plain += other.low <= mean <= other.high
                yield {
                    "part": "control",
                    "world": f"alike {alike}",
                    "patients": count,
                    "truth": mean,
                    "over patients": held / draws,
                    "over slices": plain / draws,
                }


def threshold(draws: int) -> Rows:
    """Hold the threshold over patients against slices of new patients, by normal scores."""
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(3)
    for asked, counts in ((0.05, (19, 25, 50, 150)), (0.005, (199, 400))):
        for count in counts:
            for alike in (0.0, 0.3, 0.7):
                passed = items = holds = bounds = 0.0
                exact = float(ndtri(asked))
                for _ in range(draws):
                    sizes = sizes_of(rng, count)
                    group = np.repeat(np.arange(count), sizes)
                    level = np.sqrt(alike) * rng.normal(size=count)
                    score = level[group] + np.sqrt(1 - alike) * rng.normal(size=len(group))
                    found = calibrate(score, asked=asked, group=group)
                    other = calibrate(score, asked=asked)
                    assert found.threshold is not None
                    assert found.false_positives is not None
                    assert other.threshold is not None
                    rate = float(ndtr(found.threshold))
                    passed += rate / draws
                    items += float(ndtr(other.threshold)) / draws
                    low, high = found.false_positives
                    holds += (low <= rate <= high) / draws
                    inside = (found.low is None or found.low <= exact) and (
                        found.high is None or exact <= found.high
                    )
                    bounds += inside / draws
                yield {
                    "part": "threshold",
                    "world": f"alike {alike}",
                    "patients": count,
                    "asked": asked,
                    "false": passed,
                    "false, slices alone": items,
                    "interval of the rate": holds,
                    "interval of the threshold": bounds,
                }


def main() -> None:
    """Run the parts asked for, and write what they give."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--only", nargs="+", default=["scan", "reproduced", "control", "threshold"])
    parser.add_argument("--scan", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    parts = {"reproduced": reproduced, "control": control, "threshold": threshold}
    for name in asked.only:
        if name == "scan" and asked.scan is None:
            continue
        for row in scan(asked.scan) if name == "scan" else parts[name](asked.draws):
            rows.append(row)
            print(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
    if asked.out is not None:
        write_json(asked.out, {"draws": asked.draws, "rows": rows})


if __name__ == "__main__":
    main()
