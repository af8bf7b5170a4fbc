"""How often does the interval of the EMM hold the true EMM? Simulated campaigns in worlds of known truth.

    python benchmarks/emm_coverage.py --campaigns 2000 --workers 2 --out coverage.json

A world is a curve of the mean logit over log size, the spread of runs around it (seeds and subsets),
and how the rate of a run grows while it trains. A campaign runs the real design of rote (`next_runs`,
its staged sampling, its early stops) on draws from that world, from a random start, until it reaches
its tolerance or its budget.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from rote.emm import acquisition as design
from rote.emm.curve import Observation, fit_curve
from rote.stats.rates import wilson

EPSILON = 0.1
STAGES = (128, 256, 512, 1000)
SELECTION = (128, 256)
SNAPSHOTS = 4
RUN_IMAGES = 76_800


@dataclass(frozen=True)
class World:
    """What is true, relative to the size where a straight line would cross 90 %."""

    name: str
    line: Callable[[float], float]
    """Logit of the rate beyond that of 90 %, at a distance in e-folds from the nominal crossing."""
    seed_spread: float = 0.3
    subset_spread: float = 0.2
    heavy: bool = False
    """Deviations of runs from a t distribution with 3 degrees of freedom."""
    growth: float = 3.0
    """Logits that a run gains while its images seen double."""
    jitter: float = 0.2
    """Deviation of a single snapshot."""


def straight(slope: float) -> Callable[[float], float]:
    return lambda away: -slope * away


def bent(above: float, below: float) -> Callable[[float], float]:
    return lambda away: -(above if away < 0 else below) * away


def bump(away: float) -> float:
    return -3.3 * away - 1.0 * math.exp(-(((away + 0.8) / 0.3) ** 2))


WORLDS = [
    World("typical: 3.3 logits per e-fold, spread 0.36", straight(3.3)),
    World("steep, quiet: 5, spread 0.14", straight(5.0), 0.1, 0.1),
    World("noisy runs: 3.3, spread 0.64", straight(3.3), 0.5, 0.4),
    World("bent: 2.4 above, 4 below", bent(2.4, 4.0)),
    World("flat: 1.5, spread 0.36", straight(1.5)),
    World("hostile: no spread at all", straight(3.3), 0.0, 0.0, jitter=0.0),
    World("hostile: very flat, 0.8", straight(0.8)),
    World("hostile: spread 1.1", straight(3.3), 0.8, 0.75),
    World("hostile: heavy tails (t3)", straight(3.3), 0.3, 0.2, heavy=True),
    World("hostile: a dip before the crossing", bump),
    World("hostile: fast growth, 5 per doubling", straight(3.3), growth=5.0),
    World("hostile: strongly bent, 1.5 above, 6 below", bent(1.5, 6.0)),
]


def true_crossing(world: World) -> float:
    """Return where the mean rate over runs is 1 - epsilon, in e-folds (the largest such size)."""
    rng = np.random.default_rng(7)
    noise = deviations(world, rng, 400_000)
    if world.jitter:
        noise = noise + best_jitter(world, rng, len(noise))
    base = math.log((1 - EPSILON) / EPSILON)

    def over(away: float) -> float:
        return float(expit(base + world.line(away) + noise).mean()) - (1 - EPSILON)

    last = max(x for x in np.arange(-4, 4, 0.05) if over(x) > 0)
    return brentq(over, last, last + 0.05)


def deviations(world: World, rng: np.random.Generator, count: int) -> np.ndarray:
    scale = math.hypot(world.seed_spread, world.subset_spread)
    if world.heavy:
        return scale * rng.standard_t(3, count)
    return scale * rng.standard_normal(count)


def best_jitter(world: World, rng: np.random.Generator, count: int) -> np.ndarray:
    """The last snapshot is nearly always the best one: its own jitter is part of the run."""
    return world.jitter * rng.standard_normal(count)


@dataclass
class Run:
    observation: Observation
    images: int


def simulate_run(
    world: World, size: int, center: float, rng: np.random.Generator, *, early: bool
) -> Run:
    base = math.log((1 - EPSILON) / EPSILON)
    end = base + world.line(math.log(size) - center) + deviations(world, rng, 1)[0]
    for number in range(1, SNAPSHOTS + 1):
        seen = RUN_IMAGES * number // SNAPSHOTS
        grown = world.growth * math.log2(seen / RUN_IMAGES)
        rate = expit(end + grown + world.jitter * rng.standard_normal())
        if number == SNAPSHOTS:
            break
        count, total = drawn(rng, rate, SELECTION)
        if early and design.will_reach(count, total, epsilon=EPSILON):
            count, total = drawn(rng, rate, STAGES)
            return Run(Observation(size, count, total, "at-least"), seen)
        if early and design.never_reaches(count, total, images_seen=seen, images=RUN_IMAGES):
            most = design.most_at_the_end(count, total, images_seen=seen, images=RUN_IMAGES)
            bound = Observation(size, round(most * total), total, "at-most", design.RISE_ERROR)
            return Run(bound, seen)
    count, total = drawn(rng, rate, STAGES)
    return Run(Observation(size, count, total), RUN_IMAGES)


def drawn(rng: np.random.Generator, rate: float, stages: tuple[int, ...]) -> tuple[int, int]:
    count = total = 0
    for stage in stages:
        count += int(rng.binomial(stage - total, rate))
        total = stage
        if design.enough(count, total, epsilon=EPSILON):
            break
    return count, total


def campaign(
    world: World, seed: int, *, tolerance: float, most_runs: int, truth: float, early: bool
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    grid = [round(32 * 2 ** (i / 4)) for i in range(-12, 24)]
    grid = sorted(set(grid))
    center = math.log(32 * 2 ** rng.uniform(-0.5, 2.5))
    runs: list[Run] = []
    while len(runs) < most_runs:
        proposal = design.next_runs(
            [run.observation for run in runs],
            grid=grid,
            cost=lambda size: float(RUN_IMAGES),
            epsilon=EPSILON,
            tolerance=tolerance,
            start=32,
            early_stop=early,
        )
        if not proposal.runs:
            break
        runs += [simulate_run(world, size, center, rng, early=early) for size, _ in proposal.runs]
    posterior = fit_curve(
        [run.observation for run in runs], epsilon=EPSILON, reach=(grid[0], grid[-1])
    )
    low, middle, high = posterior.quantiles()
    true = math.exp(center + truth)
    return {
        "held": low <= true <= high,
        "under": true > high,
        "runs": len(runs),
        "images": sum(run.images for run in runs),
        "early": sum(run.observation.bound != "exact" for run in runs),
        "width": math.log(high / low) / 2,
        "error": math.log(middle / true),
        "status": posterior.emm().status,
    }


def one(args: tuple[int, int, float, int, float, bool]) -> dict[str, Any]:
    world, seed, tolerance, most_runs, truth, early = args
    return campaign(
        WORLDS[world], seed, tolerance=tolerance, most_runs=most_runs, truth=truth, early=early
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--campaigns", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=0.15)
    parser.add_argument("--most-runs", type=int, default=24, help="the budget of a campaign")
    parser.add_argument("--world", type=int, help="only this one (counted from 0)")
    parser.add_argument("--no-early", action="store_true", help="train every run to its end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chosen = range(len(WORLDS)) if options.world is None else [options.world]
    rows = []
    print(
        f"{'world':46} {'held':>15} {'above':>6} {'runs':>5} {'early':>5} {'+-':>5} {'error':>6} {'s':>5}"
    )
    with ProcessPoolExecutor(options.workers) as pool:
        for number in chosen:
            start = time.perf_counter()
            truth = true_crossing(WORLDS[number])
            tasks = [
                (
                    number,
                    options.seed * 1_000_000 + i,
                    options.tolerance,
                    options.most_runs,
                    truth,
                    not options.no_early,
                )
                for i in range(options.campaigns)
            ]
            found = list(pool.map(one, tasks, chunksize=16))
            held = wilson(sum(f["held"] for f in found), len(found))
            row = {
                "world": WORLDS[number].name,
                "held": held.to_json(),
                "truth_above_interval": float(np.mean([f["under"] for f in found])),
                "runs": float(np.median([f["runs"] for f in found])),
                "early_share": float(np.mean([f["early"] / f["runs"] for f in found])),
                "images": float(np.median([f["images"] for f in found])),
                "half_width": float(np.median([f["width"] for f in found])),
                "error": float(np.sqrt(np.mean([f["error"] ** 2 for f in found]))),
                "bracketed": float(np.mean([f["status"] == "bracketed" for f in found])),
            }
            rows.append(row)
            print(
                f"{row['world']:46} {held.value:.3f} [{held.low:.3f},{held.high:.3f}] "
                f"{row['truth_above_interval']:6.3f} {row['runs']:5.0f} {row['early_share']:5.2f} "
                f"{row['half_width']:5.2f} {row['error']:6.3f} {time.perf_counter() - start:5.0f}",
                flush=True,
            )
    if options.out:
        value = {
            "campaigns": options.campaigns,
            "tolerance": options.tolerance,
            "most_runs": options.most_runs,
            "worlds": rows,
        }
        options.out.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
