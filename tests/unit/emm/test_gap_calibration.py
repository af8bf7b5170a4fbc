"""The EMM from gaps: calibrations recovered from simulated runs, crossings with a closed form."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from rote.core.errors import ConfigError
from rote.emm.gap_calibration import (
    GapCalibration,
    GapPoint,
    GapRate,
    emm_from_gap,
    fit_calibration,
)

KNOWN = GapCalibration("gap", center=-1.0, slope=4.0, scatter=0.2, runs=60, source="made up")


def simulated(rng, runs, *, scatter=0.2):
    found = []
    for run in range(runs):
        for gap in np.exp(rng.uniform(-2.2, 0, 4)):
            shift = scatter * rng.normal()
            rate = expit(KNOWN.slope * (KNOWN.center - math.log(gap) + shift))
            found.append(GapRate(f"run {run}", float(gap), int(rng.binomial(200, rate)), 200))
    return found


def test_the_calibration_is_recovered():
    fits = [
        fit_calibration(simulated(np.random.default_rng(seed), 60), statistic="gap", source="")
        for seed in range(4)
    ]
    # 4 fits of 240 snapshots, about half of them between 0 and 1: the center's standard error is
    # 0.2 / sqrt(480) = 0.009, the scatter's 0.2 / sqrt(960) = 0.0065, and the slope's relative one no
    # larger than the scatter's; four of each.
    assert np.mean([fit.center for fit in fits]) == pytest.approx(-1.0, abs=0.036)
    assert np.mean([fit.scatter for fit in fits]) == pytest.approx(0.2, abs=0.026)
    assert np.mean([fit.slope for fit in fits]) == pytest.approx(4.0, abs=0.13)


def test_the_expected_rate_is_the_mean_over_the_scatter():
    def integrand(z, gap):
        return stats.norm.pdf(z) * expit(4 * (-1 - math.log(gap) + 0.2 * z))

    for gap in (0.1, 0.37, 0.8):
        expected = integrate.quad(integrand, -9, 9, args=(gap,))[0]
        assert KNOWN.rate(gap) == pytest.approx(
            expected, abs=1e-4
        )  # the nodes end at 4 standard deviations, 6e-5 of the mass beyond


def test_the_crossing_of_a_power_law_has_its_closed_form():
    # ln gap = ln 0.01 + ln N, so the EMM is 100 gap*, and its ends are e^(1.96 error) away.
    points = [GapPoint(n, 0.01 * n, 0.01 * n * 0.05) for n in (4, 8, 16, 32, 64)]
    found = emm_from_gap(points, KNOWN)
    middle = 100 * math.exp(-1 - math.log(9) / 4)
    assert found.status == "bracketed"
    assert found.value == pytest.approx(middle, rel=1e-9)
    error = math.sqrt(0.2**2 + 0.05**2 + (0.1 * 0.2) ** 2)
    assert found.high / found.value == pytest.approx(math.exp(1.96 * error), rel=1e-3)
    assert found.value / found.low == pytest.approx(math.exp(1.96 * error), rel=1e-3)
    stricter = emm_from_gap(points, KNOWN, epsilon=0.05)
    assert stricter.value < found.value


def test_the_interval_covers_when_a_search_is_shifted_as_a_whole():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        shift = KNOWN.scatter * rng.normal()  # this search's threshold lies here
        truth = 100 * KNOWN.threshold(0.1) * math.exp(shift)
        points = [
            GapPoint(n, 0.01 * n * math.exp(0.05 * rng.normal()), 0.01 * n * 0.05)
            for n in (2, 4, 8, 16, 32, 64, 128)
        ]
        found = emm_from_gap(points, KNOWN)
        covered += found.low <= truth <= found.high
    assert covered / 300 >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / 300)


@pytest.mark.parametrize(
    ("scale", "status", "ends"),
    [(0.0001, "above", (False, False, False)), (1.0, "below", (False, False, False))],
)
def test_gaps_all_on_one_side_say_which(scale, status, ends):
    points = [GapPoint(n, scale * n, 0.01 * scale) for n in (8, 16)]
    found = emm_from_gap(points, KNOWN)
    assert found.status == status
    assert tuple(end is not None for end in (found.value, found.low, found.high)) == ends


def test_an_open_end_leaves_a_bound():
    points = [GapPoint(n, 0.01 * n, 0.0001) for n in (4, 8, 16, 24)]  # the crossing is at 21
    found = emm_from_gap(points, KNOWN)
    assert (found.status, found.value, found.high) == ("above", None, None)
    assert 10 < found.low < 21


def test_an_interval_open_on_both_sides_says_nothing():
    vague = GapCalibration("gap", center=-1.0, slope=4.0, scatter=2.0, runs=50, source="")
    points = [GapPoint(n, 0.01 * n, 0.0005 * n) for n in (8, 16, 32, 64)]
    with pytest.raises(ConfigError, match="too uncertain"):
        emm_from_gap(points, vague)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="above 0"):
        GapPoint(8, 0.0, 0.1)
    with pytest.raises(ConfigError, match="two and more"):
        emm_from_gap([GapPoint(8, 0.1, 0.01), GapPoint(8, 0.2, 0.01)], KNOWN)
    with pytest.raises(ConfigError, match="at least 4 runs"):
        fit_calibration(simulated(np.random.default_rng(0), 2), statistic="gap", source="")
