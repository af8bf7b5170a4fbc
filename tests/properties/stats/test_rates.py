"""Wilson's interval equals scipy's; its laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rote.stats.rates import wilson

confidences = st.floats(0.01, 0.999)


@pytest.mark.parametrize("confidence", [0.5, 0.68, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("total", [1, 2, 3, 10, 64, 256, 1000, 10_000])
def test_equals_scipy_on_a_grid(total, confidence):
    for count in {*range(0, total + 1, max(1, total // 16)), 1, total - 1, total}:
        rate = wilson(count, total, confidence=confidence)
        interval = binomtest(count, total).proportion_ci(confidence, method="wilson")
        # Both are the same closed form in float64, written in another order: a few roundings.
        assert rate.low == pytest.approx(interval.low, rel=0, abs=1e-15)
        assert rate.high == pytest.approx(interval.high, rel=0, abs=1e-15)


@given(st.integers(1, 10**7), st.data(), confidences)
def test_the_interval_holds_the_rate_and_mirrors(total, data, confidence):
    count = data.draw(st.integers(0, total))
    rate = wilson(count, total, confidence=confidence)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    other = wilson(total - count, total, confidence=confidence)
    assert math.isclose(rate.low, 1 - other.high, abs_tol=1e-14)


@given(st.integers(1, 10**5), st.data(), confidences)
def test_more_successes_never_lower_either_end(total, data, confidence):
    count = data.draw(st.integers(0, total - 1))
    lower = wilson(count, total, confidence=confidence)
    higher = wilson(count + 1, total, confidence=confidence)
    assert higher.low >= lower.low
    assert higher.high >= lower.high
