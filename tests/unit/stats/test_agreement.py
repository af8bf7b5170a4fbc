"""Intervals of agreement: resamples are those of other implementations; degenerate tables are told."""

import numpy as np
import pytest
from audits import ratio_audit as audit
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from rote.core.seeds import child_seed
from rote.memorization.audit.agreement import agreement, kappa
from rote.stats.agreement import (
    RESAMPLES,
    SPEARMAN,
    _kappa_influence,
    kappa_interval,
    kappa_of,
    spearman_intervals,
)
from rote.stats.rates import wilson


def verdicts(both, first, second, neither):
    counts = (both, first, second, neither)
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    return np.repeat(a, counts), np.repeat(b, counts)


def test_rank_correlations_of_resamples_are_those_of_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 7, 30).astype(float), rng.normal(size=30)  # one of them with ties
    found = spearman_intervals([a, b], seed=3)[0][1]
    order = np.lexsort(_ranks(a, b))
    rows = np.random.default_rng(child_seed(3, "bootstrap", SPEARMAN)).integers(
        30, size=(RESAMPLES, 30)
    )
    slow = [stats.spearmanr(a[order][row], b[order][row]).statistic for row in rows]
    assert found == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=1e-12)


def _ranks(*scores):
    return np.array([stats.rankdata(score, method="dense") for score in scores])


def test_the_order_of_images_changes_nothing():
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(size=60), rng.integers(0, 4, 60).astype(float), rng.normal(size=60)
    scores = [a, b, a, c]  # two rulers of one and the same order among them
    found = spearman_intervals(scores, seed=0)
    for _ in range(8):
        turned = rng.permutation(60)
        assert spearman_intervals([one[turned] for one in scores], seed=0) == found
    assert spearman_intervals(scores, seed=1) != found


def test_large_samples_are_those_of_bonett_and_wright():
    """Of normal scores, for which their variance is made: both ends within 10 % of the half width."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=4000)
    b = 0.6 * a + 0.8 * rng.normal(size=4000)
    r = stats.spearmanr(a, b).statistic
    half = 1.96 * np.sqrt((1 + r**2 / 2) / (4000 - 3))
    low, high = spearman_intervals([a, b], seed=0)[0][1]
    expected = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    assert (low, high) == pytest.approx(expected, abs=0.1 * (high - low) / 2)


def test_constant_and_equal_orders():
    a = np.arange(40.0)
    found = spearman_intervals([a, a**3, np.zeros(40), -a], seed=0)
    assert found[0][1] == (1.0, 1.0) and found[0][2] is None and found[2][2] is None
    assert found[0][3] == pytest.approx((-1.0, -1.0), abs=1e-12)
    assert spearman_intervals([np.zeros(4), np.zeros(4)], seed=0) == [[None, None]] * 2


def test_large_samples_of_kappa_are_those_of_its_asymptotic_variance():
    """Fleiss, Cohen and Everitt (1969), as in Agresti: both ends within 10 % of the half width."""
    cells = np.array([[900, 200], [150, 3750]])
    a, b = verdicts(900, 200, 150, 3750)
    p, n = cells / cells.sum(), cells.sum()
    agree, row, column = np.trace(p), p.sum(axis=1), p.sum(axis=0)
    chance = row @ column
    value = (agree - chance) / (1 - chance)
    assert value == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    own = sum(p[i, i] * (1 - (row[i] + column[i]) * (1 - value)) ** 2 for i in (0, 1))
    cross = sum(p[i, 1 - i] * (column[i] + row[1 - i]) ** 2 for i in (0, 1))
    rest = (value - chance * (1 - value)) ** 2
    half = 1.96 * np.sqrt((own + (1 - value) ** 2 * cross - rest) / n) / (1 - chance)
    low, high = kappa_interval(a, b, seed=0)
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.1 * half)


def test_full_agreement_is_not_certain():
    """Where nothing disagrees, resampled images would say [1, 1] of any number of them."""
    lows = []
    for count in (2, 10, 50, 250):
        low, high = kappa_interval(*verdicts(count, 0, 0, 9 * count), seed=0)
        assert high == 1.0
        lows.append(low)
    assert lows == sorted(lows) and lows[0] < 0.6 and 0.97 < lows[-1] < 1
    # With half of them flagged kappa is 1 - 2 d, d the share of disagreement: Wilson knows it too.
    low, _ = kappa_interval(*verdicts(500, 0, 0, 500), seed=0)
    assert low == pytest.approx(1 - 2 * wilson(0, 1000).high, abs=0.005)


@pytest.mark.parametrize(
    "cells", [(0, 0, 0, 9), (9, 0, 0, 0), (0, 9, 0, 0), (0, 0, 3, 9), (0, 4, 4, 0), (1, 0, 0, 0)]
)
def test_degenerate_tables(cells):
    """None flagged, all flagged, never the same, one flags none, no agreement at all, one image."""
    a, b = verdicts(*cells)
    value, interval = kappa(a, b), kappa_interval(a, b, seed=0)
    if value is None:
        assert interval is None and max(cells[0], cells[3]) == sum(cells)
        return
    low, high = interval
    assert -1 <= low <= value <= high <= 1 and low < high


def test_intervals_hold_their_numbers_and_widen_with_confidence():
    a, b = verdicts(20, 5, 8, 100)
    narrow, wide = (kappa_interval(a, b, seed=0, confidence=c) for c in (0.8, 0.99))
    assert wide[0] < narrow[0] < kappa(a, b) < narrow[1] < wide[1]
    assert kappa_interval(b, a, seed=0) == pytest.approx(kappa_interval(a, b, seed=0), abs=0.02)


def test_images_of_one_caption_count_as_they_vary():
    rng = np.random.default_rng(4)
    a, b = verdicts(30, 6, 9, 155)
    own, unit = np.arange(200), rng.permutation(200)
    # images that are their own clusters are independent ones
    assert kappa_interval(a, b, seed=0, cluster=own) == kappa_interval(a, b, seed=0)
    # ten equal images a caption say what one says, but for the four captions thought of
    many = [np.repeat(side, 10) for side in (a, b)]
    once, often = (
        kappa_interval(a, b, seed=0),
        kappa_interval(*many, seed=0, cluster=own.repeat(10)),
    )
    assert often == pytest.approx(once, abs=0.02)
    alone = kappa_interval(*many, seed=0)
    assert alone[1] - alone[0] < 0.4 * (often[1] - often[0])
    # captions drawn at random have no effect but the four
    mixed = kappa_interval(*many, seed=0, cluster=np.repeat(unit, 10)[rng.permutation(2000)])
    assert alone[1] - alone[0] <= mixed[1] - mixed[0] < 1.3 * (alone[1] - alone[0])
    # where nothing disagrees each caption is one image
    yes = np.arange(60) < 6
    full = kappa_interval(
        np.repeat(yes, 10), np.repeat(yes, 10), seed=0, cluster=own[:60].repeat(10)
    )
    assert full == kappa_interval(yes, yes, seed=0)


def test_kappa_s_influence_is_its_derivative():
    cells = np.array([30.0, 6.0, 9.0, 155.0])
    found = _kappa_influence(cells)
    ends = [kappa_of(cells + 1e-4 * step) - kappa_of(cells - 1e-4 * step) for step in np.eye(4)]
    assert np.array(ends) / ends[0] == pytest.approx(found / found[0], rel=1e-6)


def test_rank_correlations_of_captions_are_as_wide_as_those_of_captions():
    rng = np.random.default_rng(5)
    a = rng.normal(size=150)
    b = 0.6 * a + 0.8 * rng.normal(size=150)
    once = spearman_intervals([a, b], seed=0)[0][1]
    many = [np.repeat(side, 10) for side in (a, b)]
    often = spearman_intervals(many, seed=0, cluster=np.arange(150).repeat(10))[0][1]
    assert often == pytest.approx(once, abs=0.03)
    assert spearman_intervals(many, seed=0)[0][1][0] > often[0] + 0.04
    same = spearman_intervals([a, a**3], seed=0, cluster=np.arange(150) // 10)
    assert same[0][1] == (1.0, 1.0)


def test_an_audit_tells_them(tmp_path):
    from rote.data.load import load_images

    digits = load_images("digits")
    found = audit(
        digits.take(range(60)),
        digits.take(range(40, 240)),
        space=("pixel", "lowres:2"),
        criterion=("ratio", "carlini"),
        positive_control=0,
    )
    told, agreed = found.to_json()["agreement"], found.agreement
    assert told["confidence"] == 0.95
    for name in ("kappa", "spearman"):
        values, intervals = told[name], told[f"{name}_interval"]
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                if value is None:
                    assert intervals[i][j] is None
                    continue
                low, high = intervals[i][j]
                assert low <= value <= high
                assert (low, high) == (1, 1) if i == j else True
                assert intervals[j][i] == intervals[i][j]
    again = agreement(found.spaces, seed=1)
    assert again.kappa == agreed.kappa and again.kappa_interval != agreed.kappa_interval
