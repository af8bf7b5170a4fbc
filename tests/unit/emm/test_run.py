"""What one run says by itself, and the sentences."""

import doctest
import json

import pytest

from rote.emm import run as emm
from rote.emm.curve import EmmInterval, Observation
from rote.emm.fit_check import FitCheck
from rote.emm.run import decide, images_sampled, observed, sentence
from rote.results import run as results
from rote.results.run import Point, PointCoverage, Snapshot
from rote.stats.rates import Rate, wilson


@pytest.mark.parametrize(
    ("low", "high", "epsilon", "decision"),
    [
        (0.9, 1.0, 0.1, "at-least"),
        (0.8999999, 1.0, 0.1, "undecided"),
        (0.2, 0.9, 0.1, "undecided"),
        (0.2, 0.8999999, 0.1, "less"),
        # 1 - 0.7 is 0.30000000000000004 in binary, 1 - 0.8 is 0.19999999999999996
        (0.3, 0.4, 0.7, "at-least"),
        (0.1, 0.2, 0.8, "undecided"),
    ],
)
def test_decisions_at_exact_boundaries(low, high, epsilon, decision):
    assert decide(Rate((low + high) / 2, low, high, 1, 2, 0.95), epsilon) == decision


def test_a_run_survives_its_file():
    point = Point(
        size=45,
        replicate=3,
        images_seen=3200,
        images_trained=6400,
        rate=wilson(3, 128),
        observation=results.Observation(bound="at-most", count=110, total=256, error=0.02),
        selection=(
            Snapshot(images_seen=3200, rate=wilson(2, 128)),
            Snapshot(images_seen=6400, rate=wilson(1, 256)),
        ),
        gap=(),
        coverage=PointCoverage(distinct_references=2, references=45),
        run="points/size-000045-run-03",
    )
    assert Point.model_validate_json(json.dumps(point.to_json())) == point
    assert images_sampled(point) == 128 + 128 + 256
    assert observed(point) == Observation(45, 110, 256, "at-most", 0.02)


RUNS = [Observation(size, 3, 128) for size in (32, 32, 64)]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((None, 36.4, None, "above"), "The EMM is at least 36 training rows (97.5 % confidence, 3"),
        ((None, 36.4, None, "above"), "reaches beyond the largest size trained, 64."),
        ((None, None, 4.26, "below"), "The EMM is at most 4.3 training rows (97.5 % confidence"),
        ((None, None, 4.26, "below"), "reaches below the smallest size trained, 32."),
        ((None, None, None, "above"), "not known yet (3 runs of 2 sizes)"),
        ((None, None, None, "below"), "beyond the sizes trained, 32 to 64 rows."),
        ((1063.2, 900.0, 1250.0, "bracketed"), "about 1,063 training rows (95 % interval 900 to"),
        ((1063.2, 900.0, 1250.0, "bracketed"), "copies at least 80 % of the time"),
    ],
)
def test_sentences(found, words):
    said = sentence(EmmInterval(*found, 0.95), epsilon=0.2, runs=RUNS, items="rows")
    assert words in said
    assert said.endswith(".") and "None" not in said


def test_an_unknown_emm_and_a_run_left_out_are_said():
    unknown = EmmInterval(None, None, None, "unknown", 0.95)
    for check in (FitCheck(5e7, "stretch", 32, 64), FitCheck(1.24, "run", 32, 32)):
        said = sentence(unknown, epsilon=0.1, runs=RUNS, items="rows", check=check)
        assert said.startswith("The EMM is not known (3 runs of 2 sizes): ")
        assert "None" not in said
    found, left = (
        EmmInterval(43.2, 36.4, 52.1, "bracketed", 0.95),
        FitCheck(99.0, "run", 64, 64, (2,)),
    )
    said = sentence(found, epsilon=0.1, runs=RUNS, check=left)
    assert "Left out: a run of 64 images that copied 3 of 128 samples" in said


def test_a_rate_that_is_never_reached_is_said_with_the_sizes_of_other_rates():
    below = EmmInterval(None, None, 4.0, "below", 0.95)
    runs = [Observation(8, 340, 1000), Observation(16, 200, 1000)]
    others = {
        0.5: EmmInterval(None, None, 4.0, "below", 0.95),
        0.7: EmmInterval(13.2, 9.7, 19.8, "bracketed", 0.95),
        0.9: EmmInterval(70.0, 40.0, 90.0, "bracketed", 0.95),
    }
    said = sentence(below, epsilon=0.1, runs=runs, others=others)
    assert "No run copied 90 % of the time; the most was 34 %, of 8 training images" in said
    assert "at least 30 % of the time up to about 13 (9.7 to 20; epsilon 0.7)" in said
    # One that may have reached it: 88 of 100.
    said = sentence(below, epsilon=0.1, runs=[*runs, Observation(4, 88, 100)], others=others)
    assert "No run copied" not in said and "30 %" in said
    early = Observation(4, 40, 100, "at-least")  # ended early: it would have gone on to rise
    assert "No run copied" not in sentence(below, epsilon=0.1, runs=[*runs, early])
    bracketed = EmmInterval(12.0, 9.0, 15.0, "bracketed", 0.95)
    assert "epsilon" not in sentence(bracketed, epsilon=0.1, runs=runs, others=others)


def test_examples_in_docstrings():
    done = doctest.testmod(emm)
    assert done.attempted >= 3
    assert done.failed == 0
