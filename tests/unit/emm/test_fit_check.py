"""Runs that lie on no falling curve, and a failed training."""

import doctest

import numpy as np
import pytest

from rote.emm import fit_check
from rote.emm.curve import Observation, _likelihood, fit_curve
from rote.emm.fit_check import check_fit, checked_curve
from rote.stats.beta_binomial import DIFFUSION, run_log_likelihood, slope_spread_prior

REACH = (4, 1000)
FALLING = {16: 0.99, 23: 0.97, 32: 0.91, 45: 0.72, 64: 0.4, 90: 0.15}


def runs_of(rates, total=500):
    return [Observation(size, round(rate * total), total) for size, rate in rates.items()]


def test_a_falling_curve_keeps_its_interval():
    found = checked_curve(runs_of(FALLING), reach=REACH)
    assert found.check.fits
    assert found.check.set_aside == ()
    assert found.emm == fit_curve(runs_of(FALLING), reach=REACH).emm()


@pytest.mark.parametrize(
    "rates",
    [
        # a plateau and a cliff; a second rise
        {16: 0.95, 19: 0.95, 23: 0.94, 27: 0.95, 32: 0.95, 38: 0.95, 54: 0.1, 64: 0.1, 90: 0.1},
        {16: 0.99, 23: 0.96, 27: 0.8, 32: 0.78, 45: 0.93, 54: 0.96, 64: 0.95},
    ],
)
def test_a_step_and_a_second_rise_are_unknown(rates):
    found = checked_curve(runs_of(rates), reach=REACH)
    assert found.emm.to_json() == {
        "value": None,
        "low": None,
        "high": None,
        "status": "unknown",
        "confidence": 0.95,
    }


def test_one_failed_run_is_set_aside():
    runs = [*runs_of(FALLING), *runs_of({23: 0.96, 45: 0.7})]
    failed = [*runs[:3], Observation(23, 0, 500), *runs[3:]]
    found = checked_curve(failed, reach=REACH)
    assert found.check.set_aside == (3,)
    assert found.emm == fit_curve(runs, reach=REACH).emm()
    # Two of nine are more than failures.
    assert checked_curve([*failed, Observation(16, 0, 500)], reach=REACH).emm.status == "unknown"


def test_the_order_of_runs_changes_nothing():
    runs = [*runs_of(FALLING), Observation(23, 0, 500)]
    found, back = (check_fit(each, epsilon=0.1) for each in (runs, runs[::-1]))
    assert found.odds == back.odds
    assert (found.set_aside, back.set_aside) == ((6,), (0,))


def test_few_runs_are_not_checked():
    found = checked_curve(runs_of({16: 0.99, 32: 0.2, 64: 0.99}), reach=REACH)
    assert found.check.odds is None
    assert found.emm.status != "unknown"


def test_the_evidence_is_that_of_the_curve():
    """Against the dense likelihood of `rote.emm.curve`: the posterior of the spread is the same."""
    runs = runs_of(FALLING)
    grid = fit_check._Grid.of(runs, 0.1, DIFFUSION)
    mine = np.exp(grid.curve(np.ones(len(runs), bool)) + grid.spread)
    ends = np.log(16) - fit_check.BEYOND, np.log(90) + fit_check.BEYOND
    centers, slopes = np.arange(*ends, fit_check.STEP), DIFFUSION.nodes
    tables = {run.size: run_log_likelihood(run.count, run.total, run.bound, 0.0) for run in runs}
    dense = _likelihood(centers, slopes, slopes, tables, 0.1)
    theirs = (dense * slope_spread_prior(DIFFUSION, slopes, slopes)).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(mine / mine.sum(), theirs / theirs.sum(), rtol=1e-9)


def test_examples_in_docstrings():
    done = doctest.testmod(fit_check)
    assert done.attempted >= 5
    assert done.failed == 0
