"""Wilson's interval holds the truth as often as it says."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from rote.stats.rates import wilson


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
