"""The bracket on tables made by hand, and its sentence."""

import itertools

import pytest

from rote.core.stats import Rate, wilson
from rote.memorization.emm import Bracket, EmmPoint, bracket, decide, sentence


def rate(low, high, value=None):
    value = (low + high) / 2 if value is None else value
    return Rate(value, low, high, round(value * 1000), 1000, 0.95)


SURE, MAYBE, NOT = rate(0.95, 0.99), rate(0.85, 0.95), rate(0.3, 0.4)


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
    assert decide(rate(low, high), epsilon) == decision


@pytest.mark.parametrize(
    ("table", "low", "high", "status"),
    [
        ([(8, SURE), (16, SURE), (32, NOT), (64, NOT)], 16, 32, "bracketed"),
        ([(8, SURE), (16, MAYBE), (32, NOT)], 8, 32, "bracketed"),
        # not monotone: no point beyond the first doubt counts
        ([(8, SURE), (16, NOT), (32, SURE), (64, NOT)], 8, 64, "bracketed"),
        ([(8, SURE), (16, MAYBE), (32, SURE), (64, MAYBE), (128, NOT)], 8, 128, "bracketed"),
        ([(8, SURE), (16, SURE)], 16, None, "above"),
        ([(8, SURE), (16, MAYBE)], 8, None, "above"),
        ([(8, NOT), (16, NOT)], None, 8, "below"),
        ([(8, MAYBE), (16, NOT)], None, 16, "below"),
        ([(8, rate(0.85, 0.95, 0.91))], None, None, "above"),
        ([(8, rate(0.85, 0.95, 0.89))], None, None, "below"),
        # several seeds: a size on which they disagree stays inside, whichever came first
        ([(8, SURE), (16, SURE), (16, NOT), (32, NOT)], 8, 32, "bracketed"),
        ([(8, SURE), (16, SURE), (16, MAYBE), (32, NOT)], 8, 32, "bracketed"),
        ([(8, SURE), (16, NOT), (16, MAYBE), (32, NOT)], 8, 32, "bracketed"),
        ([(8, SURE), (16, SURE), (16, SURE), (32, NOT), (32, NOT)], 16, 32, "bracketed"),
    ],
)
def test_tables_by_hand(table, low, high, status):
    for order in itertools.permutations(table):
        found = bracket(order, epsilon=0.1)
        assert (found.low, found.high, found.status) == (low, high, status)
        assert (found.value is None) == (status != "bracketed")
        if found.value is not None:
            assert low <= found.value <= high


def test_value_is_on_the_line_over_log_size():
    # 1.0 at 10 and 0.8 at 1000 cross 0.9 halfway in log: at 100
    found = bracket([(10, wilson(1000, 1000)), (1000, wilson(800, 1000))], epsilon=0.1)
    assert found.value == pytest.approx(100, rel=1e-12)


def test_value_uses_weighted_monotone_rates():
    # 0.8 of 1000 before 1.0 of 3000 pool to 0.95: the line falls from 0.95 at 40 to 0.85 at 160, and
    # crosses 0.9 halfway in log: at 80
    table = [(10, wilson(1000, 1000)), (20, wilson(800, 1000)), (40, wilson(3000, 3000))]
    found = bracket([*table, (160, wilson(8500, 10_000))], epsilon=0.1)
    assert (found.low, found.high) == (10, 160)
    assert found.value == pytest.approx(80, rel=1e-12)


def test_seeds_of_one_size_are_pooled_for_the_value():
    # 1.0 at 10; 0.7 and 0.9 of 1000 at 1000 pool to 0.8: crossing at 100, as above
    table = [(10, wilson(1000, 1000)), (1000, wilson(700, 1000)), (1000, wilson(850, 1000))]
    pooled = (700 + 850) / 2000
    expected = 10 * 100 ** ((1 - 0.9) / (1 - pooled))
    assert bracket(table, epsilon=0.1).value == pytest.approx(expected, rel=1e-12)


def test_a_value_beyond_its_bracket_is_held_to_it():
    # Pooling can move the crossing below a size that is "at-least" by its own interval.
    table = [(8, wilson(9200, 10_000)), (16, wilson(0, 10_000)), (32, wilson(9200, 10_000))]
    found = bracket([*table, (64, wilson(0, 10_000))], epsilon=0.1)
    assert (found.low, found.high) == (8, 64)
    assert 8 <= found.value <= 64


def test_exact_ties_with_the_threshold_count_as_at_least():
    assert bracket([(8, rate(0.25, 0.35, 0.3))], epsilon=0.7).status == "above"


SENTENCES = [
    (
        Bracket(57.3, 45, 64, "bracketed"),
        "The EMM is about 57 training images (between 45 and 64): up to 45 the model copies at "
        "least 90 % of the time, from 64 on it does not.",
    ),
    (
        Bracket(None, 32, None, "above"),
        "The EMM lies above the largest size tried: with 64 training images the model may still "
        "copy at least 90 % of the time, and for certain up to 32.",
    ),
    (
        Bracket(None, None, None, "above"),
        "The EMM lies above the largest size tried: with 64 training images the model may still "
        "copy at least 90 % of the time.",
    ),
    (
        Bracket(None, None, 8, "below"),
        "The EMM lies below the smallest size tried: with 8 training images the model does not "
        "surely copy 90 % of the time; train longer or use a larger model.",
    ),
]


@pytest.mark.parametrize(("found", "expected"), SENTENCES)
def test_sentences(found, expected):
    assert sentence(found, epsilon=0.1, sizes=[8, 32, 64]) == expected


def test_a_sentence_names_its_items_and_share():
    text = sentence(Bracket(5.0, 4, 8, "bracketed"), epsilon=0.025, sizes=[4, 8], items="rows")
    assert "5 training rows" in text
    assert "97.5 %" in text


def test_points_round_trip_and_carry_their_decision():
    selection = ((100, wilson(9, 10)), (200, wilson(10, 10)))
    point = EmmPoint(64, 0, 200, wilson(950, 1000), selection, {"references": 64}, "points/a")
    written = point.to_json(0.1)
    assert list(written) == [
        *("size", "seed", "decision", "images_seen", "rate", "selection", "coverage", "run")
    ]
    assert written["decision"] == "at-least"
    assert EmmPoint.from_json(written) == point


def test_json_rounds_the_value():
    assert Bracket(57.3456, 45, 64, "bracketed").to_json()["value"] == 57.35
