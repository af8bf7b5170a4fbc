"""Intervals of statistics of two samples by leaving out groups: the delete-group jackknife.

Statistics of nearest neighbors cannot be bootstrapped: a resample holds items twice, at distance 0 of
each other, where the sample has none. Leaving items out has no such fault. Each side is cut into g random
groups, the statistic is taken without each in turn, and

    var = sum over both sides of (g - 1) / g * sum_j (theta_(-j) - mean theta_(-j))^2

(Shao and Wu 1989). The interval is value +- t sqrt(var) with t of 2 (g - 1) degrees of freedom. It covers
what the statistic is on average *at these sample sizes*; the bias of a statistic at that size, which many
of them have, is no part of it, and stands beside it as a control. Of the statistics of neighbors it is
wider than need be: simulated, it holds 97 to 100 % of the time at a nominal 95 %.

Repeated items are no further evidence: the units that are left out are groups of equal items. A share has
Wilson's form of the interval, at the number of independent items that has this variance, p (1 - p) / var
with p the mean without a group, and no more than there are units: it stays within [0, 1], and is no
certain 0 or 1 either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
GROUPS = 10


@dataclass(frozen=True)
class Estimate:
    """A number that is no share of a count, with its interval."""

    value: float
    low: float
    high: float
    confidence: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return the number as plain types."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def group_jackknife(
    statistic: Callable[[Rows, Rows], npt.NDArray[np.float64]],
    units: tuple[Rows, Rows],
    *,
    seed: int,
    shares: Sequence[int | None] = (),
    confidence: float = 0.95,
    groups: int = GROUPS,
) -> list[Estimate]:
    """Return each of several statistics of two samples with its interval.

    Parameters
    ----------
    statistic
        Takes the rows that are kept of either sample, ascending, and returns float64 (S,).
    units
        Of each item of either sample, which unit it belongs to, numbered from 0: equal items are one.
    seed
        Of the groups.
    shares
        For each statistic, of how many units it is a share; None for one that is no share.
    confidence
        Two-sided, in (0, 1).
    groups
        g, of each side; where it has fewer units, so many.

    >>> a, b = np.random.default_rng(0).normal(size=(2, 400))
    >>> def difference(rows, others):
    ...     return np.array([a[rows].mean() - b[others].mean()])
    >>> found = group_jackknife(difference, (np.arange(400), np.arange(400)), seed=1)[0]
    >>> found.low < 0 < found.high, 0.2 < found.high - found.low < 0.4
    (True, True)
    """
    from scipy.special import stdtrit

    rng = np.random.default_rng(seed)
    whole = [np.arange(len(unit)) for unit in units]
    value = statistic(whole[0], whole[1])
    variance, freedom, means = np.zeros_like(value), 0, [value]
    for side, unit in enumerate(units):
        count = int(unit.max()) + 1
        if count < 2:
            continue  # nothing can be left out; the number of units tells how sure a share is
        parts = min(groups, count)
        group = (rng.permutation(count) % parts)[unit]
        left = []
        for number in range(parts):
            rows = list(whole)
            rows[side] = np.flatnonzero(group != number)
            left.append(statistic(rows[0], rows[1]))
        variance += (parts - 1) * np.var(left, axis=0)
        freedom += parts - 1
        means.append(np.mean(left, axis=0))
    mean = np.mean(means[1:] or means, axis=0)
    t = float(stdtrit(max(freedom, 1), 0.5 + confidence / 2))
    errors = np.sqrt(variance)
    return [
        Estimate(float(v), float(v - t * e), float(v + t * e), confidence, "delete-group jackknife")
        if of is None
        else _share(float(v), float(m), float(e) ** 2, of, t=t, confidence=confidence)
        for v, m, e, of in zip(value, mean, errors, shares or [None] * len(value), strict=True)
    ]


def _share(
    value: float, mean: float, variance: float, of: int, *, t: float, confidence: float
) -> Estimate:
    """Return a share with Wilson's interval at the number of items that has this variance."""
    expected = mean * (1 - mean)
    n = expected / variance if variance * of > expected else float(of)
    n = max(n, 1.0)  # leaving out groups may vary more than the share of one item
    spread = value * (1 - value)
    center = (value + t**2 / (2 * n)) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * math.sqrt(spread / n + t**2 / (4 * n**2))
    # At 0 and 1 the ends are these exactly, but for rounding.
    low = 0.0 if value == 0 else max(center - half, 0.0)
    high = 1.0 if value == 1 else min(center + half, 1.0)
    return Estimate(value, low, high, confidence, "delete-group jackknife, Wilson's form")


def mean_variance(terms: npt.NDArray[np.float64], unit: Rows) -> float:
    """Return the variance of the mean of terms (N,), of which those of one unit count as one draw.

    >>> once = np.array([1.0, 2.0, 3.0])
    >>> round(mean_variance(once, np.arange(3)), 12) == round(1 / 3, 12)
    True
    >>> round(mean_variance(np.repeat(once, 5), np.repeat(np.arange(3), 5)), 12) == round(1 / 3, 12)
    True
    """
    sums = np.bincount(unit, weights=terms - terms.mean())
    count = len(sums)
    return (
        float(np.square(sums).sum()) * count / (count - 1) / len(terms) ** 2 if count > 1 else 0.0
    )


def normal_interval(value: float, error: float, *, confidence: float, method: str) -> Estimate:
    """Return value +- z error.

    >>> print(normal_interval(1.0, 0.1, confidence=0.95, method="delta"))
    1 [0.804, 1.196]
    """
    from scipy.special import ndtri

    half = float(ndtri(0.5 + confidence / 2)) * error
    assert math.isfinite(half)
    return Estimate(value, value - half, value + half, confidence, method)
