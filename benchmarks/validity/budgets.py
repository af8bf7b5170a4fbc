"""The EMM at each budget of a search's snapshots, and how often the elasticity's interval holds.

    python benchmarks/validity/budgets.py search runs/77k [runs/38k ...]
    python benchmarks/validity/budgets.py bank docs/results/gap/banks.csv
    python benchmarks/validity/budgets.py simulate --campaigns 200

search: the curve fitted to the snapshots of each number of images seen, and what rote says of the
budget. An unfinished search is read from its `points/*/point.json`. bank: the same of whole runs that
were trained beforehand. simulate: searches (`rote.emm.acquisition`) in worlds of known elasticity.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parents[1]))
import emm_coverage as worlds

from rote.emm import acquisition as design
from rote.emm.budget import budget_of
from rote.emm.curve import Observation, fit_curve
from rote.emm.fit_check import checked_curve
from rote.emm.run import observed
from rote.results.run import Observation as Seen
from rote.results.run import Point, PointCoverage, Snapshot
from rote.stats.beta_binomial import DIFFUSION
from rote.stats.rates import Rate, wilson

REACH = (4, 1797)
GRID = sorted({round(32 * 2 ** (i / 4)) for i in range(-12, 24)})
LENGTH = 76_800
STEPS = (0.25, 0.5, 0.75, 1.0)
# name: the curve of the mean logit, the elasticity, the spread of runs, that of a snapshot
WORLDS = {
    "straight, 3.3, elasticity 0.8": (worlds.straight(3.3), 0.8, 0.36, 0.2),
    "straight, 3.3, elasticity 1.15": (worlds.straight(3.3), 1.15, 0.36, 0.2),
    "bent, 2.4 and 4.5, elasticity 0.8": (worlds.bent(2.4, 4.5), 0.8, 0.36, 0.2),
    "noisy runs, 0.64, elasticity 0.8": (worlds.straight(3.3), 0.8, 0.64, 0.2),
}


def said(points: Sequence[Point]) -> dict[str, Any]:
    """Return what rote says of the budget of some runs."""
    found = checked_curve([observed(point) for point in points], reach=REACH)
    return budget_of(
        points,
        found.emm,
        found.posterior,
        reach=REACH,
        slopes=DIFFUSION,
        items="images",
        own=True,
    )


def show(name: str, points: Sequence[Point]) -> None:
    """Print the EMM at each number of images seen, and what rote says."""
    seen = defaultdict(list)
    for point in points:
        for one in point.selection:
            seen[one.images_seen].append(Observation(point.size, one.rate.count, one.rate.total))
    before = None
    for images, runs in sorted(seen.items()):
        if len(runs) < 4 or len({run.size for run in runs}) < 2:
            continue
        low, value, high = fit_curve(runs, reach=REACH).quantiles()
        line = f"{name} {images:>7,} images: EMM {value:.1f} ({low:.1f} to {high:.1f}), {len(runs)} runs"
        line += f", {images / value:,.0f} exposures"
        if before:
            slope = math.log(value / before[1]) / math.log(images / before[0])
            line += f", elasticity {slope:.2f}"
        print(line)
        before = images, value
    found = said(points)
    print(f"{name}: {found['elasticity']}\n{name}: {found['sentence']}")


def bank(path: Path) -> None:
    """Show banks of whole runs."""
    runs = defaultdict(list)
    for row in csv.DictReader(path.open()):
        runs[row["bank"], int(row["size"]), int(row["replicate"])].append(row)
    for name in dict.fromkeys(key[0] for key in runs):
        points = []
        for (_, size, number), rows in ((k, v) for k, v in runs.items() if k[0] == name):
            scored = [
                (int(row["images_seen"]), wilson(int(row["count"]), int(row["total"])))
                for row in rows
            ]
            fresh = wilson(int(rows[0]["fresh"]), int(rows[0]["of"]))
            points.append(as_point(size, number, scored, fresh, "exact"))
        show(name, points)


def as_point(
    size: int,
    number: int,
    scored: Sequence[tuple[int, Rate]],
    fresh: Rate,
    bound: Literal["exact", "at-least", "at-most"],
    most: int = 0,
) -> Point:
    """Return a run as a search keeps it."""
    at_most = bound == "at-most"
    last = scored[-1]
    return Point(
        size=size,
        replicate=number,
        images_seen=last[0],
        images_trained=last[0],
        rate=fresh,
        observation=Seen(
            bound=bound,
            count=most if at_most else fresh.count,
            total=last[1].total if at_most else fresh.total,
            error=design.RISE_ERROR if at_most else 0.0,
        ),
        selection=tuple(Snapshot(images_seen=t, rate=rate) for t, rate in scored),
        gap=(),
        coverage=PointCoverage(distinct_references=0),
        run="",
    )


def trained(
    world: tuple[Any, ...], size: int, number: int, center: float, rng: np.random.Generator
) -> Point:
    """Return a run of a simulated search."""
    line, elasticity, spread, jitter = world
    own = spread * rng.standard_normal()
    scored = []
    for share in STEPS:
        away = math.log(size) - elasticity * math.log(share) - center
        rate = float(expit(math.log(9) + line(away) + own + jitter * rng.standard_normal()))
        count, total = worlds.drawn(rng, rate, worlds.SELECTION)
        scored.append((round(share * LENGTH), wilson(count, total)))
        fresh = wilson(*worlds.drawn(rng, rate, worlds.STAGES))
        if share < 1 and design.will_reach(count, total, epsilon=0.1):
            return as_point(size, number, scored, fresh, "at-least")
        seen = round(share * LENGTH)
        if share < 1 and design.never_reaches(count, total, images_seen=seen, images=LENGTH):
            most = design.most_at_the_end(count, total, images_seen=seen, images=LENGTH)
            return as_point(size, number, scored, fresh, "at-most", round(most * total))
    return as_point(size, number, scored, fresh, "exact")


def simulate(campaigns: int, tolerance: float, most: int) -> None:
    """Print how often the interval of the elasticity holds the true one."""
    print("world                               known  held                    median  half-width")
    for name, world in WORLDS.items():
        held, values, widths = 0, [], []
        for seed in range(campaigns):
            rng = np.random.default_rng(seed)
            center = math.log(32 * 2 ** rng.uniform(-0.5, 2.5))
            points: list[Point] = []
            while len(points) < most:
                asked = design.next_runs(
                    [observed(point) for point in points],
                    grid=GRID,
                    cost=lambda size: float(LENGTH),
                    epsilon=0.1,
                    tolerance=tolerance,
                    start=32,
                    early_stop=True,
                )
                if not asked.runs:
                    break
                points += [trained(world, size, n, center, rng) for size, n in asked.runs]
            found = said(points)["elasticity"]
            if found is not None:
                held += found["low"] <= world[1] <= found["high"]
                values.append(found["value"])
                widths.append((found["high"] - found["low"]) / 2)
        rate = wilson(held, max(1, len(values)))
        print(
            f"{name:36} {len(values) / campaigns:.2f}  {rate.value:.3f} [{rate.low:.3f}, "
            f"{rate.high:.3f}]    {np.median(values):.2f}    {np.median(widths):.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("search").add_argument("folders", type=Path, nargs="+")
    what.add_parser("bank").add_argument("file", type=Path)
    simulated = what.add_parser("simulate")
    simulated.add_argument("--campaigns", type=int, default=200)
    simulated.add_argument("--tolerance", type=float, default=0.15)
    simulated.add_argument("--most-runs", type=int, default=24)
    options = parser.parse_args()
    if options.what == "search":
        for folder in options.folders:
            files = sorted(folder.glob("points/*/point.json"))
            show(
                folder.name, [Point.model_validate_json(json.dumps(_whole(path))) for path in files]
            )
    elif options.what == "bank":
        bank(options.file)
    else:
        simulate(options.campaigns, options.tolerance, options.most_runs)


def _whole(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text())
    return {key: value[key] for key in value if key != "format_version"}


if __name__ == "__main__":
    main()
