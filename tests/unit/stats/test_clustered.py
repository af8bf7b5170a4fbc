"""Rates of clusters: the variance by hand, the ends, and coverage where plain Wilson fails."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from rote.core.errors import ConfigError
from rote.stats.clustered import clustered_rate, joined_groups
from rote.stats.rates import wilson


def test_variance_by_hand():
    # three clusters of 2, 3, 5 with 2, 0, 1 successes: p = 0.3, sums of residuals 1.4, -0.9, -0.5
    success = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    cluster = np.array([7, 7, 3, 3, 3, 1, 1, 1, 1, 1])
    found = clustered_rate(success, cluster)
    variance = (1.4**2 / 0.8 + 0.9**2 / 0.7 + 0.5**2 / 0.5) / 100
    alike = 10 * (0.2**2 + 0.3**2 + 0.5**2)
    # residuals are 0.7 three times and 0.3 seven times, in absolute value
    seen = min(10 / alike, 2.1**2 / (3 * 0.7**4 + 7 * 0.3**4))
    effect = (seen * variance / 0.021 + 4 * alike) / (seen + 4)
    assert effect < alike
    assert found.design_effect == pytest.approx(effect, rel=1e-12)
    assert (found.count, found.total, found.clusters, found.value) == (3, 10, 3, 0.3)
    n = 10 / effect
    ends = beta.ppf(0.025, 0.3 * n, n - 0.3 * n + 1), beta.ppf(0.975, 0.3 * n + 1, n - 0.3 * n)
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-9)


def test_items_that_are_their_own_clusters_have_the_exact_interval():
    found = clustered_rate(np.arange(50) < 7, np.arange(50))
    exact = binomtest(7, 50).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert found.effective == 50


def test_where_all_are_alike_each_cluster_is_one_trial():
    found = clustered_rate(np.zeros(100, bool), np.repeat(range(10), 10))
    assert (found.low, found.effective) == (0, 10)
    assert found.high == pytest.approx(1 - 0.025**0.1, rel=1e-9)
    assert clustered_rate(np.ones(100, bool), np.repeat(range(10), 10)).high == 1
    # 9 copies of one caption and of no other
    one = clustered_rate(np.arange(90) < 9, np.repeat(range(10), 9))
    assert one.effective == pytest.approx(10, rel=1e-12)


def test_never_narrower_than_independent_items():
    alternating = np.tile([True, False], 500)
    found = clustered_rate(alternating, np.repeat(range(100), 10))
    # no spread between clusters at all; four more, alike within, are thought of
    assert found.design_effect == pytest.approx(40 / 104, abs=0.7)
    assert found.effective == 1000
    few = clustered_rate(alternating[:100], np.repeat(range(10), 10))
    assert 30 < few.effective < 40


def test_groups_are_joined_where_any_partition_joins_them():
    a = np.array([0, 0, 1, 1, 2, 3, 4])
    b = np.array([9, 8, 8, 7, 6, 6, 5])
    assert joined_groups(a, b).tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert joined_groups(a).tolist() == a.tolist()


def test_one_cluster_is_refused():
    with pytest.raises(ConfigError, match=r"`cluster_by` finds 1 cluster in 4 items"):
        clustered_rate(np.ones(4, bool), np.zeros(4, np.int64))


ZIPF = np.maximum(1, np.rint(1000 / 3.995 / np.arange(1, 31))).astype(int)


@pytest.mark.parametrize(
    ("mean", "correlation", "sizes"),
    [
        (0.3, 0.3, np.full(30, 20)),
        (0.05, 0.3, np.full(60, 20)),
        (0.1, 0.5, np.full(8, 50)),
        (0.1, 0.5, ZIPF),
        (0.3, 0.2, np.r_[990, np.full(99, 10)]),
    ],
)
def test_interval_holds_where_wilson_does_not(mean, correlation, sizes):
    # Each caption has its own probability, Beta with that mean and correlation.
    rng, runs = np.random.default_rng(2), 400
    total, cluster = 1 / correlation - 1, np.repeat(np.arange(len(sizes)), sizes)
    hits = plain = 0
    for _ in range(runs):
        p = rng.beta(mean * total, (1 - mean) * total, len(sizes))
        success = rng.random(len(cluster)) < p[cluster]
        found = clustered_rate(success, cluster)
        hits += found.low <= mean <= found.high
        naive = wilson(found.count, found.total)
        plain += naive.low <= mean <= naive.high
    # 95 % less three binomial errors (0.033)
    assert hits / runs > 0.917
    assert plain / runs < 0.75
