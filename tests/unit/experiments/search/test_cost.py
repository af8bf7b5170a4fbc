"""What runs take is learned from those that have ended, and what a budget of time still allows."""

import math

import pytest

import rote
from rote.experiments.search.cost import RunSeconds, in_time, run_cost


def test_seconds_that_grow_with_the_size_are_learned_exactly():
    """Runs of 0.5 s per root of the size, and one that was twice as slow as its line."""
    takes = RunSeconds.learned([(size, 0.5 * size**0.5) for size in (4, 16, 64)])
    assert takes is not None
    assert takes.power == pytest.approx(0.5)
    assert takes.expected(256) == pytest.approx(8)
    assert takes.most(256) == pytest.approx(8)
    slow = RunSeconds.learned([(16, 1.0), (16, 4.0)])
    assert slow is not None
    assert (slow.expected(16), slow.most(16)) == pytest.approx((2, 4))
    assert slow.expected(64) == pytest.approx(2)  # of one size alone, nothing is said of others
    assert RunSeconds.learned([]) is None


@pytest.mark.parametrize(
    ("left", "side_by_side", "kept"),
    [(100, 1, 3), (69, 1, 2), (31, 1, 2), (29, 1, 1), (51, 2, 3), (49, 2, 2), (9, 2, 0)],
)
def test_no_run_begins_that_cannot_end(left, side_by_side, kept):
    """Runs of 10, 20 and 40 seconds, each begun once the first of so many workers is free."""
    runs = ((8, 0), (16, 0), (32, 0))
    takes = RunSeconds(power=1.0, level=math.log(10 / 8), slowest=1.0)
    assert in_time(runs, takes, left, side_by_side=side_by_side) == runs[:kept]


def test_no_clock_decides_what_is_trained_without_a_budget_of_time():
    own = rote.preset("tiny")
    other = own.model_copy(update={"trainer": rote.TrainerConfig(function="a:b")})
    takes = RunSeconds.learned([(16, 1.0), (64, 4.0)])
    assert [run_cost(other, takes, None)(size) for size in (16, 64)] == [1, 1]
    assert [run_cost(other, None, 9.0)(size) for size in (16, 64)] == [1, 1]
    assert [run_cost(other, takes, 3.0)(size) for size in (16, 64)] == pytest.approx([1, math.inf])
    images = own.train.total_images(16)
    assert [run_cost(own, takes, 3.0)(size) for size in (16, 64)] == [images, math.inf]
