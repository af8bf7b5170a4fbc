"""The onset law: intervals by hand, the posterior against closed forms, coverage on known laws."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rote.core.errors import ConfigError
from rote.emm.onset import OnsetInterval, _posterior, fit_onset_law, onset_interval, onset_json
from rote.stats.sequential import spent_alpha


def test_the_interval_lies_between_the_last_look_below_and_the_first_above():
    history = [(100, 0, 200), (200, 3, 200), (300, 9, 200), (400, 2, 200)]

    def rejected(count, look):
        table = [[count, 200 - count], [1, 999]]
        return stats.fisher_exact(table, alternative="greater").pvalue <= spent_alpha(0.05, look)

    assert [rejected(count, look) for look, (_, count, _) in enumerate(history, 1)][:3] == [
        False,
        False,
        True,
    ]
    found = onset_interval(64, history, control=(1, 1000))
    assert (found.low, found.high) == (200, 300)
    seen = min(k for k in range(201) if rejected(k, 3))
    assert found.visible == seen / 200


def test_without_a_control_the_binomial_test_decides():
    least = min(k for k in range(100) if stats.binom.sf(k - 1, 100, 0.001) <= spent_alpha(0.05, 1))
    assert onset_interval(8, [(50, least, 100)]).high == 50
    found = onset_interval(8, [(50, least - 1, 100)])
    assert (found.low, found.high, found.visible) == (50, None, least / 100)


def test_a_run_that_has_begun_at_its_first_snapshot_is_open_at_zero():
    found = onset_interval(8, [(50, 90, 100), (100, 100, 100)])
    assert (found.low, found.high) == (0, 50)


def exact(sizes, onsets):
    """Onsets known to one part in 10,000."""
    return [
        OnsetInterval(n, t * (1 - 5e-5), t * (1 + 5e-5), 0.02)
        for n, t in zip(sizes, onsets, strict=True)
    ]


def test_known_onsets_give_the_least_squares_line():
    rng = np.random.default_rng(1)
    sizes = np.array([16, 23, 32, 45, 64, 91, 128, 181])
    onsets = 150 * sizes**0.9 * np.exp(0.2 * rng.normal(size=8))
    law = fit_onset_law(exact(sizes, onsets))
    fitted = stats.linregress(np.log(sizes), np.log(onsets))
    # With flat priors the posterior of the line is symmetric about least squares; the grid's cells
    # are 3 % of its width.
    width = law.exponent.high - law.exponent.low
    assert law.exponent.value == pytest.approx(fitted.slope, abs=0.03 * width)
    assert math.log(law.a.value) == pytest.approx(fitted.intercept, abs=0.1 * width)
    center = math.exp(np.log(sizes).mean())
    assert math.log(law.line(center).value) == pytest.approx(np.log(onsets).mean(), abs=0.02)
    # A t interval is the same but for the prior on the scatter, which here says little.
    t_half = stats.t.ppf(0.975, 6) * fitted.stderr
    assert width / 2 == pytest.approx(t_half, rel=0.25)


def test_the_posterior_is_the_product_of_interval_probabilities():
    x = np.array([-1.0, 0.0, 2.0])
    low, high = np.array([-math.inf, 4.0, 6.5]), np.array([3.0, 5.0, math.inf])
    axes = [np.array([4.0, 4.5]), np.array([0.5, 1.0]), np.array([0.1, 0.4])]
    weight = _posterior(axes, x, low, high)

    def by_hand(level, exponent, scatter):
        normal = stats.norm(level + exponent * x, scatter)
        prior = scatter * math.exp(-0.5 * (scatter / 0.5) ** 2)  # times the cell of a log grid
        return prior * np.prod(normal.cdf(high) - normal.cdf(low))

    expected = np.array([[[by_hand(a, b, s) for s in axes[2]] for b in axes[1]] for a in axes[0]])
    assert weight == pytest.approx(expected / expected.sum(), rel=1e-9, abs=1e-15)


def simulated(rng, exponent, scatter):
    """A sweep of five sizes, 12 snapshots each on a log grid, and the onset of one more run at 64."""
    truth = lambda n: 12_800 * (n / 64) ** exponent * math.exp(scatter * rng.normal())  # noqa: E731
    snapshots = np.geomspace(800, 51_200, 12)
    intervals = []
    for size in (16, 32, 64, 128, 256):
        onset = truth(size)
        before, after = snapshots[snapshots < onset], snapshots[snapshots >= onset]
        low = float(before[-1]) if len(before) else 0.0
        high = float(after[0]) if len(after) else None
        intervals.append(OnsetInterval(size, low, high, 0.02))
    return intervals, truth(64)


def test_intervals_cover_a_known_law_and_the_advice_holds():
    rng = np.random.default_rng(0)
    inside, early, runs = 0, 0, 80
    for _ in range(runs):
        exponent, scatter = rng.uniform(0.6, 1.4), math.exp(rng.uniform(-2.5, -0.5))
        intervals, onset = simulated(rng, exponent, scatter)
        law = fit_onset_law(intervals)
        inside += law.exponent.low <= exponent <= law.exponent.high
        early += onset < law.stop_before(64).value
    # Nominal 95 % and 5 %, each with four binomial errors of 80 sweeps. (docs/numerics.md says what
    # 400 sweeps gave: a little more than nominal, for the prior allows more scatter than there is.)
    error = 4 * math.sqrt(0.05 * 0.95 / runs)
    assert inside / runs >= 0.95 - error
    assert early / runs <= 0.05 + error
    assert inside < runs or early > 0  # intervals that never miss would be too wide to be of use


def test_stopping_time_and_needed_size_are_inverse():
    rng = np.random.default_rng(2)
    law = fit_onset_law(simulated(rng, 1.0, 0.2)[0])
    nodes = law._nodes[::100].copy()  # a coarser posterior is one too, and asked much faster
    nodes[:, 3] /= nodes[:, 3].sum()
    law = replace(law, _nodes=nodes)
    for images in (5_000, 20_000):
        needed = law.needed_size(images)
        assert law.chance(needed.value, images) <= 0.05 < law.chance(needed.value - 1, images)
        assert law.stop_before(needed.value).value >= images - 1
    assert law.chance(64, law.stop_before(64).value) == pytest.approx(0.05, abs=1e-3)
    assert law.stop_before(64, risk=0.01).value < law.stop_before(64).value < law.line(64).low
    assert not law.stop_before(64).extrapolated
    assert law.stop_before(300).extrapolated
    assert law.needed_size(1e12).value is None


def test_too_little_gives_no_law_and_says_why():
    late = OnsetInterval(64, 900, None, 0.02)
    assert fit_onset_law([OnsetInterval(16, 50, 100, 0.02), late, late]) is None
    first = [OnsetInterval(n, 0, 100, 0.02) for n in (16, 32, 64)]
    assert fit_onset_law(first) is None
    value = onset_json([(16, [(100, 90, 100)]), (32, [(100, 80, 100)]), (64, [(100, 50, 100)])])
    assert value["law"] is None
    assert value["advice"] == []
    assert "earlier snapshots" in value["reason"]


def test_the_object_for_result_files_is_plain_and_complete():
    runs = [
        (n, [(t, 0 if t < 50 * n else 60, 100) for t in range(400, 8001, 400)])
        for n in (16, 32, 64, 128)
    ]
    value = onset_json(runs, control=(0, 500), budgets=(8000,))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert [run["high"] for run in value["runs"]] == [800, 1600, 3200, 6400]
    assert value["law"]["exponent"]["low"] < 1 < value["law"]["exponent"]["high"]
    assert [row["size"] for row in value["advice"]] == [16, 32, 64, 128, 256]
    assert [row["extrapolated"] for row in value["advice"]] == [False] * 4 + [True]
    assert value["needed"][0]["size"] > 128


@pytest.mark.parametrize("history", [[], [(200, 0, 10), (100, 1, 10)]])
def test_snapshots_out_of_order_are_refused(history):
    with pytest.raises(ConfigError, match="in order"):
        onset_interval(16, history)


def test_a_risk_outside_0_to_1_is_refused():
    law = fit_onset_law(simulated(np.random.default_rng(0), 1.0, 0.1)[0])
    with pytest.raises(ConfigError, match="risk"):
        law.stop_before(64, risk=1.0)
