"""What would a search save that ends its runs half-way and reads their end from the gap?

    python benchmarks/half_runs.py --data digits --out bank/digits --line bank/cifar8/line.json

Replays campaigns, as `bench_campaigns.py` does and from the same bank of real runs, in which a run is
trained to half of its images, draws no sample, and enters the estimator by what a line in ln gap (sigma
0.4, at half) says of the logit of its rate at the end: as many effective samples as the line's error
leaves. Two of them:

    half, line known     every run, with the line of the other runs of the bank: the most that can be
                         saved, since nobody has that line before a search
    half, own line       four whole runs first, as the search does; then half ones, with the slope and
                         the error of another bank's line (`--line`), and the height of the search's own

The line of this bank is written to line.json beside half.json: the other bank's goes first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from bench_campaigns import (
    Design,
    Replay,
    Spent,
    Step,
    adaptive,
    arguments,
    compare,
    frugal,
    trained,
    write,
)
from campaign_runs import Bank, WholeRun

from rote.emm.curve import Observation

HALF = 1
"""Place of the snapshot at half of the training."""
WHOLE_RUNS = 4
INFORMATIVE = (0.05, 0.995)
MOST_EFFECTIVE = 1000
FURTHEST_LOGIT = 6.0


@dataclass(frozen=True)
class Line:
    """logit of the rate at the end = height - slope ln gap at half; ``error`` beyond that of samples."""

    height: float
    slope: float
    error: float


def ends(runs: Sequence[WholeRun]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ln gap at half, the logit at the end, and that logit's variance by sampling."""
    count = np.array([run.count for run in runs]) + 0.5
    rest = np.array([run.total for run in runs]) + 1 - count
    gap = np.log([run.gaps[HALF] for run in runs])
    return gap, np.log(count / rest), 1 / count + 1 / rest


def informative(runs: Sequence[WholeRun]) -> list[WholeRun]:
    low, high = INFORMATIVE
    return [run for run in runs if low < run.count / run.total < high]


def line_of(runs: Sequence[WholeRun]) -> Line:
    """Fit the line; its error is that of each run from the line of the others."""
    gap, logit, noise = ends(informative(runs))
    square = []
    for left in range(len(gap)):
        others = np.arange(len(gap)) != left
        slope, height = np.polyfit(gap[others], logit[others], 1)
        square.append((logit[left] - height - slope * gap[left]) ** 2)
    slope, height = np.polyfit(gap, logit, 1)
    return Line(float(height), float(-slope), math.sqrt(max(0.0, float(np.mean(square - noise)))))


def half(run: WholeRun, line: Line, error: float) -> Spent:
    """The run as one trained half-way, read by its gap."""
    logit = line.height - line.slope * math.log(run.gaps[HALF])
    logit = max(-FURTHEST_LOGIT, min(FURTHEST_LOGIT, logit))
    rate = 1 / (1 + math.exp(-logit))
    total = max(2, min(MOST_EFFECTIVE, round(1 / (error**2 * rate * (1 - rate)))))
    seen = Observation(run.size, round(rate * total), total)
    return Spent(seen, run.selection[HALF][0], 0, HALF + 1, HALF + 1)


def known_line(replay: Replay, bank: Bank) -> Iterator[Step]:
    """Every run half-way, read by the line of all other runs."""
    everything = [run for own in bank.values() for run in own]

    def take(run: WholeRun, rng: np.random.Generator, epsilon: float) -> Spent:
        line = line_of([other for other in everything if other is not run])
        return half(run, line, line.error)

    return adaptive(replay, take)


def own_line(replay: Replay, other: Line) -> Iterator[Step]:
    """Whole runs until four are there and two of them tell the line's height, then half ones.

    The half runs share the error of the height, so that it does not average out: of m of them, m times
    its variance stands in each.
    """
    whole: list[WholeRun] = []
    halves: dict[int, WholeRun] = {}

    def read(run: WholeRun) -> Spent:
        gap, logit, noise = ends(informative(whole))
        weight = 1 / (noise + other.error**2)
        height = float(weight @ (logit + other.slope * gap) / weight.sum())
        error = math.sqrt(other.error**2 + len(halves) / float(weight.sum()))
        return half(run, Line(height, other.slope, other.error), error)

    def take(run: WholeRun, rng: np.random.Generator, epsilon: float) -> Spent:
        if len(whole) < WHOLE_RUNS or len(informative(whole)) < 2:
            whole.append(run)
            return frugal(run, rng, epsilon)
        halves[len(whole) + len(halves)] = run
        return read(run)

    for spent, met in adaptive(replay, take):
        for place, run in halves.items():
            spent[place] = read(run)
        yield spent, met


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--line", type=Path, help="line.json of another bank")
    options = parser.parse_args()
    if options.out is None:
        parser.error("give --out, a bank of real runs")
    sources, unit, bank = trained(options)
    line = line_of([run for own in bank.values() for run in own])
    print(f"line of this bank: {line}")
    (options.out / "line.json").write_text(json.dumps(asdict(line), indent=1) + "\n")
    designs: dict[str, Design] = {
        "adaptive": adaptive,
        "half, line known": partial(known_line, bank=bank),
    }
    if options.line:
        other = Line(**json.loads(options.line.read_text()))
        designs["half, own line"] = partial(own_line, other=other)
    write(options.out / "half.json", unit, options, compare(sources, unit, options, designs))


if __name__ == "__main__":
    main()
