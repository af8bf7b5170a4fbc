"""The onset test against scipy, and the false alarms of whole simulated trainings."""

import numpy as np
import pytest
import scipy.stats

from rote.memorization.monitor.options import NULL_RATE
from rote.stats.sequential import binomial_p_value, fisher_p_value, spent_alpha

ALPHA = 0.05
LOOKS = 100
TRAININGS = 20_000
# A share of 20,000 trainings is off by more than this once in 30,000 (four binomial standard errors).
FOUR_ERRORS = 4 * (ALPHA * (1 - ALPHA) / TRAININGS) ** 0.5


@pytest.mark.parametrize(("n", "m"), [(5, 7), (100, 1000), (1000, 10_000), (10_000, 300)])
def test_fisher_is_scipys(n, m):
    rng = np.random.default_rng(n)
    for _ in range(20):
        count, control = int(rng.integers(1, n // 2 + 1)), int(rng.integers(0, m // 2 + 1))
        table = [[count, n - count], [control, m - control]]
        expected = scipy.stats.fisher_exact(table, alternative="greater").pvalue
        found = fisher_p_value(count, n, control_count=control, control_total=m)
        # Logarithms of factorials to 1e5 carry 16 digits, so a chance keeps 10; below 1e-250 the
        # sums are of the size of what underflows.
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-250)


def test_binomial_is_scipys():
    for total in (1, 10, 400, 10_000):
        for count in range(min(total, 30) + 1):
            for rate in (0.001, 0.02, 0.3):
                expected = scipy.stats.binomtest(count, total, rate, alternative="greater").pvalue
                found = binomial_p_value(count, total, rate=rate)
                # Two implementations of the incomplete beta function.
                assert found == pytest.approx(expected, rel=1e-10)


def p_values(counts, total, *, control, control_total):
    """P-value of each training and look, from a table over the counts that occur."""
    table = np.array(
        [
            [
                fisher_p_value(k, total, control_count=c, control_total=control_total)
                for k in range(counts.max() + 1)
            ]
            for c in range(control.max() + 1)
        ]
    )
    return table[control[:, None], counts]


@pytest.mark.parametrize(
    ("rate", "samples", "held_out"), [(0.02, 200, 300), (0.002, 400, 2000), (0.2, 50, 50)]
)
def test_false_alarms_against_a_control_stay_below_alpha_over_a_whole_training(
    rate, samples, held_out
):
    rng = np.random.default_rng(0)
    control = rng.binomial(held_out, rate, TRAININGS)
    counts = rng.binomial(samples, rate, (TRAININGS, LOOKS))
    p = p_values(counts, samples, control=control, control_total=held_out)
    limits = np.array([spent_alpha(ALPHA, look) for look in range(1, LOOKS + 1)])
    assert (p <= limits).any(axis=1).mean() <= ALPHA + FOUR_ERRORS
    # What the spending is for: the same exact test at 5 % each time would alarm in most trainings.
    assert (p <= ALPHA).any(axis=1).mean() > 0.1


def test_false_alarms_against_a_stated_rate_stay_below_alpha():
    rng = np.random.default_rng(1)
    for samples in (100, 1000):
        counts = rng.binomial(samples, NULL_RATE, (TRAININGS, LOOKS))
        table = [binomial_p_value(k, samples, rate=NULL_RATE) for k in range(counts.max() + 1)]
        p = np.array(table)[counts]
        limits = np.array([spent_alpha(ALPHA, look) for look in range(1, LOOKS + 1)])
        alarms = (p <= limits).any(axis=1).mean()
        assert alarms <= ALPHA + FOUR_ERRORS
        assert (p <= ALPHA).any(axis=1).mean() > 0.3


def test_two_sets_of_weights_share_alpha():
    rng = np.random.default_rng(2)
    control = rng.binomial(300, 0.05, TRAININGS)
    limits = np.array([spent_alpha(ALPHA, look, sets=2) for look in range(1, LOOKS + 1)])
    alarms = np.zeros(TRAININGS, bool)
    for _ in range(2):
        counts = rng.binomial(300, 0.05, (TRAININGS, LOOKS))
        p = p_values(counts, 300, control=control, control_total=300)
        alarms |= (p <= limits).any(axis=1)
    assert alarms.mean() <= ALPHA + FOUR_ERRORS


def test_real_onset_is_found_within_two_looks():
    """A rate that rises from 0.1 % to 3 % at look 20 of 400 images, 2,000 held-out images."""
    rng = np.random.default_rng(3)
    rates = np.where(np.arange(1, 41) < 20, 0.001, 0.03)
    control = rng.binomial(2000, 0.001, 5000)
    counts = rng.binomial(400, rates, (5000, 40))
    p = p_values(counts, 400, control=control, control_total=2000)
    alarms = p <= np.array([spent_alpha(ALPHA, look) for look in range(1, 41)])
    first = np.where(alarms.any(axis=1), alarms.argmax(axis=1) + 1, 99)
    assert (first < 20).mean() <= ALPHA
    assert (first <= 21).mean() > 0.97
