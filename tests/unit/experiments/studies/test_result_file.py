"""Verdicts on the paper's claims: what counts as alike, and where rates leave no room."""

import pytest

from rote.experiments.studies.factor import Claim
from rote.experiments.studies.plan import Cell
from rote.experiments.studies.result_file import _effect, verdict
from rote.stats.rate_model import fit_rates

A, B = Cell("a", 64), Cell("b", 64)


def effect(first, second, expect, margin=0.2):
    model = fit_rates({A: [(first, 400)] * 8, B: [(second, 400)] * 8})
    return _effect(model, A, B, Claim("a", "b", expect), margin=margin, confidence=0.95)["verdict"]


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
    assert effect(first, second, expect) == wanted


def test_a_study_agrees_only_if_nothing_is_open():
    found = [{"verdict": each} for each in ("agrees", None)]
    assert verdict(found) == "agrees"
    assert verdict([*found, {"verdict": "not decided"}]) == "not decided"
    assert verdict([*found, {"verdict": "disagrees"}]) == "disagrees"
    assert verdict([{"verdict": None}]) is None
