"""The figures of docs/derivations/curve.md: the EMM's curve run by run, and runs that lie on no curve.

The runs of the first are real: trainings on digits, from docs/results/gap/banks.csv.
"""

from __future__ import annotations

import csv

import numpy as np
from scene import FOLDER, Scene, axis, log_axis
from scipy.special import expit, logit

import rote
from rote.emm.curve import Observation
from rote.emm.fit_check import CheckedCurve, checked_curve

# As a search would take them: two far apart first, then near the crossing, each size anew where it tells most.
ORDER = (
    (32, 0),
    (64, 0),
    (45, 0),
    (38, 0),
    (54, 0),
    (45, 1),
    (38, 1),
    (54, 1),
    (45, 2),
    (32, 1),
    (64, 1),
    (90, 0),
)
SIZES = np.geomspace(12, 160, 61)


def bank() -> dict[tuple[int, int], Observation]:
    """Return the last snapshot of each run on digits, by size and replicate."""
    path = FOLDER.parent / "results" / "gap" / "banks.csv"
    with path.open(encoding="utf-8") as file:
        rows = [
            r for r in csv.DictReader(file) if r["bank"] == "digits" and r["images_seen"] == "76800"
        ]
    return {
        (int(r["size"]), int(r["replicate"])): Observation(
            int(r["size"]), int(r["fresh"]), int(r["of"])
        )
        for r in rows
    }


def _frame() -> Scene:
    return Scene(
        x=log_axis(12, 160, "training-set size N", (16, 32, 64, 128)),
        y=axis(0, 1.02, "share of copies", (0, 0.25, 0.5, 0.75, 0.9, 1)),
    )


def _dots(runs: list[Observation]) -> tuple[list[list[float]], list[list[float]]]:
    rates = [rote.wilson(run.count, run.total) for run in runs]
    at = [float(np.log10(run.size)) for run in runs]
    bars = [[x, r.low, x, r.high] for x, r in zip(at, rates, strict=True)]
    return [[x, r.value] for x, r in zip(at, rates, strict=True)], bars


def _answer(checked: CheckedCurve) -> str:
    emm, odds = checked.emm, checked.check.odds
    if emm.status == "unknown":
        return f"the EMM is called unknown, for the odds are {odds:.2g} to 1 that they lie on no falling curve."
    if emm.status == "bracketed":
        return f"EMM about {emm.value:.0f}, 95 % interval {emm.low:.0f} to {emm.high:.0f}."
    if emm.low is not None:
        return f"EMM at least {emm.low:.0f}; its other end lies beyond what was trained."
    if emm.high is not None:
        return f"EMM at most {emm.high:.0f}; its other end lies beyond what was trained."
    return "both ends of the interval lie beyond what was trained, so nothing is claimed."


def curve() -> None:
    """Run after run, the curve and its crossing become known."""
    found = bank()
    runs = [found[key] for key in ORDER]
    scene = _frame()
    scene.slider("Runs known", [str(i + 1) for i in range(len(runs))], start=4)
    bands, middles, densities, dots, bars = [], [], [], [], []
    for count in range(1, len(runs) + 1):
        known = runs[:count]
        checked = checked_curve(known, reach=(4, 1000))
        middle, low, high = checked.posterior.band(SIZES)
        x = np.log10(SIZES)
        bands.append([np.vstack([np.column_stack([x, high]), np.column_stack([x, low])[::-1]])])
        middles.append([np.column_stack([x, middle])])
        at, density = checked.posterior.density()
        shown = (at > 12) & (at < 160)
        hill = np.column_stack([np.log10(at), 0.3 * density / density.max()])[shown]
        densities.append([np.vstack([[hill[0, 0], 0], hill, [hill[-1, 0], 0]])])
        some, more = _dots(known)
        dots.append(some)
        bars.append(more)
        scene.says.append(f"{count} run{'s' if count > 1 else ''}: {_answer(checked)}")
    scene.moves("areas", "training", bands, "where the mean rate may be (95 %)")
    scene.moves("lines", "training", middles)
    scene.moves("areas", "accent", densities, "how likely each EMM is")
    scene.stays("segments", "quiet", [[1, 0.9, 2.3, 0.9]], "1 - epsilon = 0.9", dashed=True)
    scene.moves("segments", "sample", bars)
    scene.moves("dots", "sample", dots, "a run, with its Wilson interval")
    scene.save("curve")


def misfit() -> None:
    """Invented runs on a curve, of which the two largest are lifted off it."""
    sizes = np.array([16, 23, 32, 45, 64, 90, 128, 150])
    on = expit(logit(0.9) - 3 * np.log(sizes / 40))
    lifts = np.linspace(0, 0.9, 10)
    scene = _frame()
    scene.slider(
        "Rate of the two largest sizes", [f"{on[-1] + lift:.2f}" for lift in lifts], start=0
    )
    dots, bars, bands = [], [], []
    for lift in lifts:
        rate = on.copy()
        rate[-2:] = np.minimum(0.99, rate[-2:] + lift)
        runs = [Observation(int(n), round(500 * r), 500) for n, r in zip(sizes, rate, strict=True)]
        checked = checked_curve(runs, reach=(4, 1000))
        _, low, high = checked.posterior.band(SIZES)
        x = np.log10(SIZES)
        bands.append([np.vstack([np.column_stack([x, high]), np.column_stack([x, low])[::-1]])])
        some, more = _dots(runs)
        dots.append(some)
        bars.append(more)
        odds, emm = checked.check.odds, checked.emm
        said = (
            "the EMM is called unknown"
            if emm.status == "unknown"
            else f"EMM {emm.value:.0f} ({emm.low:.0f} to {emm.high:.0f})"
        )
        scene.says.append(
            f"Odds that something else than a falling curve made these runs: {odds:.2g} to 1; {said}."
        )
    scene.moves("areas", "training", bands, "the curve that would be fitted")
    scene.stays("segments", "quiet", [[1, 0.9, 2.3, 0.9]], "1 - epsilon = 0.9", dashed=True)
    scene.moves("segments", "sample", bars)
    scene.moves("dots", "sample", dots, "an invented run of 500 samples")
    scene.save("misfit")


def draw() -> None:
    """Write both."""
    curve()
    misfit()
