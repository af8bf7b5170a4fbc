"""The grid of sizes, by hand."""

import pytest

from rote.core.errors import ConfigError
from rote.experiments.config import SearchConfig
from rote.experiments.search.sizes import size_grid


def search(**values):
    return SearchConfig(**({"start": 64, "min_size": 4, "steps_per_octave": 1} | values))


@pytest.mark.parametrize(
    ("values", "available", "multiple", "grid"),
    [
        ({}, 1000, 1, [4, 8, 16, 32, 64, 128, 256, 512, 1000]),
        ({}, 512, 1, [4, 8, 16, 32, 64, 128, 256, 512]),
        ({"max_size": 200}, 1000, 1, [4, 8, 16, 32, 64, 128, 200]),
        ({"max_size": 2000}, 100, 1, [4, 8, 16, 32, 64, 100]),
        ({"steps_per_octave": 2, "min_size": 32}, 128, 1, [32, 45, 64, 91, 128]),
        # 64 is rounded to 60, 32 to 30, 16 to 20, 8 to 10, 128 to 130
        ({}, 155, 10, [10, 20, 30, 60, 130, 150]),
        ({"min_size": 15}, 155, 10, [20, 30, 60, 130, 150]),
        # a start below the smallest size climbs to it
        ({"start": 4, "min_size": 20}, 155, 1, [32, 64, 128, 155]),
        ({"start": 2, "min_size": 2}, 500, 100, [100, 300, 500]),
        ({"start": 8}, 8, 1, [4, 8]),
    ],
)
def test_grids_by_hand(values, available, multiple, grid):
    assert size_grid(search(**values), available=available, multiple=multiple) == grid


@pytest.mark.parametrize(
    ("values", "available", "multiple", "message"),
    [
        ({}, 3, 1, "needs at least 4 training items and the data has 3"),
        ({"start": 4}, 9, 10, "needs at least 10 training items and the data has 0"),
        (
            {"max_size": 5, "min_size": 8},
            100,
            1,
            "needs at least 8 training items and search.max_size",
        ),
        (
            {},
            50,
            1,
            "search.start is 64, but the data has 50 training items; give more data, or",
        ),
    ],
)
def test_too_little_data_is_one_line(values, available, multiple, message):
    with pytest.raises(ConfigError, match=message):
        size_grid(search(**values), available=available, multiple=multiple)
