"""The curve of rate over size: likelihood against quadrature, intervals against draws of the prior."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import binom, kstest, norm

from rote.core.errors import ConfigError
from rote.emm.curve import BEYOND, CurvePosterior, Observation, fit_curve
from rote.stats import beta_binomial as curve_grid
from rote.stats.beta_binomial import heights, run_log_likelihood

RUNS = [
    Observation(32, 990, 1000),
    Observation(40, 940, 1000),
    Observation(45, 915, 1000),
    Observation(45, 870, 1000),
    Observation(54, 800, 1000),
    Observation(64, 655, 1000),
]


def width(found: CurvePosterior) -> float:
    low, _, high = found.quantiles()
    return math.log(high / low)


def test_the_likelihood_of_a_run_is_the_integral_over_its_deviation():
    # Tables are equal up to a constant, so differences between two places of eta are compared.
    count, total = 180, 256
    for place, spread in enumerate(curve_grid.SPREADS):

        def integral(eta: float, spread: float = float(spread)) -> float:
            def inner(z: float) -> float:
                return binom.pmf(count, total, expit(eta + spread * z)) * norm.pdf(z)

            return quad(inner, -9, 9, points=[(0.86 - eta) / spread], limit=400)[0]

        table = run_log_likelihood(count, total, "exact", 0.0)[place]
        at = [int(np.argmin(abs(curve_grid.ETA - eta))) for eta in (0.6, 1.4)]
        expected = math.log(integral(curve_grid.ETA[at[0]])) - math.log(
            integral(curve_grid.ETA[at[1]])
        )
        # The spread is cut at 5 standard deviations and summed in steps of 0.04 logits.
        assert table[at[0]] - table[at[1]] == pytest.approx(expected, abs=0.02)


def test_heights_give_the_mean_rate():
    for place, spread in enumerate(curve_grid.SPREADS):
        height = heights(0.9)[place]
        mean = quad(lambda z, h=height, s=spread: expit(h + s * z) * norm.pdf(z), -9, 9)[0]
        assert mean == pytest.approx(0.9, abs=2e-4)  # 41 nodes, spreads up to 2.4


def test_the_interval_is_calibrated_on_draws_from_its_own_prior():
    """Ranks of the truth in its posterior are uniform (Talts et al. 2018)."""
    rng = np.random.default_rng(5)
    nodes = curve_grid.DIFFUSION.nodes
    prior = curve_grid.slope_spread_prior(curve_grid.DIFFUSION, nodes, nodes)
    height = heights(0.9)
    reach = (16, 256)
    low, high = math.log(reach[0]) - BEYOND, math.log(reach[1]) + BEYOND
    ranks = []
    for _ in range(150):
        above, below, spread = np.unravel_index(
            rng.choice(prior.size, p=prior.ravel()), prior.shape
        )
        center = rng.uniform(low, high)
        runs = []
        for size in (16, 32, 45, 64, 64, 90, 128, 256):
            away = math.log(size) - center
            slope = nodes[above] if away <= 0 else nodes[below]
            eta = height[spread] - slope * away + curve_grid.SPREADS[spread] * rng.standard_normal()
            runs.append(Observation(size, int(rng.binomial(400, expit(eta))), 400))
        found = fit_curve(runs, reach=reach)
        mass = found.weight.sum(axis=(1, 2, 3))
        ranks.append(float(np.interp(center, found.centers, np.cumsum(mass) - mass / 2)))
    # A fixed seed: the level only says how far off a wrong likelihood must be to fail.
    assert kstest(ranks, "uniform").pvalue > 0.02
    assert 0.9 <= np.mean([0.025 <= rank <= 0.975 for rank in ranks]) <= 0.99


def test_many_runs_far_from_the_crossing_do_not_make_it_surer_than_it_is():
    """Thirty runs tell the slopes better than the nodes of the prior's grid lie apart.

    With those nodes alone this z-score was 1.8: a crossing between two octaves moved with the nearest
    slope, and its error was not in the interval.
    """
    scores = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        center = math.log(32) + rng.uniform(-1, 1) * math.log(2)
        runs = []
        for size in (8, 16, 32, 64, 128) * 6:
            eta = 2.26 - 3.3 * (math.log(size) - center) + 0.36 * rng.standard_normal()
            runs.append(Observation(size, int(rng.binomial(1000, expit(eta))), 1000))
        low, middle, high = fit_curve(runs, reach=(4, 1448)).quantiles()
        scores.append((math.log(middle) - center) / (math.log(high / low) / 3.92))
    # 30 independent scores of variance 1 have a root mean square within 0.74 to 1.25 in 95 %.
    assert math.sqrt(np.mean(np.square(scores))) < 1.3


@pytest.mark.parametrize(("count", "status"), [(950, "above"), (850, "below")])
def test_one_size_says_on_which_side_the_emm_rather_lies(count, status):
    found = fit_curve([Observation(64, count, 1000)], reach=(4, 1000)).emm()
    assert (found.value, found.low, found.high, found.status) == (None, None, None, status)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_leaves_half_of_the_rest_on_either_side(confidence):
    found = fit_curve(RUNS, reach=(4, 1000))
    below = np.cumsum(found.mass) - found.mass / 2
    ends = np.interp(np.log(found.quantiles(confidence=confidence)), found.centers, below)
    # Read off between nodes, each of which holds less than 1 % of the mass.
    assert ends == pytest.approx([(1 - confidence) / 2, 0.5, (1 + confidence) / 2], abs=0.01)


def test_the_order_of_the_runs_changes_nothing():
    a, b = fit_curve(RUNS, reach=(4, 1000)), fit_curve(RUNS[::-1], reach=(4, 1000))
    assert np.array_equal(a.weight, b.weight) and a.emm() == b.emm()


def test_more_runs_narrow_the_interval_and_few_widen_it():
    few = width(fit_curve(RUNS[::3], reach=(4, 1000)))
    all_of_them = width(fit_curve(RUNS, reach=(4, 1000)))
    twice = width(fit_curve(RUNS * 2, reach=(4, 1000)))
    assert twice < all_of_them < few
    # Ten times the samples of the same few runs cannot tell how runs differ.
    more_samples = [Observation(r.size, r.count * 10, r.total * 10) for r in RUNS[::3]]
    assert width(fit_curve(more_samples, reach=(4, 1000))) > 0.7 * few


def test_the_band_crosses_at_the_emm_of_every_epsilon():
    found = fit_curve(RUNS * 3, reach=(4, 1000))
    for epsilon in (0.05, 0.1, 0.3):
        low, value, high = found.quantiles(epsilon)
        middle, bottom, top = found.band([value, low, high])
        # Median of the rate at the median of the crossing; ends of one are ends of the other, since
        # "rate at x >= 1 - epsilon" and "EMM >= x" are one event. Grid of 129 centers and 17 slopes.
        assert middle[0] == pytest.approx(1 - epsilon, abs=0.01)
        assert top[2] == pytest.approx(1 - epsilon, abs=0.02)
        assert bottom[1] == pytest.approx(1 - epsilon, abs=0.02)


def test_a_bound_moves_the_emm_its_own_way_and_an_empty_one_not_at_all():
    base = [Observation(45, 380, 400), Observation(64, 300, 400)]

    def middle(*more: Observation) -> float:
        return fit_curve([*base, *more], reach=(4, 1000)).quantiles()[1]

    nothing = middle()
    # Near the crossing, that is: one far beyond it speaks of how the curve bends.
    assert middle(Observation(51, 320, 400, "at-most", 0.02)) < nothing
    assert middle(Observation(54, 399, 400, "at-least")) > nothing
    # "At most all of them" and "at least none" are always true, as is a rule that is surely wrong.
    for empty in (
        Observation(64, 400, 400, "at-most"),
        Observation(64, 0, 400, "at-least"),
        Observation(64, 0, 400, "at-most", 0.999999),
    ):
        assert middle(empty) == pytest.approx(nothing, rel=1e-4)


def test_ends_that_were_not_trained_are_left_open():
    high = fit_curve([Observation(32, 399, 400), Observation(64, 398, 400)], reach=(4, 1000)).emm()
    # A bound never goes beyond what was trained either: copied up to 64 is all that was seen.
    assert (high.status, high.value, high.low, high.high) == ("above", None, 64, None)
    low = fit_curve([Observation(32, 100, 400), Observation(64, 9, 400)], reach=(4, 1000)).emm()
    assert (low.status, low.value, low.low) == ("below", None, None) and 32 <= low.high < 64


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: fit_curve([], reach=(4, 9)), "no runs"),
        (lambda: fit_curve(RUNS, epsilon=1.0, reach=(4, 9)), "epsilon is 1.0"),
        (lambda: Observation(32, 5, 4), "impossible"),
        (lambda: Observation(32, 1, 4, "at-most", 1.5), "probability"),
    ],
)
def test_impossible_input_is_one_line(wrong, said):
    with pytest.raises(ConfigError, match=said):
        wrong()
