"""Cluster-robust rates: the variance by hand, the ends, and coverage where plain Wilson fails."""

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.stats.clustered import clustered_rate
from rote.stats.rates import wilson


def test_variance_by_hand():
    # three clusters of 2, 3, 5 with 2, 0, 1 successes: p = 0.3, residuals 1.4, -0.9, -0.5
    success = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    cluster = np.array([7, 7, 3, 3, 3, 1, 1, 1, 1, 1])
    found = clustered_rate(success, cluster)
    variance = 3 / 2 * (1.4**2 + 0.9**2 + 0.5**2) / 100
    from scipy.stats import t

    effective = 0.21 / variance * (t.ppf(0.975, 9) / t.ppf(0.975, 2)) ** 2
    assert found.effective == pytest.approx(effective, rel=1e-12)
    assert (found.count, found.total, found.clusters, found.value) == (3, 10, 3, 0.3)
    assert found.low < 0.3 < found.high


def test_ends_count_clusters():
    found = clustered_rate(np.zeros(100, bool), np.repeat(range(10), 10))
    assert (found.low, found.effective) == (0, 10)
    assert found.high == pytest.approx(wilson(0, 10).high, abs=1e-12)
    assert clustered_rate(np.ones(100, bool), np.repeat(range(10), 10)).high == 1


def test_never_narrower_than_independent_items():
    alternating = np.tile([True, False], 50)
    found = clustered_rate(alternating, np.repeat(range(10), 10))
    # no spread between clusters at all: still at most the items, and less for so few clusters
    assert 70 < found.effective < 100 and found.low < wilson(50, 100).low


def test_one_cluster_is_refused():
    with pytest.raises(ConfigError, match=r"`cluster_by` finds 1 cluster in 4 items"):
        clustered_rate(np.ones(4, bool), np.zeros(4, np.int64))


@pytest.mark.parametrize(("mean", "clusters"), [(0.3, 30), (0.05, 60), (0.6, 12)])
def test_interval_holds_where_wilson_does_not(mean, clusters):
    # Each caption has its own probability, Beta with that mean and correlation 0.3; 20 samples each.
    rng, runs, each = np.random.default_rng(2), 1000, 20
    total = 1 / 0.3 - 1
    hits = plain = 0
    for _ in range(runs):
        p = rng.beta(mean * total, (1 - mean) * total, clusters)
        success = rng.random((clusters, each)) < p[:, None]
        found = clustered_rate(success.ravel(), np.repeat(np.arange(clusters), each))
        hits += found.low <= mean <= found.high
        naive = wilson(found.count, found.total)
        plain += naive.low <= mean <= naive.high
    # four binomial errors (0.028) and 0.02 for few and skewed clusters
    assert hits / runs > 0.95 - 0.048
    assert plain / runs < 0.75
