import math

import numpy as np
import pytest
from scipy.special import expit

from rote.emm.acquisition import enough, most_at_the_end, never_reaches, next_runs, will_reach
from rote.emm.curve import Observation

GRID = sorted({round(32 * 2 ** (i / 4)) for i in range(-12, 24)})


def propose(runs, **changes):
    asked = {
        "grid": GRID,
        "cost": lambda size: 1000.0,
        "epsilon": 0.1,
        "tolerance": 0.15,
        "start": 32,
    }
    return next_runs(runs, **{**asked, **changes})


def observe(size: int, *, emm: float, rng: np.random.Generator) -> Observation:
    """One run of a world with 3.3 logits per e-fold and a spread of 0.3."""
    eta = math.log(9) - 3.3 * math.log(size / emm) + 0.3 * rng.standard_normal()
    return Observation(size, int(rng.binomial(400, expit(eta))), 400)


def run_campaign(emm: float, *, seed: int, **changes) -> tuple[list[Observation], str, object]:
    rng, runs = np.random.default_rng(seed), []
    while len(runs) < 60:
        proposal = propose(runs, **changes)
        if not proposal.runs:
            return runs, proposal.reason, proposal.posterior
        runs += [observe(size, emm=emm, rng=rng) for size, _ in proposal.runs]
    raise AssertionError("the campaign did not end")


def test_the_first_round_is_the_start_and_an_octave_more():
    assert propose([]).runs == ((32, 0), (64, 0))
    assert propose([], points_per_round=3).runs == ((32, 0), (64, 0), (128, 0))
    assert propose([], start=5000).runs == ((max(GRID), 0),)


@pytest.mark.parametrize("emm", [11.0, 50.0, 400.0])
def test_a_campaign_closes_in_on_the_emm_from_any_start(emm):
    runs, reason, posterior = run_campaign(emm, seed=1)
    found = posterior.emm()
    assert reason == "the interval is as narrow as asked for" and found.status == "bracketed"
    assert math.log(found.high / found.low) <= 2 * math.log1p(0.15)
    assert found.value == pytest.approx(emm, rel=0.3)
    assert len(runs) <= 26
    # The work goes to where it tells something: two thirds of the runs within a factor of 2.
    near = sum(0.5 < run.size / emm < 2 for run in runs)
    assert near >= len(runs) * 2 / 3


def test_a_campaign_beyond_the_data_ends():
    runs, _, posterior = run_campaign(10_000.0, seed=2)
    assert posterior.emm().status == "above" and len(runs) <= 12
    assert max(run.size for run in runs) == GRID[-1]
    runs, _, posterior = run_campaign(0.5, seed=3)
    assert posterior.emm().status == "below" and min(run.size for run in runs) == GRID[0]


def test_proposals_depend_on_the_runs_alone():
    rng = np.random.default_rng(4)
    runs = [observe(size, emm=50, rng=rng) for size in (32, 64, 45, 45)]
    first, again = propose(runs), propose(runs[::-1])
    assert first.runs == again.runs
    for size, replicate in first.runs:
        assert size in GRID and replicate >= sum(run.size == size for run in runs)


def test_dear_sizes_are_avoided():
    rng = np.random.default_rng(4)
    runs = [observe(size, emm=50, rng=rng) for size in (32, 64)]
    fair = propose(runs)
    dear = propose(runs, cost=lambda size: 1000.0 * (10 if size > 50 else 1))
    assert max(size for size, _ in dear.runs) <= 50
    assert fair.runs != dear.runs or max(size for size, _ in fair.runs) <= 50


def test_a_wider_tolerance_needs_fewer_runs():
    wide, narrow = (len(run_campaign(50, seed=6, tolerance=t)[0]) for t in (0.4, 0.1))
    assert wide < narrow


def test_enough_samples():
    assert not enough(64, 64, epsilon=0.1)  # fewer than the first stage
    assert enough(128, 128, epsilon=0.1)  # [0.95, 1] lies above 0.9
    assert enough(10, 128, epsilon=0.1)  # far below
    assert not enough(115, 128, epsilon=0.1)  # 0.898: could be either
    assert enough(460, 512, epsilon=0.1)  # n p q = 46.7: as well known as runs repeat


def test_early_stops():
    assert will_reach(256, 256, epsilon=0.1) and not will_reach(240, 256, epsilon=0.1)
    # 0 of 256 has the upper end 0.0148, -4.2 logits; one doubling adds 4.
    most = most_at_the_end(0, 256, images_seen=500, images=1000)
    assert most == pytest.approx(expit(math.log(0.01478 / 0.98522) + 4), abs=1e-3)
    assert never_reaches(0, 256, images_seen=500, images=1000)
    assert never_reaches(0, 128, images_seen=500, images=1000)  # the first stage is enough
    assert not never_reaches(0, 256, images_seen=250, images=1000)
    assert not never_reaches(20, 256, images_seen=500, images=1000)
    assert most_at_the_end(256, 256, images_seen=500, images=1000) == 1.0


def test_what_a_run_that_is_ended_early_would_have_shown_is_not_expected_of_it():
    """A campaign on digits asked for the size 128 five times, and five times it was ended early."""
    runs = [Observation(45, count, 512) for count in (459, 471, 443, 455)]
    runs += [Observation(32, 126, 128), Observation(38, 243, 256), Observation(64, 75, 128)]
    runs += [Observation(19, 128, 128, "at-least"), Observation(128, 79, 128, "at-most", 0.02)]
    asked = {early: propose(runs, tolerance=0.02, early_stop=early).runs for early in (True, False)}
    assert max(size for size, _ in asked[False]) == 128
    assert max(size for size, _ in asked[True]) < 64
