"""Differences, paired differences and the gate's plan, against published and exact figures."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest

from rote.stats.conformal import binomial_quantile, calibrate
from rote.stats.rates import images_to_decide, mcnemar, newcombe, newcombe_paired, wilson


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17:873, Table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_is_as_published(first, second, low, high):
    found = newcombe(wilson(*first), wilson(*second))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    swapped = newcombe(wilson(*second), wilson(*first))
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_pairs_that_agree_narrow_the_interval():
    independent = newcombe(wilson(40, 100), wilson(30, 100))
    paired = newcombe_paired(30, 10, 0, 60)
    assert paired.value == pytest.approx(independent.value)
    assert paired.high - paired.low < 0.7 * (independent.high - independent.low)
    opposed = newcombe_paired(0, 40, 30, 30)
    assert opposed.high - opposed.low > independent.high - independent.low


def test_paired_without_correlation_is_independent():
    # 0.4 and 0.5 of 100, cells by their product: the corrected correlation is 0.
    paired = newcombe_paired(20, 20, 30, 30)
    independent = newcombe(wilson(40, 100), wilson(50, 100))
    assert (paired.low, paired.high) == pytest.approx((independent.low, independent.high))


def test_the_correlation_of_pairs_is_corrected_for_continuity():
    # 20 both, 5 and 3 of one alone, 22 neither: ad - bc = 425, less half of 50; by the marginal totals.
    phi = (20 * 22 - 5 * 3 - 25) / math.sqrt(25 * 23 * 25 * 27)
    first, second = wilson(25, 50), wilson(23, 50)
    below, above = first.value - first.low, second.high - second.value
    expected = 0.04 - math.sqrt(below**2 - 2 * phi * below * above + above**2)
    assert newcombe_paired(20, 5, 3, 22).low == pytest.approx(expected, rel=1e-12)


def test_paired_intervals_cover():
    # 2,000 tables at a true difference of 0.05; 3 standard errors of the coverage are 0.015.
    tables = np.random.default_rng(0).multinomial(300, [0.1, 0.08, 0.03, 0.79], size=2000)
    found = [newcombe_paired(*(int(cell) for cell in table)) for table in tables]
    covered = np.mean([interval.low <= 0.05 <= interval.high for interval in found])
    assert abs(covered - 0.95) < 0.015


def test_mcnemar_is_the_binomial_test():
    for a, b in [(0, 0), (5, 5), (12, 2), (1, 30)]:
        expected = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
        assert mcnemar(a, b) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "limit"), [(2, 0.01), (0, 0.01), (30, 0.25), (99, 0.95)])
def test_so_many_more_images_decide_and_one_fewer_does_not(count, limit):
    rate = wilson(count, 100)
    more = images_to_decide(rate, limit)

    def decided(total):
        # The Wilson bounds are the roots of n (p - limit)^2 = z^2 limit (1 - limit).
        return total * (rate.value - limit) ** 2 > 1.959963985**2 * limit * (1 - limit)

    assert decided(100 + more)
    assert not decided(100 + more - 1)


def test_no_number_decides_at_the_limit_itself():
    assert images_to_decide(wilson(1, 100), 0.01) is None


def test_the_calibrated_threshold_by_hand():
    # 399 ratios, 0.5 %: k = floor(0.005 * 400) = 2, so the second smallest; one lies below it.
    ratio = np.arange(1, 400) / 400
    found = calibrate(np.random.default_rng(0).permutation(ratio), asked=0.005)
    assert found.threshold == 2 / 400
    assert found.flags(ratio).sum() == 1
    assert found.false_positives == pytest.approx(
        (beta.ppf(0.025, 2, 398), beta.ppf(0.975, 2, 398))
    )
    # Ranks by Binomial(399, 0.005): P(B >= 1) = 0.86, so no lower rank; P(B <= 5) > 0.975 > P(B <= 4)
    assert found.low is None
    assert binom.cdf(5, 399, 0.005) > 0.975 > binom.cdf(4, 399, 0.005)
    assert found.high == 6 / 400


def test_binomial_quantiles_are_scipy_s():
    for count in (*range(1, 60), 199, 1000, 1999, 10**6):
        for share in (1e-3, 0.005, 0.05, 0.5):
            for q in (0.005, 0.025, 0.975, 0.995):
                assert binomial_quantile(q, count, share) == binom.ppf(q, count, share)


def test_too_few_to_calibrate_says_how_many():
    assert calibrate(np.linspace(0.1, 1, 198), asked=0.005).threshold is None
    assert calibrate(np.linspace(0.1, 1, 198), asked=0.005).needed == 199
    assert calibrate(np.linspace(0.1, 1, 199), asked=0.005).threshold == 0.1
    assert not calibrate(np.ones(5)).flags(np.zeros(3)).any()


def test_a_calibrated_threshold_keeps_its_promise():
    # Fresh uniform ratios pass with probability t itself; its mean over calibrations is k / (n + 1),
    # here 5 / 1000. 400 calibrations: standard error 0.0022 / 20; 4 of them are 0.00045.
    generator = np.random.default_rng(0)
    found = [calibrate(generator.random(999), asked=0.005) for _ in range(400)]
    assert abs(np.mean([c.threshold for c in found]) - 0.005) < 0.00045
    # The order-statistics interval covers the true quantile, 0.005; 3 standard errors are 0.033.
    covered = np.mean([c.low is not None and c.low <= 0.005 <= c.high for c in found])
    assert covered > 0.95 - 0.033
