"""The rate of copies over the training-set size as a curve with an error, and the EMM as its crossing.

Each trained run i has a size N_i and count k_i of n_i fresh samples that were copies. Two runs of one
size differ by more than their samples: another subset, other initial weights, other noise. So

    k_i ~ Binomial(n_i, sigmoid(eta_i)),   eta_i = m(log N_i) + spread * z_i,   z_i ~ Normal(0, 1),

with a falling line m of two slopes that meet where the *mean* rate over runs is 1 - epsilon:

    m(x) = h - a (x - c) for x <= c,  h - b (x - c) for x > c,   E_z sigmoid(h + spread z) = 1 - epsilon.

c = log EMM is what is asked for; the slopes, their difference and the spread are integrated out on
a grid (no sampler, so the same runs give the same bytes). Priors: log EMM flat over the sizes
within reach and somewhat beyond; each slope log-normal, of diffusion models around 3 logits per e-fold
(standard deviation 0.6 of its log; the curves of Gu et al. 2025 have 2 to 3.6), of models of any other
kind around 1.5 (1.2); the log-ratio of the two normal around 0 (0.8); the spread half-t (3 degrees of
freedom, scale 0.6): with few runs it is known by that alone, which widens the interval. These widths were
set by simulation (`benchmarks/emm_coverage.py`, `benchmarks/trainer_coverage.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.stats.beta_binomial import (
    DIFFUSION,
    ETA,
    ETA_END,
    ETA_STEP,
    NEGLIGIBLE,
    SPREADS,
    Bound,
    Floats,
    SlopePrior,
    heights,
    mean_rate,
    refined_slopes,
    run_log_likelihood,
    slope_spread_prior,
    weighted_quantiles,
)

Status = Literal["bracketed", "above", "below", "unknown"]

BEYOND = 1.5  # how far beyond the sizes within reach the EMM may lie, in e-folds
COARSE_STEP = 0.15
FINE_NODES = 97


@dataclass(frozen=True)
class Observation:
    """What fresh samples said of one run.

    ``bound`` is "exact" for a run that was trained and scored to its end. "at-least": its training was
    stopped early, and its rate would have been no less than the one seen. "at-most": it was stopped since
    it would not have passed count / total, a rule that is wrong with probability ``error``.
    """

    size: int
    count: int
    total: int
    bound: Bound = "exact"
    error: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.total < 1 or not 0 <= self.count <= self.total:
            raise ConfigError(
                f"a run of size {self.size} with {self.count} copies in {self.total} samples is "
                "impossible; size and total are at least 1, and 0 <= count <= total"
            )
        if not 0 <= self.error < 1:
            raise ConfigError(f"error is {self.error}; it is a probability below 1")


@dataclass(frozen=True)
class EmmInterval:
    """The EMM in training items; None: ends beyond the trained sizes, and all where it is "unknown"."""

    value: float | None
    low: float | None
    high: float | None
    status: Status
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Return plain types, four significant digits."""

        def short(value: float | None) -> float | None:
            return None if value is None else float(f"{value:.4g}")

        return {
            "value": short(self.value),
            "low": short(self.low),
            "high": short(self.high),
            "status": self.status,
            "confidence": self.confidence,
        }


@dataclass(frozen=True, eq=False)
class CurvePosterior:
    """What the runs say of the curve; see the module's docstring.

    Attributes
    ----------
    epsilon
        Where the two slopes meet.
    centers
        float64 (C,): nodes of c = log EMM, ascending and evenly spaced.
    above, below
        float64 (A,), (B,): nodes of the slope up to c and beyond, logits per e-fold, evenly spaced logs.
    weight
        float64 (C, A, B, S): probability of each node, slope above, slope below, and spread.
    trained
        Smallest and largest size trained.
    runs
        Number of runs.
    """

    epsilon: float
    centers: Floats
    above: Floats
    below: Floats
    weight: Floats
    trained: tuple[int, int]
    runs: int

    @functools.cached_property
    def mass(self) -> Floats:
        """Probability of each center, float64 (C,)."""
        return np.asarray(self.weight.sum(axis=(1, 2, 3)))

    def emm(self, epsilon: float | None = None, *, confidence: float = 0.95) -> EmmInterval:
        """Return the EMM at any epsilon, with its equal-tailed interval.

        An end of the interval beyond the trained sizes rests on the prior and is left out: the EMM is
        then "above" or "below", and the other end is a bound (one-sided, so at (1 + confidence) / 2).
        """
        low, value, high = self.quantiles(epsilon, confidence=confidence)
        smallest, largest = self.trained
        if low < smallest and high > largest:
            status: Status = "above" if math.sqrt(smallest * largest) < value else "below"
            return EmmInterval(None, None, None, status, confidence)
        if high > largest:
            return EmmInterval(None, float(min(low, largest)), None, "above", confidence)
        if low < smallest:
            return EmmInterval(None, None, float(max(high, smallest)), "below", confidence)
        return EmmInterval(float(value), float(low), float(high), "bracketed", confidence)

    def quantiles(
        self, epsilon: float | None = None, *, confidence: float = 0.95
    ) -> tuple[float, float, float]:
        """Return low, median and high of the EMM, wherever they lie."""
        low, middle, high = np.exp(self._log_quantiles(epsilon, confidence))
        return float(low), float(middle), float(high)

    def _log_quantiles(self, epsilon: float | None, confidence: float) -> Floats:
        tails = np.array([(1 - confidence) / 2, 0.5, (1 + confidence) / 2])
        if epsilon is None or epsilon == self.epsilon:
            return weighted_quantiles(self.centers, self.mass, tails)
        # h(1 - epsilon') = h(1 - epsilon) - slope (x - c), with the slope of its own side.
        fall = heights(1 - self.epsilon) - heights(1 - epsilon)  # (S,)
        beyond = epsilon > self.epsilon
        slope = self.weight.sum(axis=1 if beyond else 2)  # (C, slope, S)
        crossing = (
            self.centers[:, None, None] + fall / (self.below if beyond else self.above)[:, None]
        )
        return weighted_quantiles(crossing.ravel(), slope.ravel(), tails)

    def band(
        self, sizes: npt.ArrayLike, *, confidence: float = 0.95
    ) -> tuple[Floats, Floats, Floats]:
        """Return the median of the mean rate at each size, and the ends of its interval."""
        tails = np.array([0.5, (1 - confidence) / 2, (1 + confidence) / 2])
        height = heights(1 - self.epsilon)
        sums = {axis: self.weight.sum(axis=axis) for axis in (1, 2)}
        found = []
        for x in np.log(np.asarray(sizes, float)):
            away = x - self.centers
            # Only one of the two slopes matters on each side of the crossing.
            rates, masses = [], []
            for side, slopes, other in ((away <= 0, self.above, 2), (away > 0, self.below, 1)):
                eta = height - slopes[:, None] * away[side][:, None, None]
                rate = np.empty_like(eta)
                for place, spread in enumerate(SPREADS):
                    rate[..., place] = mean_rate(eta[..., place], float(spread))
                rates.append(rate.ravel())
                masses.append(sums[other][side].ravel())
            found.append(weighted_quantiles(np.concatenate(rates), np.concatenate(masses), tails))
        middle, low, high = np.array(found).reshape(-1, 3).T
        return middle, low, high

    def slope(self, *, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return median, low and high of the fall around the EMM, in logits per doubling of the size."""
        tails = np.array([0.5, (1 - confidence) / 2, (1 + confidence) / 2])
        mean = np.sqrt(self.above[:, None] * self.below) * math.log(2)
        found = weighted_quantiles(mean.ravel(), self.weight.sum(axis=(0, 3)).ravel(), tails)
        return float(found[0]), float(found[1]), float(found[2])

    def spread(self, *, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return median, low and high of the standard deviation between runs, in logits."""
        tails = np.array([0.5, (1 - confidence) / 2, (1 + confidence) / 2])
        mass = self.weight.sum(axis=(0, 1, 2))
        found = np.exp(weighted_quantiles(np.log(SPREADS), mass, tails))
        return float(found[0]), float(found[1]), float(found[2])

    def density(self) -> tuple[Floats, Floats]:
        """Return sizes and the posterior density of log EMM at them, both float64 (C,)."""
        return np.exp(self.centers), self.mass / (self.centers[1] - self.centers[0])

    def to_json(self, *, confidence: float = 0.95) -> dict[str, Any]:
        """Return the curve as plain types: slope, spread, band over the trained sizes, density."""
        low, high = self.trained
        sizes = np.exp(np.linspace(math.log(low / 1.5), math.log(high * 1.5), 61))
        middle, bottom, top = self.band(sizes, confidence=confidence)
        at, density = self.density()
        keep = density > density.max() * 1e-4

        def triple(found: tuple[float, float, float]) -> dict[str, float]:
            value, low, high = (float(f"{x:.4g}") for x in found)
            return {"value": value, "low": low, "high": high}

        return {
            "runs": self.runs,
            "confidence": confidence,
            "logits_per_doubling": triple(self.slope(confidence=confidence)),
            "spread_between_runs": triple(self.spread(confidence=confidence)),
            "band": [
                {
                    "size": float(f"{size:.5g}"),
                    "rate": round(float(m), 5),
                    "low": round(float(b), 5),
                    "high": round(float(t), 5),
                }
                for size, m, b, t in zip(sizes, middle, bottom, top, strict=True)
            ],
            "posterior": [
                {"size": float(f"{size:.5g}"), "density": float(f"{value:.4g}")}
                for size, value in zip(at[keep], density[keep], strict=True)
            ],
        }


def fit_curve(
    observations: Sequence[Observation],
    *,
    epsilon: float = 0.1,
    reach: tuple[int, int],
    slopes: SlopePrior = DIFFUSION,
) -> CurvePosterior:
    """Fit the curve to the runs seen so far.

    Parameters
    ----------
    observations
        At least one run.
    epsilon
        The EMM is where the mean rate falls below 1 - epsilon; in (0, 1).
    reach
        Smallest and largest size that could be trained.
    slopes
        Their prior.

    Raises
    ------
    ConfigError
        If there are no runs, or a number is out of range.

    >>> seen = {22: 998, 32: 990, 45: 905, 64: 655, 90: 200}
    >>> runs = [Observation(size, count, 1000) for size, count in seen.items()]
    >>> found = fit_curve(runs, epsilon=0.1, reach=(4, 1000)).emm()
    >>> found.status, 32 < found.low < found.value < found.high < 64
    ('bracketed', True)
    """
    if not observations:
        raise ConfigError("there are no runs to fit a curve to; train at least one")
    if not 0 < epsilon < 1:
        raise ConfigError(f"epsilon is {epsilon}; it must lie strictly between 0 and 1")
    key = sorted((run.size, run.count, run.total, run.bound, run.error) for run in observations)
    return _fit(tuple(Observation(*run) for run in key), epsilon, reach, slopes)


@functools.lru_cache(maxsize=8)
def _fit(
    observations: tuple[Observation, ...], epsilon: float, reach: tuple[int, int], prior: SlopePrior
) -> CurvePosterior:
    """Fit the curve once: the search, its answer and its price ask for the same one."""
    low, high = math.log(reach[0]) - BEYOND, math.log(reach[1]) + BEYOND
    nodes = max(2, math.ceil((high - low) / COARSE_STEP) + 1)
    coarse = np.linspace(low, high, nodes)
    tables: dict[int, Floats] = {}
    for run in sorted(observations, key=lambda run: (run.size, run.count, run.total, run.bound)):
        table = run_log_likelihood(run.count, run.total, run.bound, run.error)
        tables[run.size] = tables[run.size] + table if run.size in tables else table

    def weights(centers: Floats, above: Floats, below: Floats) -> Floats:
        likelihood = _likelihood(centers, above, below, tables, epsilon)
        return likelihood * slope_spread_prior(prior, above, below)

    above = below = prior.nodes
    mass = weights(coarse, above, below).sum(axis=(1, 2, 3))
    likely = np.flatnonzero(mass > mass.max() * NEGLIGIBLE)
    first, last = max(likely[0] - 1, 0), min(likely[-1] + 1, nodes - 1)
    centers = np.linspace(coarse[first], coarse[last], FINE_NODES)
    rough, axes = weights(centers, above, below), ((0, 2, 3), (0, 1, 3))
    above, below = (refined_slopes(prior.nodes, rough.sum(axis=each)) for each in axes)
    weight = weights(centers, above, below)
    weight /= weight.sum()
    return CurvePosterior(
        epsilon=epsilon,
        centers=centers,
        above=above,
        below=below,
        weight=weight,
        trained=(min(tables), max(tables)),
        runs=len(observations),
    )


def _likelihood(
    centers: Floats, above: Floats, below: Floats, tables: Mapping[int, Floats], epsilon: float
) -> Floats:
    """Return the likelihood at every node up to a constant, float64 (C, A, B, S)."""
    # Log likelihood of the runs up to c and of those beyond; each has a slope of its own.
    sides = [np.zeros((len(centers), len(slopes), len(SPREADS))) for slopes in (above, below)]
    height = heights(1 - epsilon)
    rows = np.arange(len(SPREADS)) * len(ETA)  # one row of a run's table per spread
    for size, table in tables.items():
        away = math.log(size) - centers
        for total, slopes, own in ((sides[0], above, away <= 0), (sides[1], below, away > 0)):
            eta = height - slopes[:, None] * away[own][:, None, None]
            place = np.clip((eta + ETA_END) / ETA_STEP, 0, len(ETA) - 1.001)
            left = place.astype(np.int64)
            at = left + rows
            here = table.ravel()[at]
            total[own] += here + (place - left) * (table.ravel()[at + 1] - here)
    # The greatest of each center is taken out, so that neither side alone underflows.
    tops = [side.max(axis=(1, 2)) for side in sides]
    most = tops[0] + tops[1]
    scale = np.exp(most - most.max())
    up, beyond = (np.exp(side - top[:, None, None]) for side, top in zip(sides, tops, strict=True))
    return np.asarray((up * scale[:, None, None])[:, :, None, :] * beyond[:, None, :, :])
