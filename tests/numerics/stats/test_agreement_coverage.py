"""The intervals of agreement hold as often as they say, over simulated verdicts and scores."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from rote.stats.agreement import kappa_interval, spearman_intervals

REPEATS = 400
# four binomial errors of 400 below 0.95
LEAST = 0.95 - 4 * (0.95 * 0.05 / REPEATS) ** 0.5


@pytest.mark.parametrize(
    ("shares", "count"),
    [
        ((0.05, 0.01, 0.01, 0.93), 300),
        ((0.01, 0.002, 0.002, 0.986), 300),  # resampled images hold 66 % of the time here
        ((0.3, 0.02, 0.02, 0.66), 100),
        ((0.1, 0.1, 0.1, 0.7), 100),
        ((0.25, 0.25, 0.25, 0.25), 50),
        ((0.002, 0.0005, 0.0005, 0.997), 5000),
    ],
)
def test_kappa_intervals_hold(shares, count):
    both, first, second, neither = shares
    by_chance = (both + first) * (both + second) + (first + neither) * (second + neither)
    true = (both + neither - by_chance) / (1 - by_chance)
    rng, held, known = np.random.default_rng(0), 0, 0
    for repeat in range(REPEATS):
        drawn = rng.choice(4, size=count, p=shares)
        found = kappa_interval(drawn < 2, drawn % 2 == 0, seed=repeat)
        if found is not None:
            known += 1
            held += found[0] <= true <= found[1]
    assert known > 0.9 * REPEATS and held / known > LEAST


def test_rank_correlation_intervals_hold_of_mixtures_with_ties():
    """A fifth are copies, half of which are exact and tie at one score in both rulers."""
    rng = np.random.default_rng(1)

    def draw(count):
        copy, exact = rng.random(count) < 0.2, rng.random(count) < 0.5
        a = rng.normal(size=count)
        b = 0.5 * a + 0.9 * rng.normal(size=count)
        a = np.where(copy, np.where(exact, -9, a - 4), a)
        return a, np.where(copy & (rng.random(count) < 0.7), np.where(exact, -9, b - 4), b)

    true = spearmanr(*draw(500_000)).statistic
    found = [spearman_intervals(draw(80), seed=repeat)[0][1] for repeat in range(REPEATS)]
    assert np.mean([low <= true <= high for low, high in found]) > LEAST
