"""The Mann-Whitney statistic, against scipy's, and with repeats."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import mannwhitneyu

from rote.stats.mann_whitney import mann_whitney


def test_mann_whitney_is_scipys():
    rng = np.random.default_rng(0)
    for spread in (3, 1000):  # with many ties, and with few
        a, b = rng.integers(0, spread, 40), rng.integers(0, spread, 60)
        effect, z = mann_whitney(a, b)
        peer = mannwhitneyu(a, b, method="asymptotic", use_continuity=False, alternative="less")
        assert 1 - effect == pytest.approx(peer.statistic / (40 * 60), abs=1e-12)
        assert float(ndtr(z)) == pytest.approx(peer.pvalue, rel=1e-9)
    assert mann_whitney(np.ones(5), np.ones(5)) == (0.5, 0.0)


def test_equal_numbers_of_repeats_change_nothing():
    rng = np.random.default_rng(1)
    for spread in (5, 1000):
        a, b = rng.integers(0, spread, 30), rng.integers(0, spread, 50)
        effect, z = mann_whitney(a, b)
        weights = (np.full(30, 7.0), np.full(50, 3.0))
        assert mann_whitney(a, b, weights=weights) == pytest.approx((effect, z), rel=1e-12)


def test_one_heavy_item_weighs_in_the_effect_and_not_in_the_certainty():
    a, b = np.arange(20.0), np.arange(20.0) + 0.5
    heavy = np.ones(20)
    heavy[0] = 1000  # the lowest of all, a thousand times
    effect, z = mann_whitney(a, b, weights=(heavy, np.ones(20)))
    assert effect > 0.98
    assert -2 < z < 0  # one draw: the lowest of 21
