"""Intervals of mean rates and of their differences against simulated studies with known truth."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import beta

from rote.core.errors import ConfigError
from rote.stats.beta_binomial import mean_rate
from rote.stats.rate_model import fit_rates

SAMPLES = 400


def simulated(rng, heights, spread, runs):
    eta = np.array(heights)[:, None] + spread * rng.standard_normal((len(heights), runs))
    counts = rng.binomial(SAMPLES, expit(eta))
    return {key: [(int(k), SAMPLES) for k in row] for key, row in enumerate(counts)}


@pytest.mark.parametrize("spread", [0.2, 0.8])
def test_intervals_hold_the_truth_about_as_often_as_they_say(spread):
    rng = np.random.default_rng(0)
    heights = [-4.0, -1.0, 0.5, 3.0]
    truth = mean_rate(np.array(heights), spread)
    held = {"rate": [], "difference": []}
    for _ in range(50):
        found = fit_rates(simulated(rng, heights, spread, runs=3))
        for key in range(4):
            rate = found.rate(key)
            held["rate"].append(rate.low <= truth[key] <= rate.high)
        for key in (0, 2, 3):
            found_difference = found.difference(key, 1)
            aim = truth[key] - truth[1]
            held["difference"].append(found_difference.low <= aim <= found_difference.high)
    # 150 to 200 intervals of 95 %, some of one study: standard deviation about 2 points.
    for name, hits in held.items():
        assert np.mean(hits) > 0.90, (name, np.mean(hits))


def test_a_study_without_an_effect_seldom_claims_one():
    """Bonferroni: any of four intervals between equal values excludes 0 in at most 5 % of studies."""
    rng = np.random.default_rng(1)
    alarms, studies, each = 0, 60, 1 - 0.05 / 4
    for _ in range(studies):
        found = fit_rates(simulated(rng, [0.3] * 5, 0.4, runs=2))
        differences = [found.difference(key, 0, confidence=each) for key in range(1, 5)]
        alarms += any(not d.low <= 0 <= d.high for d in differences)
    # Binomial(60, 0.05) is above 7 with probability 0.01.
    assert alarms <= 7


def test_intervals_of_equal_runs_are_wider_than_binomial_and_narrow_with_runs():
    few = fit_rates({"a": [(200, 400)] * 2}).rate("a")
    many = fit_rates({"a": [(200, 400)] * 12}).rate("a")
    pooled = beta(0.5 + 2400, 0.5 + 2400).interval(0.95)
    assert few.high - few.low > many.high - many.low > pooled[1] - pooled[0]
    assert many.value == pytest.approx(0.5, abs=0.01)


def test_a_spread_seen_in_one_setting_widens_the_others():
    alike = fit_rates({"a": [(200, 400)] * 2, "b": [(100, 400)] * 3}).rate("a")
    apart = fit_rates({"a": [(200, 400)] * 2, "b": [(20, 400), (100, 400), (300, 400)]}).rate("a")
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)


def test_a_noisy_setting_is_wider_than_its_neighbors_and_still_known():
    rng = np.random.default_rng(3)
    quiet = {key: [(int(k), 400) for k in rng.binomial(400, 0.5, 3)] for key in "abcd"}
    found = fit_rates({**quiet, "noisy": [(120, 400), (200, 400), (300, 400)]})
    widths = {key: (rate := found.rate(key)).high - rate.low for key in (*quiet, "noisy")}
    assert widths["noisy"] > 2 * max(widths[key] for key in quiet)
    assert all(found.is_known(key) for key in widths)


def test_runs_that_take_off_or_not_are_not_known_and_two_such_settings_make_none_known():
    off = [(20, 400), (370, 400), (375, 400)]
    steady = {key: [(count, 400)] * 3 for key, count in zip("abc", (150, 200, 250), strict=True)}
    one = fit_rates({**steady, "off": off})
    assert [one.is_known(key) for key in "abc"] == [True] * 3
    assert not one.is_known("off")
    assert not one.rate("off").known
    two = fit_rates({**steady, "off": off, "again": off[:2]})
    assert not any(two.is_known(key) for key in "abc")


def test_normal_runs_are_seldom_called_not_known():
    rng = np.random.default_rng(4)
    told = [
        fit_rates(simulated(rng, [-2.0, 0.0, 2.0], 0.6, runs=3)).rate(key).known
        for _ in range(20)
        for key in range(3)
    ]
    # 1 in 1,000 in docs/results/validity.md at most; three of sixty would be chance below 1e-4.
    assert told.count(False) < 3


def test_rates_at_the_ends_stay_within_and_keep_an_open_side():
    found = fit_rates({"none": [(0, 400)] * 2, "all": [(400, 400)] * 2})
    none, full = found.rate("none"), found.rate("all")
    assert 0 <= none.low < 0.001 < none.high < 0.05
    assert 0.95 < full.low < 0.999 < full.high <= 1
    assert found.difference("all", "none").value > 0.98


def test_higher_confidence_is_wider_and_order_does_not_matter():
    runs = {"a": [(136, 400), (200, 400)], "b": [(354, 400), (340, 400)]}
    found = fit_rates(runs)
    wide, narrow = (found.difference("b", "a", confidence=c) for c in (0.99, 0.9))
    assert wide.low < narrow.low < narrow.high < wide.high
    again = fit_rates({key: counts[::-1] for key, counts in reversed(runs.items())})
    assert again.difference("b", "a") == found.difference("b", "a")


def test_a_setting_without_runs_is_one_line():
    with pytest.raises(ConfigError, match="without a finished run"):
        fit_rates({"a": []})
