"""The EMM from the gaps of a search: a known law is found again; too little says why."""

import math

from scipy.special import expit

from rote.emm.from_gap import emm_without_sampling
from rote.results.gap import GapSnapshot
from rote.results.run import Observation, Point, PointCoverage, Snapshot
from rote.stats.rates import wilson

SIGMAS = (0.1, 0.4, 1.6)


def gap_entry(seen: int, gap: float | None) -> GapSnapshot:
    error = None if gap is None else 0.03 * gap
    levels = (9.0, gap, 9.0)
    return GapSnapshot(
        images_seen=seen,
        sigmas=SIGMAS,
        gap=levels,
        standard_error=(1.0, error, 1.0),
        low=levels,
        high=levels,
        points=1,
        holdout=1,
    )


def point(size: int, *, bound: str = "exact", gap: bool = True) -> Point:
    """A run whose gap is 0.002 N at the end and twice that at half; rate 1/2 at a gap of 0.15."""
    selection, gaps = [], []
    for seen, factor in ((100, 2.0), (200, 1.0)):
        at = 0.002 * size * factor
        rate = wilson(round(256 * expit(5 * math.log(0.15 / at))), 256)
        selection.append(Snapshot(images_seen=seen, rate=rate))
        gaps.append(gap_entry(seen, at if gap else None))
    last = selection[-1].rate
    return Point(
        size=size,
        replicate=0,
        images_seen=200,
        images_trained=200,
        rate=last,
        observation=Observation(bound=bound, count=last.count, total=last.total),
        selection=tuple(selection),
        gap=tuple(gaps),
        coverage=PointCoverage(distinct_references=0),
        run=f"points/size-{size}",
    )


def test_a_known_law_is_found_again():
    found = emm_without_sampling([point(n) for n in (16, 32, 45, 64, 90)], epsilon=0.1)
    # 5 ln(0.15 / gap) = logit 0.9 at a gap of 0.0967, that of size 48.3.
    truth = 0.15 * math.exp(-math.log(9) / 5) / 0.002
    assert found["statistic"] == "gap at sigma 0.4" and found["reason"] is None
    assert found["emm"]["low"] < truth < found["emm"]["high"]
    assert abs(found["emm"]["value"] / truth - 1) < 0.05
    later = emm_without_sampling([point(n) for n in (16, 32, 45, 64, 90)], epsilon=0.5)
    assert later["emm"]["value"] > found["emm"]["value"]


def test_runs_ended_early_calibrate_but_have_no_gap_of_their_own():
    sizes = (16, 32, 45, 64, 90)
    found = emm_without_sampling(
        [point(n, bound="at-least" if n == 16 else "exact") for n in sizes], epsilon=0.1
    )
    assert found["runs"] == 4 and found["calibration"]["runs"] == 5


def test_too_few_runs_or_no_gaps_say_why():
    few = emm_without_sampling([point(n) for n in (32, 64)], epsilon=0.1)
    assert few["emm"] is None and "2 runs" in few["reason"] and "4 are needed" in few["reason"]
    without = emm_without_sampling([point(n, gap=False) for n in (16, 32, 45, 64)], epsilon=0.1)
    assert without["emm"] is None and "0 runs" in without["reason"]


def test_a_search_that_saw_no_copy_says_why():
    found = emm_without_sampling([point(n) for n in (4000, 5000, 6000, 8000)], epsilon=0.1)
    assert found["emm"] is None and "cannot calibrate" in found["reason"]
