"""Intervals hold the truth as often as they say: Wilson's, and the bracket of whole searches."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from rote.core.stats import wilson
from rote.memorization.emm import bracket
from rote.studies.campaign import next_sizes, size_grid
from rote.studies.config import SearchConfig


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("total", [64, 1000])
def test_simulated_coverage_of_wilson_is_nominal(total, confidence):
    rng = np.random.default_rng(0)
    runs = 20_000
    truths = rng.uniform(size=runs)
    counts = rng.binomial(total, truths)
    low, high = np.array(
        [
            (r.low, r.high)
            for r in (wilson(k, total, confidence=confidence) for k in range(total + 1))
        ]
    ).T
    held = (low[counts] <= truths) & (truths <= high[counts])
    # Binomial error of the share, four of them, and 0.003 for what the mean over all rates may differ
    # from nominal (Wilson's coverage oscillates around it; Brown, Cai, DasGupta 2001).
    tolerance = 4 * math.sqrt(confidence * (1 - confidence) / runs) + 0.003
    assert held.mean() == pytest.approx(confidence, abs=tolerance)


@pytest.mark.parametrize("truth", [0.8, 0.9, 0.95])
def test_exact_coverage_of_wilson_near_the_threshold(truth):
    counts = np.arange(1001)
    held = [r.low <= truth <= r.high for r in (wilson(int(k), 1000) for k in counts)]
    # A sum over all outcomes, no simulation: the oscillation alone remains at n = 1000.
    assert binom.pmf(counts, 1000, truth)[held].sum() == pytest.approx(0.95, abs=0.01)


def simulated_search(rng, search, grid, rate_at):
    points = []
    while sizes := next_sizes(points, search, grid):
        for size in sizes:
            points.append((size, wilson(int(rng.binomial(1000, rate_at(size))), 1000)))
    return bracket(points, epsilon=search.epsilon)


@pytest.mark.parametrize("steepness", [1.0, 3.0])
def test_the_bracket_holds_the_true_crossing_at_the_nominal_rate(steepness):
    rng = np.random.default_rng(0)
    search = SearchConfig(start=64)
    grid = size_grid(search, available=2048)
    held = brackets = 0
    for _ in range(500):
        crossing = math.exp(rng.uniform(math.log(16), math.log(512)))

        def rate_at(size, crossing=crossing):
            return 1 / (1 + (size / crossing) ** steepness / 9)  # 0.9 at the crossing

        found = simulated_search(rng, search, grid, rate_at)
        low, high = found.low or 0, found.high or math.inf
        held += low <= crossing <= high
        brackets += found.status == "bracketed"
    # A point on either side of the crossing is misjudged with at most 2.5 %, so the bracket misses
    # in about 5 % at most; three binomial errors of 500 searches.
    assert held / 500 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 500)
    assert brackets >= 460
