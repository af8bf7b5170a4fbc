"""The effective model memorization (EMM) from trained points.

    EMM = max { N : E[rate at training-set size N] >= 1 - epsilon }        (Gu et al. 2025, def. 3)

A point is decided by its interval: "at-least" when the whole interval lies at or above 1 - epsilon,
"less" when it lies below, else "undecided". The bracket is

    low   the largest size up to which every point is "at-least",
    high  the smallest size from which every point is "less",

so points whose samples cannot tell, and curves that are not monotone, widen it. The value between is
where the rates, made monotone by weighted isotonic regression, cross 1 - epsilon on a line over
log(size). The bracket covers the sampling error of each point's rate. It does not cover the spread
over training seeds, of which each size has seen only its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

from rote.core.stats import Rate

Decision = Literal["at-least", "less", "undecided"]
Status = Literal["bracketed", "above", "below"]


@dataclass(frozen=True)
class EmmPoint:
    """One trained size, with the rate of fresh samples from its chosen snapshot."""

    size: int
    seed: int
    images_seen: int
    rate: Rate
    selection: tuple[tuple[int, Rate], ...]
    coverage: dict[str, Any]
    run: str

    def to_json(self, epsilon: float) -> dict[str, Any]:
        """Return the entry of `emm.json`."""
        return {
            "size": self.size,
            "seed": self.seed,
            "decision": decide(self.rate, epsilon),
            "images_seen": self.images_seen,
            "rate": self.rate.to_json(),
            "selection": [
                {"images_seen": seen, "rate": rate.to_json()} for seen, rate in self.selection
            ],
            "coverage": self.coverage,
            "run": self.run,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> EmmPoint:
        """Read back what `to_json` wrote."""
        return EmmPoint(
            size=data["size"],
            seed=data["seed"],
            images_seen=data["images_seen"],
            rate=Rate.from_json(data["rate"]),
            selection=tuple(
                (entry["images_seen"], Rate.from_json(entry["rate"])) for entry in data["selection"]
            ),
            coverage=data["coverage"],
            run=data["run"],
        )


@dataclass(frozen=True)
class Bracket:
    """The EMM: its value between low and high, in training items; None where not reached."""

    value: float | None
    low: int | None
    high: int | None
    status: Status

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        value = None if self.value is None else round(self.value, 2)
        return {"value": value, "low": self.low, "high": self.high, "status": self.status}


def decide(rate: Rate, epsilon: float) -> Decision:
    """Say whether a rate's interval lies at or above 1 - epsilon, below it, or across."""
    threshold = _threshold(epsilon)
    if rate.low >= threshold:
        return "at-least"
    return "less" if rate.high < threshold else "undecided"


def _threshold(epsilon: float) -> float:
    """Return 1 - epsilon on the scale of the decimals asked for: 1 - 0.7 is not 0.3 in binary."""
    return round(1 - epsilon, 12)


def bracket(rates: Sequence[tuple[int, Rate]], *, epsilon: float) -> Bracket:
    """Bracket the EMM from (size, rate) pairs; a size may occur more than once.

    >>> from rote.core.stats import wilson
    >>> rates = [(32, wilson(999, 1000)), (64, wilson(910, 1000)), (128, wilson(300, 1000))]
    >>> bracket(rates, epsilon=0.1).to_json()
    {'value': 64.73, 'low': 32, 'high': 128, 'status': 'bracketed'}
    """
    ordered = sorted(rates, key=lambda pair: pair[0])
    decisions: dict[int, set[Decision]] = {}
    for size, rate in ordered:
        decisions.setdefault(size, set()).add(decide(rate, epsilon))
    # A size on which its seeds disagree is decided neither way and stays inside the bracket.
    up = takewhile(lambda size: decisions[size] == {"at-least"}, decisions)
    down = takewhile(lambda size: decisions[size] == {"less"}, reversed(decisions))
    low, high = max(up, default=None), min(down, default=None)
    crossing = _crossing(ordered, _threshold(epsilon))
    if low is not None and high is not None:
        return Bracket(_clip(crossing, low, high), low, high, "bracketed")
    if high is None and (low is not None or crossing == math.inf):
        return Bracket(None, low, None, "above")
    return Bracket(None, None, high, "below")


def _crossing(ordered: Sequence[tuple[int, Rate]], threshold: float) -> float:
    """Return the size at which the isotonic curve crosses the threshold; 0 or inf beyond the ends."""
    from scipy.optimize import isotonic_regression

    sizes = sorted({size for size, _ in ordered})
    counts = [sum(r.count for s, r in ordered if s == size) for size in sizes]
    totals = [sum(r.total for s, r in ordered if s == size) for size in sizes]
    shares = [count / total for count, total in zip(counts, totals, strict=True)]
    fitted = isotonic_regression(shares, weights=totals, increasing=False).x
    if fitted[0] < threshold:
        return 0.0
    for left in range(len(sizes) - 1):
        a, b = float(fitted[left]), float(fitted[left + 1])
        if b < threshold:
            share = (a - threshold) / (a - b)
            start, end = math.log(sizes[left]), math.log(sizes[left + 1])
            return math.exp(start + share * (end - start))
    return math.inf


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def sentence(found: Bracket, *, epsilon: float, sizes: Sequence[int], items: str = "images") -> str:
    """Say the result in one sentence."""
    share = f"{100 * (1 - epsilon):g} %"
    if found.status == "bracketed":
        assert found.value is not None
        return (
            f"The EMM is about {found.value:.0f} training {items} (between {found.low} and "
            f"{found.high}): up to {found.low} the model copies at least {share} of the time, "
            f"from {found.high} on it does not."
        )
    if found.status == "above":
        reach = "" if found.low is None else f", and for certain up to {found.low}"
        return (
            f"The EMM lies above the largest size tried: with {max(sizes)} training {items} the "
            f"model may still copy at least {share} of the time{reach}."
        )
    return (
        f"The EMM lies below the smallest size tried: with {min(sizes)} training {items} the model "
        f"does not surely copy {share} of the time; train longer or use a larger model."
    )
