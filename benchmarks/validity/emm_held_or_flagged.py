"""Is the interval of the EMM held, or its status "unknown", where the curve is not as assumed?

    python benchmarks/validity/emm_held_or_flagged.py --campaigns 500 --out /tmp/emm-validity

Simulated searches as in `benchmarks/emm_coverage.py` (its twelve worlds are the ones to leave alone) in
three more worlds: a step, a curve that rises again, trainings of which 4 % fail (nothing is copied). The
truth of the last is that of trainings that work. Each search is kept with its runs in the folder; the
same command carries on. "before" is the interval of the curve alone, whatever the check says.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import emm_coverage as worlds

from rote.emm import acquisition as design
from rote.emm.curve import Observation, fit_curve
from rote.emm.fit_check import checked_curve
from rote.stats.rates import wilson

GRID = sorted({round(32 * 2 ** (i / 4)) for i in range(-12, 24)})
REACH = GRID[0], GRID[-1]


def logit(rate: float) -> float:
    """Return the logit of a rate beyond that of 90 %."""
    return math.log(rate / (1 - rate)) - math.log(9)


def step(away: float) -> float:
    """95 % up to the EMM, 10 % beyond."""
    return logit(0.95) if away <= 0 else logit(0.1)


def rises_again(away: float) -> float:
    """A dip to 79 % that ends before the EMM."""
    return -3.3 * away - 3.5 * math.exp(-(((away + 0.8) / 0.3) ** 2))


# name: the world, the share of trainings that fail, most runs, whether runs may end early
HOSTILE: dict[str, tuple[worlds.World, float, int, bool]] = {
    "step": (worlds.World("step: 95 %, then 10 %", step), 0.0, 12, True),
    "rises-again": (worlds.World("rises again", rises_again), 0.0, 12, True),
    "fail": (worlds.World("4 % fail", worlds.straight(3.3)), 0.04, 12, True),
    "fail-whole": (worlds.World("4 % fail, whole runs", worlds.straight(3.3)), 0.04, 12, False),
}
ASSUMED = {f"w{n}": (world, 0.0, 24, True) for n, world in enumerate(worlds.WORLDS)}


def simulate(
    world: worlds.World, failing: float, most: int, *, early: bool, seed: int, truth: float
) -> dict[str, Any]:
    """Return one search: its true EMM and its runs."""
    rng = np.random.default_rng(seed)
    center = math.log(32 * 2 ** rng.uniform(-0.5, 2.5))
    runs: list[Observation] = []
    while len(runs) < most:
        proposal = design.next_runs(
            runs,
            grid=GRID,
            cost=lambda size: float(worlds.RUN_IMAGES),
            epsilon=worlds.EPSILON,
            tolerance=0.15,
            start=32,
            early_stop=early,
        )
        if not proposal.runs:
            break
        for size, _ in proposal.runs:
            fails = failing > 0 and rng.random() < failing
            own = replace(world, line=lambda away: -12.0) if fails else world
            runs.append(worlds.simulate_run(own, size, center, rng, early=early).observation)
    return {"seed": seed, "true": math.exp(center + truth), "runs": [astuple(run) for run in runs]}


def searches(name: str, count: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Go through the searches of a world, simulating those that the folder lacks."""
    world, failing, most, early = (HOSTILE | ASSUMED)[name]
    path = folder / f"{name}.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    yield from known[:count]
    truth = worlds.true_crossing(world)
    for seed in range(len(known), count):
        found = simulate(world, failing, most, early=early, seed=seed, truth=truth)
        with path.open("a") as file:
            file.write(json.dumps(found) + "\n")
        yield found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--campaigns", type=int, default=500, help="of each hostile world")
    parser.add_argument("--assumed", type=int, default=200, help="of each assumed world")
    parser.add_argument("--out", type=Path, default=Path("/tmp/emm-validity"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(
        f"{'world':44} {'n':>4} {'before':>20} {'held or unknown':>20} unknown set-aside held-of-known"
    )
    for name, (world, *_) in (HOSTILE | ASSUMED).items():
        before = held = unknown = aside = 0
        count = options.campaigns if name in HOSTILE else options.assumed
        for search in searches(name, count, options.out):
            runs = [Observation(*run) for run in search["runs"]]
            low, _, high = fit_curve(runs, reach=REACH).quantiles()
            before += low <= search["true"] <= high
            found = checked_curve(runs, reach=REACH)
            aside += bool(found.check.set_aside)
            if found.emm.status == "unknown":
                unknown += 1
                continue
            low, _, high = found.posterior.quantiles()
            held += low <= search["true"] <= high
        old, now = wilson(before, count), wilson(held + unknown, count)
        print(
            f"{world.name:44} {count:4} {old.value:.3f} [{old.low:.3f}, {old.high:.3f}] "
            f"{now.value:.3f} [{now.low:.3f}, {now.high:.3f}] {unknown / count:7.3f} "
            f"{aside / count:9.3f} {held / max(1, count - unknown):13.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
