"""What the search adds to the design: limits, repeats, the clock, whether a folder has the answer."""

import time

import pytest

from rote.core.atomic_files import read_json
from rote.emm.curve import EmmInterval
from rote.experiments.config import SearchConfig
from rote.experiments.search.round_times import Clock
from rote.experiments.search.search import _repeats, _spent
from rote.results.run import Observation, Point, PointCoverage
from rote.stats.rates import wilson


def point(size, replicate=0):
    return Point(
        size=size,
        replicate=replicate,
        images_seen=100,
        images_trained=1000,
        rate=wilson(1, 2),
        observation=Observation(bound="exact", count=1, total=2),
        selection=(),
        gap=(),
        coverage=PointCoverage(distinct_references=0),
        run="",
    )


@pytest.mark.parametrize(
    ("search", "runs", "seconds", "said"),
    [
        ({"max_runs": 3}, 3, 0, "max_runs allows (3)"),
        ({"max_runs": 3}, 2, 0, ""),
        ({"budget_images": 2000}, 2, 0, "2,000 training images"),
        ({"budget_images": 2001}, 2, 0, ""),
        ({"budget_seconds": 60}, 2, 60, "60 seconds"),
        ({"budget_seconds": 60}, 2, 59.9, ""),
        ({"budget_seconds": 60, "budget_images": 1, "max_runs": 1}, 0, 99, ""),  # always one round
    ],
)
def test_limits(search, runs, seconds, said):
    found = _spent(SearchConfig(**search), [point(8)] * runs, seconds)
    assert said in found and bool(found) == bool(said)


@pytest.mark.parametrize(
    ("value", "sizes", "replicates", "runs"),
    [
        (43.0, [32, 45, 64], 1, ()),
        (43.0, [32, 45, 64], 3, ((45, 1), (45, 2))),
        (43.0, [32, 45, 45, 64], 3, ((45, 2),)),
        (38.0, [32, 45], 2, ((45, 1),)),  # 38 / 32 = 1.19 and 45 / 38 = 1.18
        (None, [32, 45], 2, ()),
    ],
)
def test_repeats_at_the_size_nearest_the_emm(value, sizes, replicates, runs):
    emm = EmmInterval(value, None, None, "bracketed", 0.95)
    assert _repeats([point(size) for size in sizes], emm, replicates) == runs


def test_the_clock_counts_a_round_once(tmp_path):
    path = tmp_path / "rounds.json"
    clock = Clock(path)
    with pytest.raises(KeyboardInterrupt), clock.round([(8, 0)]):
        time.sleep(0.02)
        raise KeyboardInterrupt
    clock = Clock(path)
    with clock.round([(8, 0)]):
        time.sleep(0.02)
    assert 0.04 <= clock.seconds < 1
    noted = read_json(path)["rounds"]
    assert noted == [{"runs": [[8, 0]], "seconds": clock.seconds, "done": True}]
    # Played again, the round takes the time it took; another one begins anew.
    again = Clock(path)
    with again.round([(8, 0)]):
        pass
    assert again.seconds == clock.seconds
    assert read_json(path)["rounds"] == noted
    other = Clock(path)
    with other.round([(9, 0)]):
        pass
    assert other.seconds < 0.02
