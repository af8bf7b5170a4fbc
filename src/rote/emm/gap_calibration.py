"""The EMM without sampling: from the gap to the optimum at several sizes, by a calibration.

The gap (a number > 0, 0 for the optimum itself; measured elsewhere, this file sees numbers only) falls as
the memorization rate rises. Over runs whose gap and rate are both known,

    logit rate = slope (center - ln gap + scatter z),    z ~ N(0, 1) per snapshot,

and counts of copies are binomial. So the rate 1 - epsilon is crossed at

    ln gap* = center - logit(1 - epsilon) / slope,    known to within the scatter.

A calibration from other networks or data may be shifted for a whole search at once: the scatter is
therefore taken as one draw shared by all sizes and not averaged down over them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.emm.curve import EmmInterval

NODES, NODES_END = 161, 4.0
MIN_RUNS = 4
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GapRate:
    """Gap and rate of one snapshot of a ``run``."""

    run: str
    gap: float
    count: int
    total: int

    def __post_init__(self) -> None:
        _check_gap(self.gap)
        if self.total < 1 or not 0 <= self.count <= self.total:
            raise ConfigError(f"a rate of {self.count} in {self.total} is impossible")


@dataclass(frozen=True)
class GapPoint:
    """The gap at one training-set size, and the standard error of that gap."""

    size: int
    gap: float
    standard_error: float

    def __post_init__(self) -> None:
        _check_gap(self.gap)


def _check_gap(gap: float) -> None:
    if not 0 < gap < math.inf:
        raise ConfigError(f"a gap of {gap} cannot be placed on a log scale; it must be above 0")


@dataclass(frozen=True)
class GapCalibration:
    """How the rate follows from the gap; see the module's docstring.

    Attributes
    ----------
    statistic
        Which number the gap is, such as "gap at sigma 0.8".
    center
        ln gap at which half is memorized.
    slope
        Logits of the rate per e-fold of the gap, > 0.
    scatter
        Standard deviation of ln gap between snapshots at one rate.
    runs
        Runs it was fitted to.
    source
        What those runs were.
    """

    statistic: str
    center: float
    slope: float
    scatter: float
    runs: int
    source: str

    def rate(self, gap: float) -> float:
        """Return the expected rate of a new run with this gap."""
        nodes, weights = _normal_nodes()
        return float(
            weights @ _sigmoid(self.slope * (self.center - math.log(gap) + self.scatter * nodes))
        )

    def threshold(self, epsilon: float, *, deviations: float = 0.0) -> float:
        """Return the gap at which the rate is 1 - epsilon, so many standard deviations of scatter up."""
        logit = math.log((1 - epsilon) / epsilon)
        return math.exp(self.center - logit / self.slope + deviations * self.scatter)

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)


def fit_calibration(snapshots: Sequence[GapRate], *, statistic: str, source: str) -> GapCalibration:
    """Fit the calibration by maximum likelihood, the scatter integrated out.

    Parameters
    ----------
    snapshots
        Gap and rate of each snapshot; at least 4 runs, some copies and some non-copies.
    statistic, source
        For the record.

    Raises
    ------
    ConfigError
        If there are too few runs, or all samples or none are copies.
    """
    from scipy.optimize import minimize

    runs = len({one.run for one in snapshots})
    count = np.array([one.count for one in snapshots], np.float64)
    total = np.array([one.total for one in snapshots], np.float64)
    if runs < MIN_RUNS or not 0 < count.sum() < total.sum():
        raise ConfigError(
            f"{runs} runs with {count.sum():.0f} copies in {total.sum():.0f} samples cannot "
            f"calibrate the gap; at least {MIN_RUNS} runs are needed, some copies and some not"
        )
    x = np.log([one.gap for one in snapshots])
    nodes, weights = _normal_nodes()

    def loss(parameters: Any) -> float:
        center, slope, scatter = parameters[0], math.exp(parameters[1]), math.exp(parameters[2])
        eta = slope * (center - x[:, None] + scatter * nodes)
        # log of the binomial chance, up to a constant: k eta - n log(1 + e^eta)
        terms = count[:, None] * eta - total[:, None] * np.logaddexp(0, eta)
        top = terms.max(1)
        return -float((top + np.log(np.exp(terms - top[:, None]) @ weights)).sum())

    # From below and from above, for the scatter's likelihood can have two hills.
    fits = [
        minimize(
            loss,
            np.array([float(np.average(x, weights=0.01 + count / total)), 1.0, start]),
            method="Nelder-Mead",
            options={"maxiter": 2000, "xatol": 1e-4, "fatol": 1e-5},
        )
        for start in (-2.0, -0.5)
    ]
    center, slope, scatter = min(fits, key=lambda fit: float(fit.fun)).x
    return GapCalibration(
        statistic, float(center), math.exp(slope), math.exp(scatter), runs, source
    )


def emm_from_gap(
    points: Sequence[GapPoint],
    calibration: GapCalibration,
    *,
    epsilon: float = 0.1,
    confidence: float = 0.95,
) -> EmmInterval:
    """Return the size at which the gap crosses the calibrated one, with its interval.

    The gap is made monotone over sizes (isotonic regression of ln gap, weighted by its precision) and
    interpolated on log scales. The ends are the crossings of the calibrated gap plus and minus its error:
    the calibration's scatter and the measurement's standard error, added in squares. Ends beyond the
    measured sizes are None, and the status says which.

    Parameters
    ----------
    points
        One or more per size, of the same statistic as the calibration; at least two sizes.
    calibration
        How rate and gap belong together.
    epsilon
        The EMM is where the rate is 1 - epsilon.
    confidence
        Of the interval.

    Raises
    ------
    ConfigError
        If there are fewer than two sizes, or the interval is open on both sides.

    >>> calibration = GapCalibration("gap", center=-1.0, slope=4.0, scatter=0.1, runs=50, source="")
    >>> points = [GapPoint(n, 0.01 * n, 0.0005 * n) for n in (8, 16, 32, 64)]
    >>> found = emm_from_gap(points, calibration)
    >>> found.status, round(found.value, 1), round(calibration.threshold(0.1) * 100, 1)
    ('bracketed', 21.2, 21.2)
    """
    from scipy.optimize import isotonic_regression
    from scipy.special import ndtri

    sizes = sorted({point.size for point in points})
    if len(sizes) < 2:
        raise ConfigError(f"the gap at {len(sizes)} size has no crossing; measure two and more")
    levels, precision = [], []
    for size in sizes:
        # ln gap varies by at least the scatter's tenth, so that no exact point outweighs all others.
        own = [point for point in points if point.size == size]
        weights = [
            1 / ((p.standard_error / p.gap) ** 2 + (0.1 * calibration.scatter) ** 2 + 1e-12)
            for p in own
        ]
        logs = [math.log(point.gap) for point in own]
        levels.append(float(np.average(logs, weights=weights)))
        precision.append(sum(weights))
    curve = np.asarray(isotonic_regression(levels, weights=precision).x)
    positions = np.log(sizes)
    target = math.log(calibration.threshold(epsilon))
    near = int(np.argmin(np.abs(curve - target)))
    error = math.hypot(calibration.scatter, precision[near] ** -0.5)
    z = float(ndtri(0.5 + confidence / 2))
    middle = _crossing(positions, curve, target)
    low = _crossing(positions, curve, target - z * error)
    high = _crossing(positions, curve, target + z * error)
    if low == -math.inf and high == math.inf:
        raise ConfigError(
            "the gaps' calibration is too uncertain: its interval reaches beyond the smallest and the "
            "largest size; score more snapshots"
        )
    inside = [value if math.isfinite(value) else None for value in (middle, low, high)]
    value, least, most = (None if place is None else math.exp(place) for place in inside)
    if middle == math.inf or (high == math.inf and low > -math.inf):
        return EmmInterval(None, least, None, "above", confidence)
    if middle == -math.inf or low == -math.inf:
        return EmmInterval(None, None, most, "below", confidence)
    return EmmInterval(value, least, most, "bracketed", confidence)


def _crossing(positions: Array, curve: Array, target: float) -> float:
    """Return where a rising curve first exceeds the target; infinite beyond its ends."""
    if curve[0] > target:
        return -math.inf
    if curve[-1] <= target:
        return math.inf
    right = int(np.argmax(curve > target))
    a, b = float(curve[right - 1]), float(curve[right])
    share = (target - a) / (b - a)
    return float(positions[right - 1] + share * (positions[right] - positions[right - 1]))


def _normal_nodes() -> tuple[Array, Array]:
    """Return nodes and weights of a mean over a standard normal.

    Evenly spaced: a snapshot of many samples is a spike between the few nodes of Gauss and Hermite.
    """
    nodes = np.linspace(-NODES_END, NODES_END, NODES)
    weights = np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum()


def _sigmoid(value: Array) -> Array:
    from scipy.special import expit

    found: Array = expit(value)
    return found
