"""The grid of sizes, whatever the data and the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from rote.experiments.config import SearchConfig
from rote.experiments.search.sizes import size_grid


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


@given(designs())
def test_grids_are_multiples_within_bounds(design):
    search, available, multiple = design
    grid = size_grid(search, available=available, multiple=multiple)
    assert grid == sorted(set(grid))
    assert all(size % multiple == 0 for size in grid)
    assert max(search.min_size, 2) <= grid[0]
    assert grid[-1] == available // multiple * multiple
