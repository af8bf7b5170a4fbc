"""Intervals of statistics of two samples by leaving out groups: the delete-group jackknife.

Statistics of nearest neighbors cannot be bootstrapped: a resample holds items twice, at distance 0 of
each other, where the sample has none. Leaving items out has no such fault. Each side is cut into g random
groups, the statistic is taken without each in turn, and

    var = sum over both sides of (g - 1) / g * sum_j (theta_(-j) - mean theta_(-j))^2

(Shao and Wu 1989). The interval is value +- t sqrt(var) with t of 2 (g - 1) degrees of freedom. It covers
what the statistic is on average *at these sample sizes*; the bias of a statistic at that size, which many
of them have, is no part of it, and stands beside it as a control. Of the statistics of neighbors it is
wider than need be: simulated, it holds 97 to 100 % of the time at a nominal 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
    counts: tuple[int, int],
    *,
    seed: int,
    confidence: float = 0.95,
    groups: int = GROUPS,
) -> list[Estimate]:
    """Return each of several statistics of two samples with its interval.

    Parameters
    ----------
    statistic
        Takes the rows that are kept of either sample, ascending, and returns float64 (S,).
    counts
        Items of either sample, each at least twice ``groups``.
    seed
        Of the groups.
    confidence
        Two-sided, in (0, 1).
    groups
        g, of each side.

    >>> a, b = np.random.default_rng(0).normal(size=(2, 400))
    >>> def difference(rows, others):
    ...     return np.array([a[rows].mean() - b[others].mean()])
    >>> found = group_jackknife(difference, (400, 400), seed=1)[0]
    >>> found.low < 0 < found.high, 0.2 < found.high - found.low < 0.4
    (True, True)
    """
    assert min(counts) >= 2 * groups, counts
    from scipy.special import stdtrit

    rng = np.random.default_rng(seed)
    whole = [np.arange(count) for count in counts]
    value = statistic(whole[0], whole[1])
    variance = np.zeros_like(value)
    for side in (0, 1):
        group = rng.permutation(counts[side]) % groups
        left = []
        for number in range(groups):
            rows = list(whole)
            rows[side] = np.flatnonzero(group != number)
            left.append(statistic(rows[0], rows[1]))
        variance += (groups - 1) * np.var(left, axis=0)
    half = float(stdtrit(2 * (groups - 1), 0.5 + confidence / 2)) * np.sqrt(variance)
    return [
        Estimate(float(v), float(v - h), float(v + h), confidence, "delete-group jackknife")
        for v, h in zip(value, half, strict=True)
    ]


def normal_interval(value: float, error: float, *, confidence: float, method: str) -> Estimate:
    """Return value +- z error.

    >>> print(normal_interval(1.0, 0.1, confidence=0.95, method="delta"))
    1 [0.804, 1.196]
    """
    from scipy.special import ndtri

    half = float(ndtri(0.5 + confidence / 2)) * error
    assert math.isfinite(half)
    return Estimate(value, value - half, value + half, confidence, method)
