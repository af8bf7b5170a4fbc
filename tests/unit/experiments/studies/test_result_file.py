"""Verdicts on the paper's claims: what counts as alike, and where rates leave no room."""

import pytest

from rote.experiments.studies.factor import Claim
from rote.experiments.studies.plan import Cell
from rote.experiments.studies.result_file import _effect, sentence, verdict
from rote.stats.rate_model import fit_rates

A, B = Cell("a", 64), Cell("b", 64)


def effect_of(first, second, expect="more", margin=0.2):
    model = fit_rates({A: [(first, 400)] * 8, B: [(second, 400)] * 8})
    return _effect(model, A, B, Claim("a", "b", expect), margin=margin, confidence=0.95)


@pytest.mark.parametrize(
    ("first", "second", "expect", "wanted"),
    [
        (300, 100, "more", "agrees"),
        (300, 100, "less", "disagrees"),
        (300, 100, "like", "disagrees"),
        (200, 200, "more", "not decided"),
        (200, 200, "like", "agrees"),
        (0, 0, "like", "not decided"),
        (400, 399, "like", "not decided"),
    ],
)
def test_a_claim_is_judged_by_its_interval(first, second, expect, wanted):
    assert effect_of(first, second, expect)["verdict"] == wanted


def test_a_study_agrees_only_if_nothing_is_open():
    found = [{"verdict": each} for each in ("agrees", None)]
    assert verdict(found) == "agrees"
    assert verdict([*found, {"verdict": "not decided"}]) == "not decided"
    assert verdict([*found, {"verdict": "disagrees"}]) == "disagrees"
    assert verdict([{"verdict": None}]) is None


def test_runs_that_take_off_or_not_decide_nothing():
    model = fit_rates({A: [(10, 400), (390, 400), (390, 400)], B: [(10, 400)] * 3})
    found = _effect(model, A, B, Claim("a", "b", "more"), margin=0.2, confidence=0.95)
    assert (found["known"], found["verdict"]) == (False, "not decided")
    assert sentence([found]).startswith("Nothing is known yet")
    steady = effect_of(300, 100)
    said = sentence([steady, found])
    assert said.startswith("At 64 training items, a memorizes more than b")
    assert said.endswith("some did not; train more of them.")
