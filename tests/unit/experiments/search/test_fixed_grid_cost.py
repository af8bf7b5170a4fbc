"""The price of a fixed grid: more for a narrower interval, none for an open one."""

import numpy as np
from scipy.special import expit

from rote.emm.curve import CurvePosterior, Observation, fit_curve
from rote.experiments.search.fixed_grid_cost import SIZES, grid_price, octaves

GRID = sorted({round(32 * 2 ** (i / 4)) for i in range(-12, 24)})


def search(repeats: int) -> CurvePosterior:
    """Runs near a crossing at 45, as an adaptive search trains them."""
    rng = np.random.default_rng(0)
    runs = []
    for size in (19, 32, 38, 45, 54, 76) * repeats:
        eta = 2.26 - 3.3 * np.log(size / 45) + 0.3 * rng.standard_normal()
        runs.append(Observation(size, int(rng.binomial(1000, expit(eta))), 1000))
    return fit_curve(runs, reach=(4, 1448))


def price(found: CurvePosterior, seed: int = 0) -> dict | None:
    return grid_price(
        found, grid=GRID, start=32, samples=1000, images=lambda size: 10 * size, seed=seed
    )


def test_a_narrower_interval_costs_a_grid_more():
    wide, narrow = price(search(1)), price(search(3))
    assert wide["sizes"] == narrow["sizes"] == [8, 16, 32, 64, 128]
    assert narrow["repeats"] > wide["repeats"] >= 1
    for found in (wide, narrow):
        assert found["runs"] == SIZES * found["repeats"]
        assert found["images_trained"] == found["repeats"] * 10 * sum(found["sizes"])


def test_a_grid_around_the_crossing_needs_more_runs_than_the_search():
    # Three of five octaves lie where the rate is 0 or 1 and hardly tell of the crossing.
    found = search(3)
    assert price(found)["runs"] > found.runs


def test_the_same_seed_gives_the_same_price_and_an_open_interval_none():
    found = search(2)
    assert price(found, seed=3) == price(found, seed=3)
    above = fit_curve([Observation(16, 1000, 1000), Observation(32, 999, 1000)], reach=(4, 1448))
    assert price(above) is None


def test_octaves_beyond_the_sizes_are_left_out():
    assert octaves(6.0, GRID, start=32) == [4, 8, 16]
    assert octaves(45.0, GRID, start=32) == [8, 16, 32, 64, 128]
    assert octaves(31.9, GRID, start=32) == [4, 8, 16, 32, 64]
