"""The options of a search as settings."""

import pytest

from rote.cli.experiments.emm import SearchOptions
from rote.core.errors import ConfigError


def test_options_are_settings() -> None:
    asked = SearchOptions(epsilon=0.2, tolerance=0.1, budget="3e5", replicates=2)
    assert asked.assignments() == [
        "search.epsilon=0.2",
        "search.tolerance=0.1",
        "search.replicates=2",
        "search.budget_images=300000",
    ]
    assert SearchOptions().assignments() == []


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("2e6", "search.budget_images=2000000"),
        ("20m", "search.budget_seconds=1200.0"),
        ("1.5h", "search.budget_seconds=5400.0"),
    ],
)
def test_a_budget_is_images_or_time(text: str, setting: str) -> None:
    assert SearchOptions(budget=text).assignments() == [setting]


@pytest.mark.parametrize("text", ["", "m", "20x", "-3", "0", "0.5", "nan", "infm", "1e400"])
def test_a_budget_that_is_none_says_the_way_out(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget .* is no budget; give a number of training"):
        SearchOptions(budget=text).assignments()


@pytest.mark.parametrize("options", [{"epsilon": 0.0}, {"epsilon": 1.0}, {"tolerance": 0.0}])
def test_shares_out_of_range_are_refused(options: dict[str, float]) -> None:
    (flag,) = options
    with pytest.raises(ConfigError, match=f"--{flag} is"):
        SearchOptions(**options).assignments()
