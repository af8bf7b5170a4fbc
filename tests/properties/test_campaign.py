"""Every search ends, whatever the rates; what it asks for depends on the points alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rote.core.stats import wilson
from rote.memorization.emm import bracket, decide
from rote.studies.campaign import next_sizes, size_grid
from rote.studies.config import SearchConfig


@st.composite
def designs(draw):
    multiple = draw(st.sampled_from([1, 1, 3, 10]))
    available = draw(st.integers(max(4, 2 * multiple), 5000))
    search = SearchConfig(
        start=draw(st.integers(2, available // multiple * multiple)),
        min_size=draw(st.integers(2, max(2, available // (2 * multiple) * multiple))),
        steps_per_octave=draw(st.integers(1, 4)),
        points_per_round=draw(st.integers(1, 4)),
    )
    return search, available, multiple


def campaign(search, grid, count_at):
    """Play a search against counts in 1000; return its points in the order of training."""
    points = []
    while sizes := next_sizes(points, search, grid):
        assert len(sizes) <= search.points_per_round
        assert not set(sizes) & {size for size, _ in points}
        assert set(sizes) <= set(grid)
        points += [(size, wilson(count_at[size], 1000)) for size in sizes]
        assert len(points) <= len(grid)
    return points


def check_the_end(points, search, grid):
    found = bracket(points, epsilon=search.epsilon)
    trained = {size for size, _ in points}
    low = found.low if found.low is not None else min(trained)
    high = found.high if found.high is not None else max(trained)
    assert [size for size in grid if low < size < high and size not in trained] == []
    if found.low is None:
        assert grid[0] in trained
    if found.high is None:
        assert grid[-1] in trained
    return found


@given(designs())
def test_grids_are_multiples_within_bounds(design):
    search, available, multiple = design
    grid = size_grid(search, available=available, multiple=multiple)
    assert grid == sorted(set(grid))
    assert all(size % multiple == 0 for size in grid)
    assert max(search.min_size, 2) <= grid[0]
    assert grid[-1] == available // multiple * multiple


@settings(max_examples=150)
@given(designs(), st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.booleans())
def test_every_search_ends_with_nothing_open(design, counts, monotone):
    search, available, multiple = design
    grid = size_grid(search, available=available, multiple=multiple)
    counts = [counts[i % len(counts)] for i in range(len(grid))]
    if monotone:
        counts = sorted(counts, reverse=True)
    points = campaign(search, grid, dict(zip(grid, counts, strict=True)))
    found = check_the_end(points, search, grid)
    decisions = {decide(rate, search.epsilon) for _, rate in points}
    if decisions == {"at-least"}:
        assert (found.status, found.low) == ("above", grid[-1])
    if decisions == {"less"}:
        assert (found.status, found.high) == ("below", grid[0])


@settings(max_examples=60)
@given(designs(), st.integers(0, 2**32 - 1))
def test_what_is_asked_depends_on_the_points_alone(design, seed):
    search, available, multiple = design
    grid = size_grid(search, available=available, multiple=multiple)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(grid, size=rng.integers(1, len(grid) + 1), replace=False).tolist()
    points = [(size, wilson(int(rng.integers(0, 1001)), 1000)) for size in chosen for _ in (0, 1)]
    asked = next_sizes(points, search, grid)
    for _ in range(5):
        shuffled = [points[i] for i in rng.permutation(len(points))]
        assert next_sizes(shuffled, search, grid) == asked
