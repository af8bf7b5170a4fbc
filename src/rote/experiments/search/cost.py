"""What a run of a size costs, in whatever unit the runs of a search are compared by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rote.experiments.config import ExperimentConfig
from rote.results.run import Point

STEEPEST = 1.5
"""Largest power of the size by which seconds are believed to grow."""


def run_cost(config: ExperimentConfig, points: Sequence[Point]) -> Callable[[int], float]:
    """Return the cost of a run by its size.

    Of rote's own training, the images seen. Of anyone else's, the seconds of the runs so far: a power law
    of the size through them by least squares, its power within 0 and `STEEPEST`; 1 while there are none.
    """
    if config.trainer is None:
        return lambda size: float(config.train.total_images(size))
    known = [(point.size, point.seconds) for point in points if point.seconds]
    if not known:
        return lambda size: 1.0
    size, seconds = np.log(np.array(known, np.float64)).T
    varied = float(((size - size.mean()) ** 2).sum())
    power = float(((size - size.mean()) * seconds).sum()) / varied if varied else 0.0
    power = min(max(power, 0.0), STEEPEST)
    level = float(seconds.mean() - power * size.mean())
    return lambda size: float(np.exp(level + power * np.log(size)))
