"""The grid on which the curve of rate over size is integrated: nodes, priors and the likelihood of a run.

See `rote.emm.curve` for the model.
"""

from __future__ import annotations

import functools
import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Bound = Literal["exact", "at-least", "at-most"]
Floats = npt.NDArray[np.float64]

ETA_STEP = 0.04
ETA_END = 16.0
SPREADS = np.array([0.03, 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.35, 1.8, 2.4])
SPREAD_SCALE, SPREAD_FREEDOM = 0.6, 3.0
SLOPE_RATIO_LOG_SD = 0.8
FINE_SLOPES = 21
NEGLIGIBLE = 1e-6
"""Nodes with less of the greatest marginal mass are not refined."""
FLOOR = 1e-15
"""Least likelihood of a run beside its greatest: one diverged run must not decide everything."""
QUADRATURE = 41


class SlopePrior(NamedTuple):
    """What is believed of each slope before any run: log-normal, in logits per e-fold of the size."""

    median: float
    log_sd: float

    @property
    def nodes(self) -> Floats:
        """All slopes that are believed in, too far apart for many runs: see `refined_slopes`."""
        return np.asarray(self.median * np.exp(np.linspace(-3.2, 3.2, 17) * self.log_sd))


DIFFUSION = SlopePrior(3.0, 0.6)
"""Of diffusion models: the curves of Gu et al. (2025) have 2 to 3.6."""
ANY_MODEL = SlopePrior(1.5, 1.2)
"""Of models of any kind: 95 % within 0.14 and 16."""

ETA = np.arange(-ETA_END, ETA_END + ETA_STEP / 2, ETA_STEP)


@functools.lru_cache(maxsize=4096)
def run_log_likelihood(count: int, total: int, bound: Bound, error: float) -> Floats:
    """Return log P(count | line at eta, spread) up to a constant, float64 (spreads, etas).

    The run's own deviation is integrated out by a sum over the grid of eta; all terms are positive, so
    nothing cancels.
    """
    from scipy.special import bdtr, bdtrc, expit, log_expit

    if bound == "exact":
        log_value = count * log_expit(ETA) + (total - count) * log_expit(-ETA)
        value = np.exp(log_value - log_value.max())
    elif bound == "at-least":
        value = bdtrc(count - 1, total, expit(ETA)) if count else np.ones_like(ETA)
    else:
        value = (1 - error) * bdtr(count, total, expit(ETA)) + error
    found = np.empty((len(SPREADS), len(ETA)))
    for place, spread in enumerate(SPREADS):
        reach = math.ceil(5 * spread / ETA_STEP)
        z = np.arange(-reach, reach + 1) * ETA_STEP / spread
        kernel = np.exp(-0.5 * z * z)
        padded = np.pad(value, reach, mode="edge")
        found[place] = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.asarray(np.log(np.maximum(found, FLOOR)))


def slope_spread_prior(prior: SlopePrior, above: Floats, below: Floats) -> Floats:
    """Return the prior of (slope up to c, slope beyond c, spread) at evenly spaced log-slopes.

    Shape (A, B, S); the sum over the nodes given is 1.
    """
    log_above, log_below = np.log(above / prior.median)[:, None], np.log(below / prior.median)
    # Two log-slopes, each of the standard deviation asked for, their difference of the other one.
    mean, apart = (log_above + log_below) / 2, log_above - log_below
    mean_sd = math.sqrt(prior.log_sd**2 - SLOPE_RATIO_LOG_SD**2 / 4)
    slopes = -0.5 * (mean / mean_sd) ** 2 - 0.5 * (apart / SLOPE_RATIO_LOG_SD) ** 2
    t = (1 + (SPREADS / SPREAD_SCALE) ** 2 / SPREAD_FREEDOM) ** (-(SPREAD_FREEDOM + 1) / 2)
    mass = np.exp(slopes)[:, :, None] * (t * np.gradient(SPREADS))
    return np.asarray(mass / mass.sum())


def refined_slopes(slopes: Floats, mass: Floats) -> Floats:
    """Return evenly spaced log-slopes where the mass of some nodes lies, float64 (FINE_SLOPES,).

    With many runs a slope is known better than the nodes lie apart: the nearest node would
    then carry all the mass and its error would count as none.

    >>> mass = np.zeros(17)
    >>> mass[8] = 1.0
    >>> refined_slopes(DIFFUSION.nodes, mass)[[0, 10, -1]].round(2).tolist()
    [2.36, 3.0, 3.81]
    """
    likely = np.flatnonzero(mass > mass.max() * NEGLIGIBLE)
    first, last = max(likely[0] - 1, 0), min(likely[-1] + 1, len(slopes) - 1)
    return np.geomspace(slopes[first], slopes[last], FINE_SLOPES)


@functools.lru_cache(maxsize=64)
def heights(rate: float) -> Floats:
    """Return h with E_z sigmoid(h + spread z) = rate, for each spread, float64 (spreads,)."""
    from scipy.optimize import brentq

    def missing(height: float, spread: float) -> float:
        return float(mean_rate(np.array(height), spread)) - rate

    return np.array([brentq(missing, -40, 40, args=(float(spread),)) for spread in SPREADS])


def mean_rate(eta: Floats, spread: float) -> Floats:
    """Return E_z sigmoid(eta + spread z), by Gauss-Hermite quadrature."""
    from scipy.special import expit

    z, weight = _hermite()
    return np.asarray(expit(eta[..., None] + spread * z) @ weight)


@functools.lru_cache(maxsize=1)
def _hermite() -> tuple[Floats, Floats]:
    z, weight = np.polynomial.hermite_e.hermegauss(QUADRATURE)
    return z, weight / weight.sum()


def weighted_quantiles(values: Floats, mass: Floats, tails: Floats) -> Floats:
    """Return quantiles of weighted values, between the nodes by linear interpolation."""
    order = np.argsort(values, kind="stable")
    values, mass = values[order], mass[order]
    cumulative = np.cumsum(mass) - mass / 2
    return np.asarray(np.interp(tails * mass.sum(), cumulative, values))
