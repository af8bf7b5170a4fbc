"""Do the intervals of a study hold the truth where its values differ in more than their means?

    python benchmarks/validity/studies_held.py --campaigns 500 --runs 2 3
    python benchmarks/validity/studies_held.py --paper --campaigns 100 --runs 1 3

Simulated studies of five values whose runs have 400 samples each, analyzed by `rote.stats.rate_model`.
"Held": the share of 95 % intervals of the mean rate, and of the differences to the first value, that
hold the truth. "Flagged": the value's runs lie so far apart that its mean is called not known.
With --paper: the study of labels at the paper's scale, its rates, and a spread between runs of 0.15.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from rote.stats.beta_binomial import mean_rate
from rote.stats.rate_model import fit_rates
from rote.stats.rates import wilson

SAMPLES = 400
MIDDLES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
TAKEN_OFF, GROUNDED = 2.5, -3.0
Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True)
class World:
    """What is true: the mean rate of each value (5,), and how the logits (5, runs) are drawn."""

    name: str
    truth: Floats
    draw: Draw


def spread_world(name: str, middles: Floats, spreads: Floats, *, heavy: bool = False) -> World:
    """Return a world of runs around a middle, normal or from a t distribution of 3 degrees."""

    def draw(rng: np.random.Generator, runs: int) -> Floats:
        shape = len(middles), runs
        z = rng.standard_t(3, shape) if heavy else rng.standard_normal(shape)
        return middles[:, None] + spreads[:, None] * z

    z = np.random.default_rng(7).standard_t(3, 400_000)
    truth = [
        expit(middle + spread * z).mean() if heavy else mean_rate(np.array(middle), float(spread))
        for middle, spread in zip(middles, spreads, strict=True)
    ]
    return World(name, np.array(truth, float), draw)


def taking_off(name: str, chances: Floats) -> World:
    """Return a world of runs that copy or do not; a value whose chance is nan has a spread of 0.3."""
    jumps = ~np.isnan(chances)

    def draw(rng: np.random.Generator, runs: int) -> Floats:
        near = 0.3 * rng.standard_normal((len(chances), runs))
        off = rng.random((len(chances), runs)) < np.nan_to_num(chances)[:, None]
        middle = np.where(jumps[:, None], np.where(off, TAKEN_OFF, GROUNDED), MIDDLES[:, None])
        return middle + near

    high, low = (mean_rate(np.array(at), 0.3) for at in (TAKEN_OFF, GROUNDED))
    steady = [float(mean_rate(np.array(middle), 0.3)) for middle in MIDDLES]
    return World(name, np.where(jumps, chances * high + (1 - chances) * low, steady), draw)


def only(place: int, value: float, others: float) -> Floats:
    """Return five numbers, one of them another."""
    found = np.full(5, others)
    found[place] = value
    return found


WORLDS = (
    spread_world("alike: spread 0.4", MIDDLES, np.full(5, 0.4)),
    spread_world("alike: spread 0.1", MIDDLES, np.full(5, 0.1)),
    spread_world("alike: spread 1", MIDDLES, np.full(5, 1.0)),
    spread_world("deviations from t, 3 degrees, 0.4", MIDDLES, np.full(5, 0.4), heavy=True),
    spread_world("one noisy: 1.5, the others 0.3", np.zeros(5), only(2, 1.5, 0.3)),
    spread_world("one quiet: 0.1, the others 1", np.zeros(5), only(2, 0.1, 1.0)),
    taking_off("all take off or not", np.array([0.2, 0.35, 0.5, 0.65, 0.8])),
    taking_off("one takes off or not, 0.5", only(2, 0.5, np.nan)),
)


LABELS = {
    "none": (0.919, 0.608, 0.344, 0.170, 0.089),
    "true": (0.966, 0.794, 0.554, 0.374, 0.228),
    "random": (0.960, 0.797, 0.571, 0.389, 0.233),
}
"""Rates of Gu et al. (2025) at 1,000 to 5,000 training images."""


def paper(runs: int, campaigns: int, *, spread: float = 0.15, samples: int = 10_000) -> str:
    """Return what is known of true labels against none at 2,000 training images."""
    each = 1 - 0.05 / 15  # 15 comparisons
    found = []
    for seed in range(campaigns):
        rng = np.random.default_rng([seed, runs])
        counts = {
            (value, place): [
                (int(rng.binomial(samples, expit(logit(rate) + spread * z))), samples)
                for z in rng.standard_normal(runs)
            ]
            for value, rates in LABELS.items()
            for place, rate in enumerate(rates)
        }
        found.append(fit_rates(counts).difference(("true", 1), ("none", 1), confidence=each))
    low, middle, high = (
        np.median([getattr(d, n) for d in found]) for n in ("low", "value", "high")
    )
    decided = wilson(sum(d.low > 0 for d in found), campaigns)
    return (
        f"{runs} runs a value: true less none at 2,000 is {middle:+.2f} [{low:+.2f}, {high:+.2f}] "
        f"(medians), above 0 in {decided.value:.2f} [{decided.low:.2f}, {decided.high:.2f}] of studies"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--campaigns", type=int, default=500, help="of each world")
    parser.add_argument("--runs", type=int, nargs="+", default=[2, 3], help="of each value")
    parser.add_argument("--paper", action="store_true", help="the paper's study of labels instead")
    options = parser.parse_args()
    if options.paper:
        for runs in options.runs:
            print(paper(runs, options.campaigns))
        return
    print(f"{'world':36} runs  held or flagged, all     the odd value            ", end="")
    print("differences              flagged, all; odd  width")
    for runs in options.runs:
        for world in WORLDS:
            print(row(world, runs, options.campaigns), flush=True)


def row(world: World, runs: int, campaigns: int) -> str:
    """Return what came out of the studies of one world as a line."""
    held, flagged, differences, widths = [], [], [], []
    for seed in range(campaigns):
        rng = np.random.default_rng([seed, runs])
        counts = rng.binomial(SAMPLES, expit(world.draw(rng, runs)))
        model = fit_rates({key: [(int(k), SAMPLES) for k in own] for key, own in enumerate(counts)})
        rates = [model.rate(key) for key in range(5)]
        known = [rate.known for rate in rates]
        inside = [r.low <= t <= r.high for r, t in zip(rates, world.truth, strict=True)]
        held.append(inside)
        flagged.append([not one for one in known])
        widths.append([r.high - r.low for r in rates])
        for key in range(1, 5):
            found = model.difference(key, 0)
            aim = world.truth[key] - world.truth[0]
            known_pair = known[key] and known[0]
            differences.append(not known_pair or found.low <= aim <= found.high)
    good, flag = np.array(held) | np.array(flagged), np.array(flagged)
    told = [share(good), share(good[:, 2]), share(np.array(differences))]
    return (
        f"{world.name:36} {runs:4}  {'  '.join(told)}  "
        f"{flag.mean():.3f}; {flag[:, 2].mean():.3f}      {np.mean(widths):.2f}"
    )


def share(hits: npt.NDArray[np.bool_]) -> str:
    """Return a share with its interval."""
    found = wilson(int(hits.sum()), hits.size)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    main()
