"""Rates with their intervals.

A rate never travels without count, total and interval. The interval is Wilson's score interval
(Wilson 1927), which keeps its coverage at rates near 0 and 1 where the textbook "Wald" interval
collapses to a point: 0 copies in 1,000 images is [0, 0.0038], not [0, 0].
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rote.core.errors import ConfigError


@dataclass(frozen=True)
class Rate:
    """A share of a finite sample with its confidence interval; all numbers in [0, 1]."""

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
