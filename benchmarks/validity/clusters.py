"""Intervals and tests of what comes in clusters, and two nulls: simulated worlds whose truth is known.

    python benchmarks/validity/clusters.py --draws 2000 --out clusters.json
    python benchmarks/validity/clusters.py --only rates kappa

    rates       share of 95 % intervals that hold the rate, by sizes of clusters, rate and correlation
    kappa       the same of Cohen's kappa: every image alone, and with the caption as the unit
    copying     C_T: share of p-values below 0.05 where nothing is copied, repeats not known and known
    likelihood  the likelihood gap where nothing is copied: gap, excess, and whether that holds 0
    monitor     trainings of 100 looks that raise an alarm: null rate assumed, and by held-out images

Prints a line a world. One core, some minutes; `--draws` scales all of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_json
from rote.metrics import data_copying
from rote.metrics.data_copying import three_sample_test
from rote.metrics.feature_likelihood import likelihood_gap
from rote.stats.agreement import kappa_interval, kappa_of
from rote.stats.clustered import clustered_rate
from rote.stats.sequential import binomial_p_value, fisher_p_value, spent_alpha

Rng = np.random.Generator
Places = npt.NDArray[np.int64]
Rows = Iterator[dict[str, Any]]


def zipf(clusters: int, total: int) -> Places:
    """Return sizes in proportion to 1, 1/2, 1/3 ..., at least 1."""
    share = 1 / np.arange(1, clusters + 1)
    return np.maximum(np.rint(share / share.sum() * total), 1).astype(np.int64)


SIZES = {
    "30 of Zipf's sizes": zipf(30, 1000),
    "100 of Zipf's sizes": zipf(100, 2000),
    "100, one holds half": np.r_[990, np.full(99, 10)],
    "2 of 50": np.full(2, 50),
    "3 of 50": np.full(3, 50),
    "5 of 50": np.full(5, 50),
    "5 of Zipf's sizes": zipf(5, 250),
    "8 of 50": np.full(8, 50),
    "12 of 20": np.full(12, 20),
    "30 of 20": np.full(30, 20),
    "300 of 5": np.full(300, 5),
}


def probabilities(rng: Rng, mean: float, correlation: float, clusters: int) -> Any:
    """Return a probability for each cluster: Beta of that mean and correlation within clusters."""
    total = 1 / correlation - 1
    return rng.beta(mean * total, (1 - mean) * total, clusters)


def seldom(rng: Rng, mean: float, _: float, clusters: int) -> Any:
    """Return 0.7 for some clusters and 0 for the others."""
    return 0.7 * (rng.random(clusters) < mean / 0.7)


def rates(draws: int) -> Rows:
    """Hold rates of clusters against their truth."""
    worlds: list[tuple[str, Callable[..., Any], tuple[float, ...]]] = [
        ("Beta", probabilities, (0.02, 0.2, 0.5, 0.9)),
        ("0.7 or never", seldom, (1.0,)),
    ]
    for name, sizes in SIZES.items():
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        for world, chances, correlations in worlds:
            for mean in (0.02, 0.1, 0.3, 0.6):
                for correlation in correlations:
                    rng = np.random.default_rng(1)
                    held, width = 0, []
                    for _ in range(draws):
                        own = chances(rng, mean, correlation, len(sizes))
                        found = clustered_rate(rng.random(len(cluster)) < own[cluster], cluster)
                        held += found.low <= mean <= found.high
                        width.append(found.high - found.low)
                    yield {
                        "world": f"{world}, {name}",
                        "rate": mean,
                        "correlation": correlation,
                        "held": held / draws,
                        "width": float(np.median(width)),
                    }


def kappa(draws: int) -> Rows:
    """Hold kappa of two rulers against its truth, where captions decide rates and disagreement."""
    for captions, each in ((10, 100), (20, 20), (60, 20)):
        for correlation in (0.2, 0.5, 0.9):
            cluster = np.repeat(np.arange(captions), each)
            p, d = 0.3, 0.2
            truth = float(kappa_of(np.array([p * (1 - d), p * d, (1 - p) * d, (1 - p) * (1 - d)])))
            rng, held = np.random.default_rng(2), np.zeros(2)
            for number in range(draws):
                copied = probabilities(rng, p, correlation, captions)[cluster]
                apart = probabilities(rng, d, correlation, captions)[cluster]
                first = rng.random(len(cluster)) < copied
                second = first ^ (rng.random(len(cluster)) < apart)
                for place, unit in enumerate((None, cluster)):
                    found = kappa_interval(first, second, seed=number, cluster=unit)
                    held[place] += found is not None and found[0] <= truth <= found[1]
            yield {
                "world": f"{captions} captions of {each}",
                "correlation": correlation,
                "held, each image alone": held[0] / draws,
                "held, the caption as unit": held[1] / draws,
            }


def repeats(rng: Rng, kind: str) -> tuple[Any, Places]:
    """Return 300 items of one normal distribution, and which are one draw."""
    if kind == "Zipf's sizes":
        sizes = zipf(40, 300)
    else:
        sizes = np.full(300, 1) if kind == "none" else np.full(30, 10)
    group = np.repeat(np.arange(len(sizes)), sizes)
    share = {"none": 1.0, "equal": 1.0, "captions, 0.9": 0.9, "captions, 0.5": 0.5}.get(
        kind, 1 - 1e-6
    )
    own, common = rng.normal(size=(len(group), 4)), rng.normal(size=(len(sizes), 4))
    return np.sqrt(share) * common[group] + np.sqrt(1 - share) * own, group


def copying(draws: int) -> Rows:
    """Test for copying where there is none."""
    data_copying.REPLICATES = 2  # of the interval, which is not looked at
    for kind in ("none", "equal", "nearly equal", "Zipf's sizes", "captions, 0.9", "captions, 0.5"):
        rng, below = np.random.default_rng(3), np.zeros(2)
        for number in range(draws):
            made, group = repeats(rng, kind)
            training, fresh = rng.normal(size=(400, 4)), rng.normal(size=(300, 4))
            for place, groups in enumerate(((None, None), (group, None))):
                found = three_sample_test(made, training, fresh, groups=groups, seed=number)
                below[place] += found.p_value < 0.05
        yield {
            "world": f"repeats: {kind}",
            "p < 0.05, groups not known": below[0] / draws,
            "p < 0.05, groups known": below[1] / draws,
        }


def likelihood(draws: int) -> Rows:
    """Take the likelihood gap where nothing is copied."""
    for made, dimensions in ((100, 4), (300, 4), (600, 4), (300, 16)):
        rng, gaps, excess, held = np.random.default_rng(4), [], [], 0
        for number in range(draws):
            sides = [rng.normal(size=(n, dimensions)) for n in (made, 400, 300)]
            found = likelihood_gap(*sides, seed=number)
            gaps.append(found.gap.value)
            excess.append(found.excess.value)
            held += found.excess.low <= 0 <= found.excess.high
        yield {
            "world": f"{made} generated, 400 training, 300 held out, {dimensions} dimensions",
            "gap": float(np.mean(gaps)),
            "excess": float(np.mean(excess)),
            "excess, error of the mean": float(np.std(excess) / np.sqrt(draws)),
            "held 0": held / draws,
        }


def monitor(draws: int, *, looks: int = 100, samples: int = 1000) -> Rows:
    """Watch trainings that copy nothing, whose samples look like copies at some rate all the same."""
    spent = [spent_alpha(0.05, look) for look in range(1, looks + 1)]
    for rate in (0.001, 0.002, 0.003):
        rng, alarms = np.random.default_rng(5), dict.fromkeys((0, 1000, 10_000), 0)
        for _ in range(draws):
            counts = rng.binomial(samples, rate, looks)
            for null in alarms:
                if null == 0:  # nothing is held out: the null is assumed
                    tests = [binomial_p_value(int(c), samples, rate=0.001) for c in counts]
                else:
                    held = {"control_count": int(rng.binomial(null, rate)), "control_total": null}
                    known = {c: fisher_p_value(int(c), samples, **held) for c in np.unique(counts)}
                    tests = [known[c] for c in counts]
                alarms[null] += any(p <= alpha for p, alpha in zip(tests, spent, strict=True))
        yield {
            "world": f"true rate {rate}",
            "alarms, 0.001 assumed": alarms[0] / draws,
            "alarms, 1,000 held out": alarms[1000] / draws,
            "alarms, 10,000 held out": alarms[10_000] / draws,
        }


PARTS: dict[str, tuple[Callable[[int], Rows], float]] = {
    "rates": (rates, 1.0),
    "kappa": (kappa, 0.25),
    "copying": (copying, 0.2),
    "likelihood": (likelihood, 0.05),
    "monitor": (monitor, 0.25),
}
"""Each part with the share of `--draws` that it takes."""


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for name in given.only:
        part, share = PARTS[name]
        draws = max(20, int(given.draws * share))
        for row in part(draws):
            found.setdefault(name, []).append({"draws": draws, **row})
            numbers = (f"{k} {v:.3g}" for k, v in row.items() if k != "world")
            print(f"{name}: {row['world']}: {', '.join(numbers)}", flush=True)
            if given.out:
                write_json(given.out, found)


if __name__ == "__main__":
    main()
