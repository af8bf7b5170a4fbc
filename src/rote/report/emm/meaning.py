"""What an EMM says for the reader's own data, in sentences; nothing is said beyond the sizes trained."""

from __future__ import annotations

import itertools
import math

from rote.report.words import format_size, percent_of
from rote.results.emm import BandRow, Emm, EmmFile

ONLY_COPIES = 0.2
"""Largest epsilon of a rate that is still called copying alone; of others the rate itself is said."""


def does(epsilon: float) -> str:
    """Return what a model does up to the EMM.

    >>> does(0.1), does(0.9)
    ('can only copy', 'copies at least 10 % of the time')
    """
    if epsilon <= ONLY_COPIES:
        return "can only copy"
    return f"copies at least {100 * (1 - epsilon):.3g} % of the time"


def for_your_set(file: EmmFile) -> list[str]:
    """Say up to which size the model copies so often, and what it does with all of the reader's data."""
    have, items = file.data.count, file.data.items
    opening = f"You have {have:,} {items}. {_up_to(file.emm, have, items, file.epsilon)}"
    largest = max(point.size for point in file.points)
    if file.emm.status == "unknown":
        return [opening]
    if have > largest:
        return [
            opening,
            f"The largest set trained here had {largest:,}: what share of copies all {have:,} would give "
            "this search does not know.",
        ]
    at = rate_at(file.curve.band, have)
    if at is None:
        return [opening]
    return [
        opening,
        f"Trained on all of them, {percent_of(at.rate)} of what it makes would be copies "
        f"({percent_of(at.low)} to {percent_of(at.high)}, the mean over runs).",
    ]


def rate_at(band: tuple[BandRow, ...], size: float) -> BandRow | None:
    """Return the mean rate at a size, between the two nearest of a band; None outside it.

    Rates are interpolated over the logarithm of the size.
    """
    rows = sorted(band, key=lambda row: row.size)
    for a, b in itertools.pairwise(rows):
        if a.size <= size <= b.size:
            span = math.log(b.size / a.size)
            t = math.log(size / a.size) / span if span else 0.0
            rate, low, high = (
                (1 - t) * getattr(a, name) + t * getattr(b, name)
                for name in ("rate", "low", "high")
            )
            return BandRow(size=size, rate=rate, low=low, high=high)
    return None


def _up_to(emm: Emm, have: int, items: str, epsilon: float) -> str:
    copies = does(epsilon)
    low, high = (None if x is None else format_size(x) for x in (emm.low, emm.high))
    sure = f"{100 * emm.confidence:g} %"
    if emm.status == "unknown":
        return f"Up to how many of them this model {copies} is not known."
    if emm.status == "bracketed" and emm.value is not None and emm.low is not None:
        ends = f"about {format_size(emm.value)}"
        if have <= emm.low:
            return f"Trained on all of them this model {copies}; that ends at {ends}."
        return f"Up to {ends} of them ({low} to {high}, {sure} sure) this model {copies}."
    if emm.low is not None:
        if have <= emm.low:
            return f"Trained on all of them this model {copies}."
        return (
            f"Up to {low} of them at least this model {copies}; where that ends is not known yet."
        )
    if emm.high is not None:
        more = copies.replace("at least", "less than")
        more = "makes more than copies" if epsilon <= ONLY_COPIES else more
        return f"From {high} {items} on, at the latest, this model {more}."
    return f"Up to how many of them this model {copies} is not known yet."
