"""Works lie within each other, count over threads, and are gone when they end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rote.core.progress.work import (
    counted,
    counted_results,
    going_on,
    in_words,
    reported,
    shown,
    work,
)


def test_the_outermost_that_counts_and_has_not_ended_is_shown():
    with work("search"), work("items measured", 4) as outer, work("items searched", 2) as inner:
        assert in_words(going_on()) == "search: items measured"
        outer.reach(4)
        assert shown(going_on()) is inner
        inner.reach(2)
        assert shown(going_on()) is inner
    assert not going_on()
    assert in_words(going_on()) == ""


def test_what_is_counted_in_threads_adds_up():
    with work("files", 400) as own, ThreadPoolExecutor(4) as pool:
        assert own.seconds_left is None
        list(pool.map(lambda _: own.add(), range(400)))
        assert own.done == 400
        assert own.seconds_left == 0


def test_items_and_results_pass_through():
    seen = []
    for item in counted([3, 4], "numbers"):
        seen.append((item, going_on()[-1].done))
    assert seen == [(3, 0), (4, 1)]
    assert counted_results(iter([5, 6]), "numbers", 2) == [5, 6]
    told = []
    with reported("numbers", 9, lambda done, total: told.append((done, total))) as report:
        report(2, 9)
        assert going_on()[-1].done == 2
    assert told == [(2, 9)]


def test_an_error_ends_a_work():
    with pytest.raises(ValueError, match="broken"), work("files", 3):
        raise ValueError("broken")
    assert not going_on()
