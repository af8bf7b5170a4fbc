"""The intervals of quality and of the two-sample test hold as often as they say, over simulated sets."""

import numpy as np
import pytest

from rote.metrics.frechet import frechet_distance
from rote.metrics.nn_accuracy import nearest_accuracy
from rote.metrics.precision_recall import manifold_statistics


def share_held(estimates):
    """Of many draws (R, S): how often each interval holds the mean over the draws."""
    low, high = ([[getattr(e, end) for e in row] for row in estimates] for end in ("low", "high"))
    mean = np.mean([[e.value for e in row] for row in estimates], axis=0)
    return ((np.array(low) <= mean) & (mean <= np.array(high))).mean(axis=0)


@pytest.mark.parametrize(("count", "dimension"), [(100, 3), (60, 100)])
def test_frechet_intervals_hold(count, dimension):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        a, b = rng.normal(size=(count, dimension)) * 1.2 + 0.3, rng.normal(size=(count, dimension))
        found.append([frechet_distance(a, b)])
    # four binomial errors of 200 below 0.95
    assert share_held(found) > 0.95 - 0.062


def test_intervals_of_neighbors_hold():
    rng, found = np.random.default_rng(1), []
    for seed in range(60):
        a, b = rng.normal(size=(80, 3)) * 0.7, rng.normal(size=(80, 3))
        m = manifold_statistics(a, b, seed=seed)
        accuracy = nearest_accuracy(a, b, seed=seed).accuracy
        found.append([m.precision, m.recall, m.density, m.coverage, accuracy])
    # four binomial errors of 60 below 0.95
    assert (share_held(found) > 0.95 - 0.113).all()
