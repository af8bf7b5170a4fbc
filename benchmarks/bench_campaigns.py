"""What an EMM of a given precision costs: the adaptive campaign, the paper's fixed grid, and bisection.

    python benchmarks/bench_campaigns.py --world 0 --replays 100                  # simulated runs
    python benchmarks/bench_campaigns.py --data digits --out bank/ --workers 2    # real runs

Each design is replayed many times until its interval, by the same estimator, is as narrow as asked for;
the images trained and the seconds of its runs are added up. The runs are those of a world of
`emm_coverage.py`, or of a bank of real runs, which is trained first (resumable; the same command carries
on): a replay is then a real campaign whose runs happen to have been trained before, and only the order
of each size's replicates is drawn anew.

    adaptive      `rote.emm.acquisition.next_runs` with its early stops and its staged sampling
    fixed grid    one run of every octave within ``--octaves``, repeated with new seeds
    whole grid    the same over every octave that `rote emm` may train: nobody knows where the EMM is
    bisection     doubling until both sides are seen, then the half octave between; repeated

Grids and bisection train every run to its end, score each snapshot with 256 samples and the chosen one
with 1,000. Seconds are CPU seconds of one core: what an image trained, a sample and a gap cost, times
their numbers. ``as the paper`` adds what 10,000 samples of each snapshot would take.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from campaign_runs import (
    Bank,
    BankDraws,
    Source,
    Unit,
    WholeRun,
    WorldDraws,
    measure_unit,
    read_bank,
)
from emm_coverage import EPSILON, WORLDS, true_crossing

from rote.core.config import override
from rote.data.convert import for_models
from rote.data.load import load_images
from rote.emm import acquisition as design
from rote.emm.curve import CurvePosterior, Observation, fit_curve
from rote.experiments.config import preset
from rote.experiments.execution.local import Workers
from rote.experiments.run.run import execute
from rote.experiments.run.score import stages
from rote.experiments.search.runs import search_run

FRESH, SELECTION = stages(128, 1000), stages(128, 256)
PAPER_SAMPLES = 10_000
MOST_RUNS = 120
SIZES = "8:2,11:2,16:2,23:3,32:5,38:4,45:5,54:4,64:5,90:3,128:2"
WHOLE_GRID = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
TINY = Unit(image=0.0005, sample=0.0093, gap=0.65)
"""CPU seconds of the preset `tiny` on 8x8 images, one idle core."""


@dataclass(frozen=True)
class Spent:
    """One run as a design took it: what it saw, and what it paid."""

    observation: Observation
    images: int
    samples: int
    snapshots: int
    gaps: int


def whole(run: WholeRun) -> Spent:
    """The run as grids and bisection take it: all of its training, all of its samples."""
    samples = sum(total for _, _, total in run.selection) + run.total
    seen = Observation(run.size, run.count, run.total)
    return Spent(seen, run.images, samples, len(run.selection), 0)


def staged(
    count: int, total: int, ends: Sequence[int], rng: np.random.Generator, epsilon: float
) -> tuple[int, int]:
    """Samples are exchangeable: a stage is a draw without replacement from all that there are."""
    good = seen = 0
    for stage in ends:
        end = min(stage, total)
        if end > seen:
            left = count - good
            good += int(rng.hypergeometric(left, total - seen - left, end - seen))
        seen = end
        if design.enough(good, seen, epsilon=epsilon):
            break
    return good, seen


def frugal(run: WholeRun, rng: np.random.Generator, epsilon: float) -> Spent:
    """The run as the adaptive campaign takes it: early stops, samples in stages, gaps measured."""
    samples = 0
    for number, (seen, count, total) in enumerate(run.selection, 1):
        count, drawn = staged(count, total, SELECTION, rng, epsilon)
        samples += drawn
        if seen == run.images:
            break
        if design.will_reach(count, drawn, epsilon=epsilon):
            # A stopped run scores its snapshot on fresh samples; here its selection sample stands in.
            bound = Observation(run.size, count, drawn, "at-least")
            return Spent(bound, seen, samples + drawn, number, number)
        if design.never_reaches(count, drawn, images_seen=seen, images=run.images):
            most = design.most_at_the_end(count, drawn, images_seen=seen, images=run.images)
            bound = Observation(run.size, round(most * drawn), drawn, "at-most", design.RISE_ERROR)
            return Spent(bound, seen, samples + FRESH[0], number, number)
    count, total = staged(run.count, run.total, FRESH, rng, epsilon)
    return Spent(Observation(run.size, count, total), run.images, samples + total, number, number)


@dataclass(frozen=True)
class Replay:
    """What all designs share."""

    source: Source
    octaves: list[int]
    start: int
    epsilon: float
    tolerances: Sequence[float]
    rng: np.random.Generator


Step = tuple[list[Spent], set[float]]
"""The runs so far, and the tolerances that the design itself holds to be met."""
Design = Callable[[Replay], Iterator[Step]]
Sources = Callable[[int], tuple[Source, float]]


def adaptive(
    replay: Replay,
    take: Callable[[WholeRun, np.random.Generator, float], Spent] = frugal,
) -> Iterator[Step]:
    spent: list[Spent] = []
    while True:
        met: set[float] = set()
        for tolerance in sorted(replay.tolerances, reverse=True):
            proposal = design.next_runs(
                [s.observation for s in spent],
                grid=replay.source.grid,
                cost=lambda size: 1.0,  # every size sees equally many images
                epsilon=replay.epsilon,
                tolerance=tolerance,
                start=replay.start,
            )
            if proposal.runs:
                break
            met.add(tolerance)
        yield spent, met
        new = [replay.source(size) for size, _ in proposal.runs]
        spent += [take(run, replay.rng, replay.epsilon) for run in new]


def fixed_grid(replay: Replay) -> Iterator[Step]:
    spent: list[Spent] = []
    while True:
        spent += [whole(replay.source(size)) for size in replay.octaves]
        yield spent, set(replay.tolerances)


def bisection(replay: Replay) -> Iterator[Step]:
    spent: list[Spent] = []
    octaves = [size for size in replay.source.grid if _octaves_from(replay.start, size)]
    while True:
        rates: dict[int, float] = {}

        def reaches(size: int, rates: dict[int, float] = rates) -> bool:
            if size not in rates:
                run = whole(replay.source(size))
                spent.append(run)
                rates[size] = run.observation.count / run.observation.total
            return rates[size] >= 1 - replay.epsilon

        low = octaves.index(replay.start)
        high = low + 1
        while high < len(octaves) - 1 and reaches(octaves[high]):
            low, high = high, high + 1
        while low > 0 and not reaches(octaves[low]):
            low, high = low - 1, low
        middle = octaves[low] * math.sqrt(2)
        reaches(min(replay.source.grid, key=lambda size: abs(math.log(size / middle))))
        yield spent, set(replay.tolerances)


DESIGNS: dict[str, Design] = {
    "adaptive": adaptive,
    "fixed grid": fixed_grid,
    "bisection": bisection,
}


def _octaves_from(start: int, size: int) -> bool:
    return abs(math.log2(size / start) - round(math.log2(size / start))) < 1e-9


def cost(spent: Sequence[Spent], unit: Unit) -> dict[str, float]:
    """Add up runs, images, samples, seconds, and seconds with as many samples as the paper draws."""
    images, samples = sum(s.images for s in spent), sum(s.samples for s in spent)
    seconds = images * unit.image + samples * unit.sample + sum(s.gaps for s in spent) * unit.gap
    more = PAPER_SAMPLES * sum(s.snapshots for s in spent) - samples
    return {
        "runs": len(spent),
        "images": images,
        "samples": samples,
        "seconds": seconds,
        "seconds_as_the_paper": seconds + more * unit.sample,
    }


def follow(
    steps: Iterator[Step],
    fit: Callable[[Sequence[Observation]], CurvePosterior],
    tolerances: Sequence[float],
    reach: tuple[int, int],
) -> dict[float, tuple[list[Spent], CurvePosterior]]:
    """Follow a design until its interval has met every tolerance, or it has taken `MOST_RUNS`."""
    found: dict[float, tuple[list[Spent], CurvePosterior]] = {}
    for spent, met in steps:
        if not spent:
            continue
        posterior = fit([s.observation for s in spent])
        low, high = design.interval_within(posterior, reach)
        for tolerance in tolerances:
            narrow = math.log(high / low) <= 2 * math.log1p(tolerance) and len(spent) >= 4
            if tolerance not in found and (
                (narrow and tolerance in met) or len(spent) >= MOST_RUNS
            ):
                found[tolerance] = list(spent), posterior
        if len(found) == len(tolerances):
            break
    return found


def compare(
    sources: Sources, unit: Unit, options: argparse.Namespace, designs: Mapping[str, Design]
) -> list[dict[str, object]]:
    """Replay every design, print the table and return it; ``sources`` gives runs and the true EMM.

    One of the designs is called "adaptive", and the others are compared with it.
    """
    ends = [int(text) for text in options.octaves.split(",")]
    octaves = [size for size in WHOLE_GRID if ends[0] <= size <= ends[1]]
    tolerances = [float(text) for text in options.tolerances.split(",")]
    rows: dict[tuple[float, str], list[dict[str, float]]] = {}
    for number in range(options.replays):
        for name, steps in designs.items():
            source, truth = sources(number)
            rng = np.random.default_rng([1, number])
            reach = (source.grid[0], source.grid[-1])

            def fit(runs: Sequence[Observation], reach: tuple[int, int] = reach) -> CurvePosterior:
                return fit_curve(runs, epsilon=EPSILON, reach=reach)

            replay = Replay(source, octaves, options.start, EPSILON, tolerances, rng)
            done = follow(steps(replay), fit, tolerances, reach)
            for tolerance, (spent, posterior) in done.items():
                low, _, high = posterior.quantiles()
                row = {**cost(spent, unit), "held": float(low <= truth <= high)}
                row["capped"] = float(len(spent) >= MOST_RUNS)
                rows.setdefault((tolerance, name), []).append(row)
                if name == "fixed grid":
                    # Sizes far from the EMM have rates of 0 or 1 and tell nothing: they only cost.
                    share = len(WHOLE_GRID) / len(octaves)
                    wide = {
                        k: v * (1 if k in ("held", "capped") else share) for k, v in row.items()
                    }
                    rows.setdefault((tolerance, "whole grid"), []).append(wide)
    found = []
    for (tolerance, name), own in sorted(rows.items(), key=lambda item: (-item[0][0], item[0][1])):
        mean = {key: float(np.mean([row[key] for row in own])) for key in own[0]}
        base = {key: float(np.mean([r[key] for r in rows[tolerance, "adaptive"]])) for key in mean}
        ratios = {f"adaptive_{key}_ratio": base[key] / mean[key] for key in ("images", "seconds")}
        ratios["adaptive_seconds_ratio_as_the_paper"] = (
            base["seconds"] / mean["seconds_as_the_paper"]
        )
        found.append({"tolerance": tolerance, "design": name, **mean, **ratios})
        print(
            f"+-{tolerance:4.0%} {name:16} {mean['runs']:5.1f} runs {mean['images']:9.3g} images "
            f"{mean['samples']:7.0f} samples {mean['seconds']:6.0f} s, as the paper "
            f"{mean['seconds_as_the_paper']:7.0f} s; held {mean['held']:.2f}, at the cap "
            f"{mean['capped']:.2f}; adaptive takes {ratios['adaptive_images_ratio']:.2f} of the images, "
            f"{ratios['adaptive_seconds_ratio']:.2f} of the time",
            flush=True,
        )
    return found


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return the options that say what is replayed."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", type=int, help="simulate this world of emm_coverage.py")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--resolution", type=int)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--start", type=int, default=32)
    parser.add_argument("--sizes", default=SIZES, help="of the bank: size:replicates, ...")
    parser.add_argument("--octaves", default="8,128", help="ends of the fixed grid")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--tolerances", default="0.1,0.15,0.2,0.3")
    parser.add_argument("--out", type=Path, help="the bank; campaigns.json is written there")
    return parser


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    if options.world is None and options.out is None:
        parser.error("give --world, or --out for a bank of real runs")
    sources, unit = _simulated(options) if options.world is not None else trained(options)[:2]
    rows = compare(sources, unit, options, DESIGNS)
    if options.out:
        write(options.out / "campaigns.json", unit, options, rows)


def write(
    path: Path, unit: Unit, options: argparse.Namespace, rows: list[dict[str, object]]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"unit_seconds": vars(unit), "replays": options.replays, "designs": rows}
    path.write_text(json.dumps(result, indent=1) + "\n")


def _simulated(options: argparse.Namespace) -> tuple[Sources, Unit]:
    """Worlds whose EMM lies anywhere in the two middle octaves of the fixed grid."""
    world = WORLDS[options.world]
    away = true_crossing(world)
    low, high = (int(text) for text in options.octaves.split(","))
    grid = sorted({round(options.start * 2 ** (i / 4)) for i in range(-12, 24)})
    print(f"simulated: {world.name}")

    def sources(number: int) -> tuple[Source, float]:
        rng = np.random.default_rng([0, number])
        center = math.log(math.sqrt(low * high)) + rng.uniform(-1, 1) * math.log(2)
        return WorldDraws(world, grid, center - away, rng), math.exp(center)

    return sources, TINY


def trained(options: argparse.Namespace) -> tuple[Sources, Unit, Bank]:
    """A bank of real runs; what it says as a whole is taken for the truth."""
    dataset = load_images(options.data, resolution=options.resolution)
    settings = [*options.set, "search.early_stop=false"]
    config = override(preset(options.preset, kind=dataset.kind), settings)
    wanted = {int(s): int(n) for s, n in (part.split(":") for part in options.sizes.split(","))}
    tasks = [
        search_run(size, replicate, seed=0, out=options.out, config=config, device="cpu")
        for replicate in range(max(wanted.values()))
        for size, most in wanted.items()
        if replicate < most
    ]
    scaled, _ = for_models(dataset)
    with Workers(options.workers, scaled, threads=1) as pool:
        pool.run_each(tasks, execute, on_poll=lambda: None)
    bank = read_bank(tasks)
    runs = [whole(run).observation for own in bank.values() for run in own]
    everything = fit_curve(runs, epsilon=EPSILON, reach=(min(bank), max(bank)))
    print(f"all {len(runs)} runs of the bank: EMM {everything.emm()}")
    print(f"  slope {everything.slope()} logits per doubling, spread {everything.spread()}")
    truth = everything.quantiles()[1]

    def sources(number: int) -> tuple[Source, float]:
        return BankDraws(bank, np.random.default_rng([0, number])), truth

    return sources, measure_unit(tasks[0], scaled), bank


if __name__ == "__main__":
    main()
