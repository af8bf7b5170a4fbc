"""What an EMM of a given precision costs: the adaptive campaign, the paper's fixed grid, and bisection.

    python benchmarks/bench_campaigns.py --data digits --out bank/ --workers 2

First a bank of real runs is trained: several sizes, several replicates of each (resumable; the same
command carries on). Then each design is replayed many times on runs drawn from the bank, until its
interval, by the same estimator, is as narrow as asked for, and the images trained and the seconds
of those runs are added up. A replay is a real campaign whose runs happen to have been trained
before: only their order and their replicates are drawn anew.

    adaptive     `rote.studies.design.next_runs` with its early stops and its staged sampling
    fixed grid   one run of every octave from the smallest to the largest size, repeated with new seeds
    bisection    doubling from the start until both sides are seen, then the half octave between; repeated
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rote.cli import options as cli_options
from rote.core.runs import read_json
from rote.data.convert import for_models
from rote.memorization.curve import CurvePosterior, Observation, fit_curve
from rote.memorization.emm import EmmPoint
from rote.studies import design
from rote.studies.point import PointTask, point_task, run_point
from rote.studies.workers import Workers

STAGES = (128, 256, 512, 1000)
MOST_RUNS = 120


@dataclass(frozen=True)
class BankRun:
    """A run trained to its end: selection counts of all snapshots, fresh counts, seconds."""

    size: int
    selection: tuple[tuple[int, int, int], ...]
    count: int
    total: int
    train_seconds: float
    select_seconds: float
    fresh_seconds: float

    @property
    def images(self) -> int:
        return self.selection[-1][0]


@dataclass(frozen=True)
class Spent:
    observation: Observation
    images: int
    seconds: float


def whole(run: BankRun) -> Spent:
    """The run as the fixed grid and bisection take it: all of its training, all of its samples."""
    seconds = run.train_seconds + run.select_seconds + run.fresh_seconds
    return Spent(Observation(run.size, run.count, run.total), run.images, seconds)


def staged(
    count: int, total: int, stages: Sequence[int], rng: np.random.Generator, epsilon: float
) -> tuple[int, int]:
    """Samples are exchangeable: a stage is a draw without replacement from all that there are."""
    good = seen = 0
    for stage in stages:
        end = min(stage, total)
        if end > seen:
            left = count - good
            good += int(rng.hypergeometric(left, total - seen - left, end - seen))
        seen = end
        if design.enough(good, seen, epsilon=epsilon):
            break
    return good, seen


def frugal(run: BankRun, rng: np.random.Generator, epsilon: float) -> Spent:
    """The run as the adaptive campaign takes it: early stops, and samples in stages."""
    seconds = 0.0
    per_snapshot = 1 / len(run.selection)
    for seen, count, total in run.selection:
        count, drawn = staged(count, total, STAGES[:2], rng, epsilon)
        seconds += per_snapshot * (run.train_seconds + run.select_seconds * drawn / total)
        if seen == run.images:
            break
        if design.will_reach(count, drawn, epsilon=epsilon):
            # A stopped run scores its snapshot on fresh samples; here its selection sample stands in.
            seconds += run.fresh_seconds * drawn / run.total
            return Spent(Observation(run.size, count, drawn, "at-least"), seen, seconds)
        if design.never_reaches(count, drawn, images_seen=seen, images=run.images):
            most = design.most_at_the_end(count, drawn, images_seen=seen, images=run.images)
            bound = Observation(run.size, round(most * drawn), drawn, "at-most", design.RISE_ERROR)
            seconds += run.fresh_seconds * STAGES[0] / run.total
            return Spent(bound, seen, seconds)
    count, total = staged(run.count, run.total, STAGES, rng, epsilon)
    seconds += run.fresh_seconds * total / run.total
    return Spent(Observation(run.size, count, total), run.images, seconds)


def adaptive(
    bank: dict[int, list[BankRun]],
    rng: np.random.Generator,
    epsilon: float,
    start: int,
    tolerance: float,
) -> Iterator[list[Spent]]:
    grid, spent = sorted(bank), []
    while True:
        proposal = design.next_runs(
            [s.observation for s in spent],
            grid=grid,
            cost=lambda size: float(bank[size][0].images),
            epsilon=epsilon,
            tolerance=tolerance,
            start=start,
        )
        drawn = [bank[size][rng.integers(len(bank[size]))] for size, _ in proposal.runs]
        spent += [frugal(run, rng, epsilon) for run in drawn]
        yield spent


def fixed_grid(
    bank: dict[int, list[BankRun]], rng: np.random.Generator, epsilon: float, start: int
) -> Iterator[list[Spent]]:
    octaves = [size for size in sorted(bank) if math.log2(size / start) % 1 == 0]
    spent = []
    while True:
        spent += [whole(bank[size][rng.integers(len(bank[size]))]) for size in octaves]
        yield spent


def bisection(
    bank: dict[int, list[BankRun]], rng: np.random.Generator, epsilon: float, start: int
) -> Iterator[list[Spent]]:
    spent: list[Spent] = []
    octaves = [size for size in sorted(bank) if math.log2(size / start) % 1 == 0]
    while True:
        rates: dict[int, float] = {}

        def rate_of(size: int, rates: dict[int, float] = rates) -> float:
            if size not in rates:
                run = whole(bank[size][rng.integers(len(bank[size]))])
                spent.append(run)
                rates[size] = run.observation.count / run.observation.total
            return rates[size]

        low = octaves.index(start)
        high = low + 1
        while high < len(octaves) - 1 and rate_of(octaves[high]) >= 1 - epsilon:
            low, high = high, high + 1
        while low > 0 and rate_of(octaves[low]) < 1 - epsilon:
            low, high = low - 1, low
        middle = octaves[low] * math.sqrt(2)
        rate_of(min(bank, key=lambda size: abs(math.log(size / middle))))
        yield spent


def cost_of(
    steps: Iterator[list[Spent]],
    fit: Callable[[list[Observation]], CurvePosterior],
    tolerance: float,
) -> tuple[int, float, int, CurvePosterior]:
    """Add up what a design spends until its interval is narrow enough."""
    for spent in steps:
        posterior = fit([s.observation for s in spent])
        low, _, high = posterior.quantiles()
        if (math.log(high / low) <= 2 * math.log1p(tolerance) and len(spent) >= 4) or len(
            spent
        ) >= MOST_RUNS:
            images = sum(s.images for s in spent)
            return images, sum(s.seconds for s in spent), len(spent), posterior
    raise AssertionError


def read_bank(tasks: Sequence[PointTask]) -> dict[int, list[BankRun]]:
    bank: dict[int, list[BankRun]] = {}
    for task in tasks:
        point = EmmPoint.from_json(read_json(task.folder / "point.json"))
        seconds = read_json(task.folder / "manifest.json")["seconds"]
        selection = tuple((seen, rate.count, rate.total) for seen, rate in point.selection)
        bank.setdefault(point.size, []).append(
            BankRun(
                point.size,
                selection,
                point.rate.count,
                point.rate.total,
                seconds["train"],
                seconds["select"],
                seconds["fresh"],
            )
        )
    return bank


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--start", type=int, default=32)
    parser.add_argument(
        "--near", default="23,27,32,38,45,54,64,76", help="sizes with many replicates"
    )
    parser.add_argument("--far", default="8,16,128,256", help="sizes with two replicates")
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--tolerances", default="0.15,0.2,0.3")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    dataset = cli_options.load(
        options.data, resolution=options.resolution, channels=None, skip_unreadable=False
    )
    settings = [*options.set, "search.early_stop=false", "search.first_samples=1000"]
    config = cli_options.experiment(options.preset, kind=dataset.kind, assignments=settings)
    near = [int(size) for size in options.near.split(",")]
    far = [int(size) for size in options.far.split(",")]
    wanted = [(size, r) for r in range(options.replicates) for size in near]
    wanted += [(size, r) for r in range(2) for size in far]
    tasks = [
        point_task(size, replicate, seed=0, out=options.out, config=config, device="cpu")
        for size, replicate in wanted
    ]
    scaled, scaling = for_models(dataset)
    with Workers(options.workers, scaled, scaling, threads=1) as pool:
        pool.run_each(tasks, run_point, on_poll=lambda: None)
    bank = read_bank(tasks)
    epsilon = config.search.epsilon
    reach = (min(bank), max(bank))

    def fit(observations: list[Observation]) -> CurvePosterior:
        return fit_curve(observations, epsilon=epsilon, reach=reach)

    everything = fit([whole(run).observation for runs in bank.values() for run in runs])
    print(f"all {len(tasks)} runs of the bank: EMM {everything.emm()}")
    print(f"  slope {everything.slope()} logits per doubling, spread {everything.spread()}")
    truth = everything.quantiles()[1]
    result = {"bank": everything.emm().to_json(), "curve": everything.to_json(), "designs": []}
    for tolerance in (float(text) for text in options.tolerances.split(",")):
        medians = {}
        for name in ("adaptive", "fixed grid", "bisection"):
            found = []
            for replay in range(options.replays):
                rng = np.random.default_rng(replay)
                if name == "adaptive":
                    steps = adaptive(bank, rng, epsilon, options.start, tolerance)
                elif name == "fixed grid":
                    steps = fixed_grid(bank, rng, epsilon, options.start)
                else:
                    steps = bisection(bank, rng, epsilon, options.start)
                images, seconds, runs, posterior = cost_of(steps, fit, tolerance)
                low, _, high = posterior.quantiles()
                found.append((images, seconds, runs, low <= truth <= high))
            images, seconds, runs, held = np.array(found, float).T
            medians[name] = (float(np.median(images)), float(np.median(seconds)))
            row = {
                "tolerance": tolerance,
                "design": name,
                "images": medians[name][0],
                "seconds": medians[name][1],
                "runs": float(np.median(runs)),
                "held": float(held.mean()),
                "capped": float((runs >= MOST_RUNS).mean()),
            }
            result["designs"].append(row)
            print(
                f"+-{tolerance:4.0%} {name:11} {row['images']:10.3g} images {row['seconds']:7.0f} s "
                f"{row['runs']:4.0f} runs  holds the bank's EMM {row['held']:.2f}  "
                f"at the cap {row['capped']:.2f}"
            )
        for name in ("fixed grid", "bisection"):
            by_images, by_seconds = (medians["adaptive"][i] / medians[name][i] for i in (0, 1))
            print(
                f"       adaptive / {name}: {by_images:.2f} of the images, {by_seconds:.2f} of the time"
            )
    (options.out / "campaigns.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
