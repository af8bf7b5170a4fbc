"""What the runs of a study say: mean rates with the variance between runs in them, and differences.

Two runs of one setting differ by more than their samples (another subset, other weights, other noise).
For the runs i of one setting v (a value at a size),

    k_i ~ Binomial(n_i, sigmoid(mu_v + spread_v z_i)),   z_i ~ Normal(0, 1),

and what is asked for is the mean rate E_z sigmoid(mu_v + spread_v z). Two or three runs of a setting
cannot tell their own spread, the standard deviation between runs in logits, so it is drawn towards one
that is common to the study: ln spread_v has a t distribution (2 degrees of freedom, scale 0.3) around ln
of the common one, whose heavy tail lets a noisy setting be noisy. The common spread's prior is that of
`rote.emm.curve` (half-t, 3 degrees of freedom, scale 0.6); that of sigmoid(mu_v) is Jeffreys'
Beta(1/2, 1/2). Everything is integrated on the grid of `rote.stats.beta_binomial`, without a sampler.
Settings are taken as independent although runs of one number share their draw of images and noise, which
widens the intervals of differences rather than narrowing them.

Runs that take off or do not have no spread but two levels, and few of them do not tell how many do which.
A setting whose own spread is likely `APART` or more is not known. If two of a study are, none of it is:
the runs of the rest may have taken off, or not, by chance. How often the intervals hold the truth is in
docs/results/validity.md.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.stats.beta_binomial import (
    ETA,
    SPREAD_FREEDOM,
    SPREAD_SCALE,
    SPREADS,
    mean_rate,
    run_log_likelihood,
    weighted_quantiles,
)
from rote.stats.rates import Difference

Floats = npt.NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)
METHOD = "beta-binomial, the spread between runs of each value drawn towards a common one"
APART = 1.8
"""Spread from which on runs look like two groups rather than one, in logits."""
OWN_FREEDOM, OWN_SCALE = 2.0, 0.3
"""Of a setting's own spread around the common one, on a log scale."""
BINS = 2000
FINE = np.linspace(ETA[0], ETA[-1], 4 * (len(ETA) - 1) + 1)


@dataclass(frozen=True)
class MeanRate:
    """The mean rate over runs, with its interval; all in [0, 1]."""

    value: float
    low: float
    high: float
    runs: int
    confidence: float
    known: bool = True
    """False where the runs lie so far apart that few of them do not tell their mean."""

    def to_json(self) -> dict[str, float | int | bool]:
        """Return plain types."""
        return {
            "value": round(self.value, 5),
            "low": round(self.low, 5),
            "high": round(self.high, 5),
            "runs": self.runs,
            "confidence": self.confidence,
            "known": self.known,
        }


@dataclass(frozen=True, eq=False)
class RateModel(Generic[Key]):
    """The posterior of all settings of a study; see the module's docstring.

    Attributes
    ----------
    spread_mass
        float64 (S,): probability of each common spread.
    mass
        For each setting, float64 (S, BINS + 1): probability of each mean rate, given the common spread.
    apart
        For each setting, the probability that its own spread is `APART` or more.
    runs
        For each setting, the number of its runs.
    """

    spread_mass: Floats
    mass: Mapping[Key, Floats]
    apart: Mapping[Key, float]
    runs: Mapping[Key, int]

    def rate(self, key: Key, *, confidence: float = 0.95) -> MeanRate:
        """Return the mean rate of a setting: posterior median and equal-tailed interval."""
        mass = self.spread_mass @ self.mass[key]
        low, value, high = _quantiles(np.linspace(0, 1, BINS + 1), mass, confidence)
        return MeanRate(value, low, high, self.runs[key], confidence, self.is_known(key))

    def is_known(self, key: Key) -> bool:
        """Say whether the runs of a setting tell its mean; see the module's docstring."""
        apart = [each for each, chance in self.apart.items() if chance > 0.5]
        return key not in apart and len(apart) < 2

    def difference(self, first: Key, second: Key, *, confidence: float = 0.95) -> Difference:
        """Return the mean rate of ``first`` less that of ``second``."""
        size = 2 * BINS + 1
        one, other = (
            np.fft.rfft(part, size) for part in (self.mass[first], self.mass[second][:, ::-1])
        )
        # The convolution of the two for each spread; what rounding leaves of zeros is cut off.
        mass = np.fft.irfft(self.spread_mass @ (one * other), size)
        mass = np.where(mass > 1e-12, mass, 0.0)
        low, value, high = _quantiles(np.linspace(-1, 1, 2 * BINS + 1), mass, confidence)
        return Difference(value, low, high, confidence, METHOD)

    def spread(self, *, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return median, low and high of the common standard deviation between runs, in logits."""
        tails = np.array([0.5, (1 - confidence) / 2, (1 + confidence) / 2])
        found = np.exp(weighted_quantiles(np.log(SPREADS), self.spread_mass, tails))
        return float(found[0]), float(found[1]), float(found[2])


def fit_rates(runs: Mapping[Key, Sequence[tuple[int, int]]]) -> RateModel[Key]:
    """Fit the model to the runs of all settings.

    Parameters
    ----------
    runs
        For each setting its runs as (copies, samples); at least one each.

    >>> found = fit_rates({"a": [(136, 400), (200, 400)], "b": [(354, 400), (353, 400)]})
    >>> found.difference("b", "a").low > 0.1
    True
    """
    if not runs or not all(runs.values()):
        raise ConfigError("there are settings without a finished run; run the study to its end")
    from scipy.interpolate import CubicSpline

    prior = 0.5 * (-np.logaddexp(0, -ETA) - np.logaddexp(0, ETA))  # Beta(1/2, 1/2), in logits
    around = _own_spread_prior()
    evidence = [_log_spread_prior()]
    mass: dict[Key, Floats] = {}
    apart: dict[Key, Floats] = {}
    for key, counts in runs.items():
        found = prior + sum(run_log_likelihood(k, n, "exact", 0.0) for k, n in sorted(counts))
        top = found.max(axis=1, keepdims=True)
        # Many runs make a peak narrower than the grid: their logarithm is smooth, so it is refined.
        weight = np.exp(CubicSpline(ETA, found - top, axis=1)(FINE))
        weight *= np.exp(top - top.max())
        # From a setting's own spread (columns) to the common one (rows).
        own = around * weight.sum(axis=1)
        total = own.sum(axis=1)
        evidence.append(top.max() + np.log(total))
        apart[key] = own[:, SPREADS >= APART].sum(axis=1) / total
        binned = [_binned(rate, part) for rate, part in zip(_mean_rates(), weight, strict=True)]
        mass[key] = around @ np.array(binned) / total[:, None]
    log_spread = np.sort(evidence, axis=0).sum(axis=0)  # sorted: the same sum in any order
    spread_mass = np.exp(log_spread - log_spread.max())
    spread_mass /= spread_mass.sum()
    chances = {key: float(spread_mass @ each) for key, each in apart.items()}
    counted = {key: len(counts) for key, counts in runs.items()}
    return RateModel(spread_mass, mass, chances, counted)


@functools.lru_cache(maxsize=1)
def _mean_rates() -> list[Floats]:
    """Return the mean rate at each node of `FINE`, for each spread."""
    return [mean_rate(FINE, float(spread)) for spread in SPREADS]


def _log_spread_prior() -> Floats:
    t = (1 + (SPREADS / SPREAD_SCALE) ** 2 / SPREAD_FREEDOM) ** (-(SPREAD_FREEDOM + 1) / 2)
    return np.asarray(np.log(t * np.gradient(SPREADS)))


def _own_spread_prior() -> Floats:
    """Return the probability of a setting's own spread, given the common one: float64 (S, S)."""
    logs = np.log(SPREADS)
    t = (1 + ((logs - logs[:, None]) / OWN_SCALE) ** 2 / OWN_FREEDOM) ** (-(OWN_FREEDOM + 1) / 2)
    mass = t * np.gradient(logs)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def _binned(rate: Floats, mass: Floats) -> Floats:
    """Put mass at rates in [0, 1] onto an even grid, each shared by its two neighbors."""
    place = rate * BINS
    left = np.minimum(place.astype(np.int64), BINS - 1)
    after = place - left
    found = np.bincount(left, mass * (1 - after), BINS + 1)
    found += np.bincount(left + 1, mass * after, BINS + 1)
    return np.asarray(found, np.float64)


def _quantiles(values: Floats, mass: Floats, confidence: float) -> tuple[float, float, float]:
    tails = np.array([(1 - confidence) / 2, 0.5, (1 + confidence) / 2])
    low, middle, high = weighted_quantiles(values, mass, tails)
    return float(low), float(middle), float(high)
