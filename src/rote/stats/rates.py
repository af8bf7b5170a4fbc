"""Rates with their intervals.

A rate never travels without count, total and interval. The interval is Wilson's score interval
(Wilson 1927), which keeps its coverage at rates near 0 and 1 where the textbook "Wald" interval
collapses to a point: 0 copies in 1,000 images is [0, 0.0038], not [0, 0].
"""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, astuple, dataclass
from numbers import Real
from typing import Any

from rote.core.errors import ConfigError


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Rate:
    """A share of a finite sample with its confidence interval; all numbers in [0, 1].

    It compares, formats and converts as the number ``value``; two rates are equal if all of both is.

    >>> rate = wilson(5, 25)
    >>> rate > 0.1, f"{rate:.1%}", float(rate)
    (True, '20.0%', 0.2)
    """

    value: float
    low: float
    high: float
    count: int
    total: int
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Return the rate as plain types for a JSON file."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Rate:
        """Read back what `to_json` wrote."""
        return Rate(**data)

    def __float__(self) -> float:
        return self.value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rate):
            return astuple(self) == astuple(other)
        return self.value == other if isinstance(other, Real) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.value < float(other) if isinstance(other, Rate | Real) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __format__(self, form: str) -> str:
        return format(self.value, form) if form else str(self)

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] ({self.count} of {self.total})"


def wilson(count: int, total: int, *, confidence: float = 0.95) -> Rate:
    """Wilson score interval of a binomial rate.

    Parameters
    ----------
    count, total
        Successes and trials, 0 <= count <= total, total >= 1.
    confidence
        Two-sided confidence in (0, 1).

    Raises
    ------
    ConfigError
        If the counts or the confidence are out of range.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    >>> print(wilson(0, 1000))
    0 [0, 0.003827] (0 of 1000)
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}; it must lie strictly between 0 and 1")
    if total < 1 or not 0 <= count <= total:
        raise ConfigError(f"a rate of {count} in {total} is impossible; 0 <= count <= total, >= 1")
    from scipy.special import ndtri  # not at import time: it costs 0.1 s

    z = float(ndtri(0.5 + confidence / 2))
    p = count / total
    center = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + (z / (2 * total)) ** 2)
    # At the ends the closed form is exactly 0 or 1; rounding must not say 1e-18 instead.
    low = 0.0 if count == 0 else center - half
    high = 1.0 if count == total else center + half
    return Rate(p, low, high, count, total, confidence)


@dataclass(frozen=True)
class Difference:
    """The difference of two rates with its confidence interval; all numbers in [-1, 1]."""

    value: float
    low: float
    high: float
    confidence: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return the difference as plain types for a JSON file."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.value:+.4g} [{self.low:+.4g}, {self.high:+.4g}]"


def newcombe(first: Rate, second: Rate) -> Difference:
    """Interval of ``first - second`` for two independent samples: Newcombe's hybrid score interval.

    The distances of each rate to its own Wilson bounds, put together by Pythagoras. It keeps its
    coverage where both rates are near 0, as a rate of copies and its control usually are.

    References
    ----------
    Newcombe, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17 (1998) 873-890, method 10.

    >>> print(newcombe(wilson(56, 70), wilson(48, 80)))
    +0.2 [+0.05243, +0.3339]
    """
    assert first.confidence == second.confidence
    d = first.value - second.value
    low = d - math.hypot(first.value - first.low, second.high - second.value)
    high = d + math.hypot(first.high - first.value, second.value - second.low)
    return Difference(d, max(low, -1.0), min(high, 1.0), first.confidence, "newcombe")


def newcombe_paired(
    both: int, first_only: int, second_only: int, neither: int, *, confidence: float = 0.95
) -> Difference:
    """Interval of the difference of two rates measured on the same items.

    Parameters
    ----------
    both, first_only, second_only, neither
        The four cells of the paired table, in items; not all 0.
    confidence
        Two-sided confidence in (0, 1).

    References
    ----------
    Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17 (1998) 2635-2650, method 10.

    >>> print(newcombe_paired(36, 12, 2, 0))
    +0.2 [+0.05693, +0.3404]
    """
    total = both + first_only + second_only + neither
    first = wilson(both + first_only, total, confidence=confidence)
    second = wilson(both + second_only, total, confidence=confidence)
    product = first.count * second.count * (total - first.count) * (total - second.count)
    # The correlation, its numerator corrected for continuity where it is positive (section 3 there).
    numerator = float(both * neither - first_only * second_only)
    if numerator > 0:
        numerator = max(numerator - total / 2, 0.0)
    phi = numerator / math.sqrt(product) if product else 0.0
    d = first.value - second.value

    def leg(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))

    low = d - leg(first.value - first.low, second.high - second.value)
    high = d + leg(first.high - first.value, second.value - second.low)
    return Difference(d, max(low, -1.0), min(high, 1.0), confidence, "newcombe-paired")


def mcnemar(first_only: int, second_only: int) -> float:
    """Exact two-sided p-value of McNemar's test: are the two discordant cells equally likely?

    >>> round(mcnemar(12, 2), 6)
    0.012939
    """
    discordant = first_only + second_only
    if discordant == 0:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(first_only, second_only), discordant, 0.5)))


def images_to_decide(rate: Rate, limit: float) -> int | None:
    """Return how many more images would settle on which side of ``limit`` the rate lies.

    Assumes that the present rate holds, which it will only nearly do: a plan, not a promise. None if
    the present rate equals the limit, so that no number would.

    >>> images_to_decide(wilson(2, 100), 0.01)
    281
    """
    p = rate.value
    if p == limit:
        return None
    from scipy.special import ndtri

    z = float(ndtri(0.5 + rate.confidence / 2))
    # The limit is a Wilson bound of p where n (p - limit)^2 = z^2 limit (1 - limit).
    needed = z * z * limit * (1 - limit) / (p - limit) ** 2
    return max(1, math.floor(needed) + 1 - rate.total)


def in_percent(share: float) -> str:
    """Return a share as a person reads it, to two digits of what is there or is not.

    >>> in_percent(0.2), in_percent(2999 / 3000), in_percent(0.0)
    ('20 %', '99.967 %', '0 %')
    """
    near = min(share, 1 - share)
    rounded = float(f"{100 * near:.2g}")
    text = f"{rounded if share <= 0.5 else 100 - rounded:.8f}".rstrip("0").rstrip(".")
    return f"{text} %"
