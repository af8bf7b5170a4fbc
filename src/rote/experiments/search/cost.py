"""What the runs of a search cost: how the design weighs them, and how long they take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rote.experiments.config import ExperimentConfig

STEEPEST = 1.5
"""Largest power of the size by which seconds are believed to grow."""
Runs = tuple[tuple[int, int], ...]
"""Size and replicate of each."""


@dataclass(frozen=True)
class RunSeconds:
    """How long a run of a size takes, learned from those that have ended.

    A power law of the size through their seconds by least squares, its power within 0 and `STEEPEST`.
    """

    power: float
    level: float
    slowest: float
    """By what factor the slowest run so far lay above the line; at least 1."""

    @staticmethod
    def learned(known: Sequence[tuple[int, float]]) -> RunSeconds | None:
        """Fit (size, seconds) of runs that have ended; None without any."""
        known = [(size, seconds) for size, seconds in known if seconds > 0]
        if not known:
            return None
        size, seconds = np.log(np.array(known, np.float64)).T
        away = size - size.mean()
        varied = float((away**2).sum())
        power = float((away * seconds).sum()) / varied if varied else 0.0
        power = min(max(power, 0.0), STEEPEST)
        level = float(seconds.mean() - power * size.mean())
        above = float((seconds - level - power * size).max())
        return RunSeconds(power, level, math.exp(max(above, 0.0)))

    def expected(self, size: int) -> float:
        """Return the seconds of a typical run of a size."""
        return math.exp(self.level + self.power * math.log(size))

    def most(self, size: int) -> float:
        """Return the seconds of a run of a size that is as slow as the slowest so far."""
        return self.slowest * self.expected(size)


def run_cost(
    config: ExperimentConfig, seconds: RunSeconds | None, left: float | None
) -> Callable[[int], float]:
    """Return the cost of a run by its size, as the design weighs it.

    Of rote's own training, the images seen. Of anyone else's, which rote knows nothing of, the same for
    every run, so that no clock decides what is trained; with a budget of time, the seconds that it takes.
    A run that cannot end within a budget of time costs infinitely.

    Parameters
    ----------
    config
        The configuration of the search.
    seconds
        What runs take; None: not known yet.
    left
        Seconds that are left of the budget; None: there is none.
    """
    takes = None if left is None else seconds

    def cost(size: int) -> float:
        if takes is not None and left is not None and takes.most(size) > left:
            return math.inf
        if config.trainer is None:
            return float(config.train.total_images(size))
        return 1.0 if takes is None else takes.expected(size)

    return cost


def in_time(runs: Runs, seconds: RunSeconds, left: float, *, side_by_side: int) -> Runs:
    """Return those of the runs that end within some seconds, so many at once, each begun in its turn.

    >>> takes_ten = RunSeconds(power=0.0, level=math.log(10), slowest=1.0)
    >>> in_time(((8, 0), (16, 0), (32, 0)), takes_ten, 25, side_by_side=1)
    ((8, 0), (16, 0))
    """
    ends = [0.0] * side_by_side
    kept = []
    for size, number in runs:
        first = ends.index(min(ends))
        end = ends[first] + seconds.most(size)
        if end <= left:
            ends[first] = end
            kept.append((size, number))
    return tuple(kept)
