"""When memorization begins, as a law of the training-set size.

The onset of a run is the training time, in images seen, at which its memorization rate leaves the
control. Snapshots bracket it: it lies after the last one before, and at the latest at the first one
that the test of `rote.stats.sequential` tells from the control. Over runs of several sizes

    ln onset = ln a + b ln N + s z,    z ~ N(0, 1),        so    onset_images = a N^b

up to the scatter s between runs. Bonnaire et al. (2025, arXiv 2505.17638) report b near 1. Each run
contributes the probability of its interval (interval censoring; open at the top where no snapshot was
above, at zero where the first one was). The posterior is summed over a grid, with a flat prior on ln a,
a flat one on b in [-1, 3], and a half-normal one of standard deviation 0.5 on s: two trainings that
differ in nothing but their seeds begin within a factor of 1.6 of each other more often than not.

What counts as begun depends on the samples per snapshot: below `OnsetInterval.visible` nothing is seen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.stats.sequential import binomial_p_value, fisher_p_value, spent_alpha

NULL_RATE, ALPHA = 0.001, 0.05
EXPONENTS, SCATTERS, SCATTER_PRIOR = (-1.0, 3.0), (0.02, 2.0), 0.5
COARSE, FINE = (41, 41, 16), (41, 61, 21)
NEGLIGIBLE = 1e-6
REACH = 1000.0  # how far beyond the largest size `needed_size` looks
Array = npt.NDArray[np.float64]
History = Sequence[tuple[int, int, int]]
"""(images_seen, memorized, samples) of each snapshot of a run."""


@dataclass(frozen=True)
class OnsetInterval:
    """When one run began to memorize: after ``low`` images seen, at the latest at ``high``."""

    size: int
    low: float
    """Images seen at the last snapshot that the control explains; 0 where the first one is above it."""
    high: float | None
    """Images seen at the first snapshot above the control; None where none is."""
    visible: float
    """The smallest rate that the last test made could have told from the control."""


@dataclass(frozen=True)
class Estimate:
    """A posterior median with its equal-tailed credible interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """A number for a new run; ``extrapolated`` where its size lies outside those that were trained."""

    value: int | None
    extrapolated: bool


def onset_interval(
    size: int,
    history: History,
    *,
    control: tuple[int, int] | None = None,
    null_rate: float = NULL_RATE,
    alpha: float = ALPHA,
) -> OnsetInterval:
    """Bracket the onset of one run between two of its snapshots.

    Parameters
    ----------
    size
        Training images of the run.
    history
        Its snapshots in the order of training.
    control
        Memorized and all held-out images scored by the same rule: Fisher's exact test against them.
    null_rate
        Without a control, the rate that is no memorization: the exact binomial test.
    alpha
        Chance of a false onset over all snapshots of the run together.

    Raises
    ------
    ConfigError
        If there are no snapshots, or they are not in the order of training.

    >>> onset_interval(64, [(100, 0, 256), (200, 1, 256), (300, 40, 256)], control=(0, 1000))
    OnsetInterval(size=64, low=200.0, high=300.0, visible=0.015625)
    """
    seen = [snapshot[0] for snapshot in history]
    if not seen or any(a >= b for a, b in itertools.pairwise(seen)):
        raise ConfigError(f"snapshots at {seen} images seen; at least one is needed, in order")

    def p_value(count: int, total: int) -> float:
        if control is None:
            return binomial_p_value(count, total, rate=null_rate)
        return fisher_p_value(count, total, control_count=control[0], control_total=control[1])

    last, low, high = history[-1], 0.0, None
    for look, (images_seen, count, total) in enumerate(history, start=1):
        if p_value(count, total) <= spent_alpha(alpha, look):
            last, high = history[look - 1], float(images_seen)
            break
        low = float(images_seen)
    look, total = seen.index(last[0]) + 1, last[2]
    told = (k for k in range(1, total + 1) if p_value(k, total) <= spent_alpha(alpha, look))
    return OnsetInterval(size, low, high, next(told, total + 1) / total)


@dataclass(frozen=True, eq=False)
class OnsetLaw:
    """The law onset_images = a N^exponent, with its posterior.

    ``scatter`` is the standard deviation of ln onset between runs. ``runs`` were used, of ``sizes`` from
    smallest to largest.
    """

    a: Estimate
    exponent: Estimate
    scatter: Estimate
    confidence: float
    runs: int
    sizes: tuple[int, int]
    _nodes: Array
    """The posterior: rows of intercept at `_center`, exponent, scatter and weight, float64 (n, 4)."""
    _center: float

    def line(self, size: float) -> Estimate:
        """Return the typical onset of a size, in images seen (the median over runs)."""
        level, exponent, _, weight = self._nodes.T
        values = level + exponent * (math.log(size) - self._center)
        return _exponential(_weighted(values, weight, self.confidence))

    def chance(self, size: float, images: float) -> float:
        """Return the posterior chance that a new run of ``size`` begins by ``images`` seen."""
        from scipy.special import ndtr

        level, exponent, scatter, weight = self._nodes.T
        middle = level + exponent * (math.log(size) - self._center)
        return float(weight @ ndtr((math.log(images) - middle) / scatter))

    def stop_before(self, size: int, *, risk: float = 0.05) -> Prediction:
        """Return the images seen before which a new run of ``size`` begins with chance ``risk`` only."""
        from scipy.optimize import brentq

        _check_risk(risk)
        around = math.log(self.line(size).value)
        found = brentq(lambda t: self.chance(size, math.exp(t)) - risk, around - 40, around + 40)
        return Prediction(math.floor(math.exp(found)), not self.sizes[0] <= size <= self.sizes[1])

    def needed_size(self, images: float, *, risk: float = 0.05) -> Prediction:
        """Return the smallest size that may see ``images`` and begin with chance ``risk`` at most.

        None where no size up to a thousand times the largest one trained is enough.
        """
        _check_risk(risk)
        largest = self.sizes[1] * REACH
        grid = np.unique(np.geomspace(1, largest, 4000).round())
        size = next((int(size) for size in grid if self.chance(size, images) <= risk), None)
        if size is None:
            return Prediction(None, extrapolated=True)
        return Prediction(size, not self.sizes[0] <= size <= self.sizes[1])

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        estimates = {key: asdict(getattr(self, key)) for key in ("a", "exponent", "scatter")}
        rest = {"confidence": self.confidence, "runs": self.runs, "sizes": list(self.sizes)}
        return {**estimates, **rest}


def _check_risk(risk: float) -> None:
    if not 0 < risk < 1:
        raise ConfigError(f"risk is {risk}; it must lie strictly between 0 and 1")


def fit_onset_law(
    intervals: Sequence[OnsetInterval], *, confidence: float = 0.95
) -> OnsetLaw | None:
    """Fit the law to the onsets of runs of several sizes.

    None where `too_few` says why: an exponent needs onsets that were seen at two sizes and more.
    """
    if too_few(intervals):
        return None
    sizes = np.array([one.size for one in intervals], np.float64)
    low = np.array([math.log(one.low) if one.low else -math.inf for one in intervals])
    high = np.array([math.inf if one.high is None else math.log(one.high) for one in intervals])
    center = float(np.log(sizes).mean())
    x = np.log(sizes) - center
    ends = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    box = [(float(ends.min()) - 3, float(ends.max()) + 3), EXPONENTS, SCATTERS]
    for counts in (COARSE, FINE):
        axes = [np.linspace(*side, n) for side, n in zip(box[:2], counts[:2], strict=True)]
        axes.append(np.geomspace(*box[2], counts[2]))
        weight = _posterior(axes, x, low, high)
        box = [_support(axes[k], weight, k) for k in range(3)]
    level, exponent, scatter = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    kept = weight.ravel() > NEGLIGIBLE * weight.max()
    nodes = np.stack([level, exponent, scatter, weight.ravel()], axis=1)[kept]
    nodes[:, 3] /= nodes[:, 3].sum()
    intercept = nodes[:, 0] - nodes[:, 1] * center
    return OnsetLaw(
        a=_exponential(_weighted(intercept, nodes[:, 3], confidence)),
        exponent=_weighted(nodes[:, 1], nodes[:, 3], confidence),
        scatter=_weighted(nodes[:, 2], nodes[:, 3], confidence),
        confidence=confidence,
        runs=len(intervals),
        sizes=(int(sizes.min()), int(sizes.max())),
        _nodes=nodes,
        _center=center,
    )


def too_few(intervals: Sequence[OnsetInterval]) -> str | None:
    """Return why no law can be fitted, or None where one can.

    >>> too_few([OnsetInterval(16, 0, 100, 0.02), OnsetInterval(64, 900, None, 0.02)])
    'only 1 of 2 runs began to memorize; 3 are needed, of 2 sizes and more'
    """
    seen = [one for one in intervals if one.high is not None]
    if len(seen) < 3 or len({one.size for one in seen}) < 2:
        return (
            f"only {len(seen)} of {len(intervals)} runs began to memorize; 3 are needed, of 2 sizes "
            "and more"
        )
    if not any(one.low for one in seen):
        return "every run had begun by its first snapshot; earlier snapshots are needed"
    return None


def _posterior(axes: list[Array], x: Array, low: Array, high: Array) -> Array:
    """Return the normalized posterior on the grid (levels, exponents, scatters)."""
    from scipy.special import ndtr

    level, exponent, scatter = axes
    middle = level[:, None, None] + exponent[:, None] * x  # (levels, exponents, runs)
    # A scatter of cells this wide; its logarithm is evenly spaced, so its cells grow with it.
    found = np.log(scatter) - 0.5 * (scatter / SCATTER_PRIOR) ** 2
    total = np.broadcast_to(found, (len(level), len(exponent), len(scatter))).copy()
    for number, spread in enumerate(scatter):
        below, above = (low - middle) / spread, (high - middle) / spread
        # In the upper tail both values round to 1: take the difference on the other side of 0.
        turned = below > 0
        start = np.where(turned, -above, below)
        end = np.where(turned, -below, above)
        chance = np.maximum(ndtr(end) - ndtr(start), 1e-300)
        total[:, :, number] += np.log(chance).sum(-1)
    weight = np.exp(total - total.max())
    normalized: Array = weight / weight.sum()
    return normalized


def _support(axis: Array, weight: Array, position: int) -> tuple[float, float]:
    """Return where an axis carries weight, one cell wider on either side."""
    marginal = weight.sum(tuple(k for k in range(3) if k != position))
    held = np.flatnonzero(marginal > NEGLIGIBLE * marginal.max())
    first, last = max(held[0] - 1, 0), min(held[-1] + 1, len(axis) - 1)
    return float(axis[first]), float(axis[last])


def _weighted(values: Array, weight: Array, confidence: float) -> Estimate:
    """Return median and equal-tailed interval of weighted values, on a line between them."""
    # Nodes of one value are joined first: a step at each would snap every quantile to the grid.
    distinct, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights=weight)
    reached = np.cumsum(mass) - 0.5 * mass
    levels = [0.5, 0.5 - confidence / 2, 0.5 + confidence / 2]
    middle, low, high = np.interp(levels, reached / weight.sum(), distinct).tolist()
    return Estimate(middle, low, high)


def _exponential(found: Estimate) -> Estimate:
    return Estimate(math.exp(found.value), math.exp(found.low), math.exp(found.high))


def onset_json(
    runs: Sequence[tuple[int, History]],
    *,
    control: tuple[int, int] | None = None,
    sizes: Sequence[int] | None = None,
    budgets: Sequence[int] = (),
    alpha: float = ALPHA,
    risk: float = 0.05,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Return onsets, law and advice as the object that result files carry under ``onset``.

    Parameters
    ----------
    runs
        (size, history) of each run; errors as `onset_interval`.
    control
        See `onset_interval`.
    sizes
        Sizes to give advice for; None: those of the runs and twice the largest.
    budgets
        Training times, in images seen, for which to say the size that is needed.
    alpha, risk, confidence
        Of the tests, of the advice, of the intervals.
    """
    found = [onset_interval(size, history, control=control, alpha=alpha) for size, history in runs]
    law = fit_onset_law(found, confidence=confidence)
    known = sorted({size for size, _ in runs})
    asked = [*known, 2 * known[-1]] if sizes is None and known else list(sizes or [])
    advice, needed = [], []
    if law is not None:
        for size in asked:
            limit = law.stop_before(size, risk=risk)
            typical = asdict(law.line(size))
            advice.append(
                {"size": size, "onset": typical, "stop_before": limit.value}
                | {"extrapolated": limit.extrapolated}
            )
        for images in budgets:
            enough = law.needed_size(images, risk=risk)
            entry = {"size": enough.value, "extrapolated": enough.extrapolated}
            needed.append({"images": images, **entry})
    rule = {"test": "binomial", "null_rate": NULL_RATE, "alpha": alpha}
    if control is not None:
        rule = {"test": "fisher", "control": list(control), "alpha": alpha}
    return {
        "rule": rule,
        "runs": [asdict(one) for one in found],
        "law": None if law is None else law.to_json(),
        "reason": too_few(found),
        "risk": risk,
        "advice": advice,
        "needed": needed,
    }
