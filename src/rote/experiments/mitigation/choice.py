"""Which setting of a remedy is taken: the one of the least loss, of those with the fewest copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rote.stats.rates import Rate


@dataclass(frozen=True)
class Candidate:
    """A setting on samples that settings are chosen on.

    Attributes
    ----------
    rate
        Of copies, by the first judge.
    lost
        The most that it loses of any statistic of quality; below 0: nothing is lost.
    """

    setting: str
    rate: Rate
    lost: float


def least_loss(candidates: Sequence[Candidate], *, margin: float) -> Candidate:
    """Return the setting that is taken.

    1. Those that lose more than ``margin`` leave, unless all do: then the one of the least loss is taken.
    2. Of the rest those stay whose rate may, by its interval, be as low as the lowest: whose lower end is
       at most the upper end of that. A few copies more or less on so few samples are chance.
    3. Of these the one of the least loss; of equal losses the lower rate, then the one given first.

    >>> from rote.stats.rates import wilson
    >>> tried = ((0, 0.09), (2, 0.01), (30, -0.02))
    >>> found = [Candidate(f"{k} copies", wilson(k, 100), lost) for k, lost in tried]
    >>> least_loss(found, margin=0.1).setting
    '2 copies'
    """
    within = [one for one in candidates if one.lost <= margin]
    if within:
        lowest = min(within, key=lambda one: one.rate.value).rate
        within = [one for one in within if one.rate.low <= lowest.high]
    return min(within or candidates, key=lambda one: (one.lost, one.rate.value))
