"""Wilson intervals: exact ends, refusals, plain types."""

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.stats.rates import Rate, wilson


@pytest.mark.parametrize("total", [1, 2, 7, 1000, 10_000])
def test_ends_are_exactly_zero_and_one(total):
    none, every = wilson(0, total), wilson(total, total)
    assert (none.value, none.low) == (0.0, 0.0)
    assert (every.value, every.high) == (1.0, 1.0)
    assert none.high > 0
    assert every.low < 1


def test_one_of_two_by_hand():
    # z = 2 at confidence 0.9544997...: center 1/2, half width 2/3 * sqrt(1/8 + 1/4) = sqrt(1/6).
    rate = wilson(1, 2, confidence=0.9544997361036416)
    assert rate.low == pytest.approx(0.5 - 6**-0.5, abs=1e-14)
    assert rate.high == pytest.approx(0.5 + 6**-0.5, abs=1e-14)


@pytest.mark.parametrize(("count", "total"), [(-1, 5), (6, 5), (0, 0), (1, -1)])
def test_impossible_counts_are_refused(count, total):
    with pytest.raises(ConfigError, match=f"a rate of {count} in {total} is impossible"):
        wilson(count, total)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_impossible_confidence_is_refused(confidence):
    with pytest.raises(ConfigError, match="strictly between 0 and 1"):
        wilson(1, 2, confidence=confidence)


def test_more_confidence_is_wider():
    widths = [wilson(9, 10, confidence=c) for c in (0.5, 0.9, 0.95, 0.99)]
    assert np.all(np.diff([r.high - r.low for r in widths]) > 0)


def test_json_round_trip_and_text():
    rate = wilson(910, 1000)
    assert Rate.from_json(rate.to_json()) == rate
    assert list(rate.to_json()) == ["value", "low", "high", "count", "total", "confidence"]
    assert str(rate) == "0.91 [0.8907, 0.9262] (910 of 1000)"
