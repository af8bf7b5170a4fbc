"""Counting patients: how often intervals over patients hold.

    python benchmarks/validity/patients.py --out patients.json

    reproduced  share of 95 % intervals of "k of n patients reproduced" that hold the share expected
    control     share of 95 % intervals of the rate over slices of held-out patients that hold it
    threshold   the calibrated threshold: false positives among slices of a new patient, and how often its
                intervals hold

Prints a line a world. One core, some minutes; `--draws` scales it. What is found of copies of slices:
`slices.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_json
from rote.stats.clustered import rate_over
from rote.stats.conformal import calibrate
from rote.stats.rates import wilson

Rng = np.random.Generator
Rows = Iterator[dict[str, Any]]


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
    parser.add_argument("--only", nargs="+", default=["reproduced", "control", "threshold"])
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    parts = {"reproduced": reproduced, "control": control, "threshold": threshold}
    for name in asked.only:
        for row in parts[name](asked.draws):
            rows.append(row)
            print(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
    if asked.out is not None:
        write_json(asked.out, {"draws": asked.draws, "rows": rows})


if __name__ == "__main__":
    main()
