"""What the page of a study rests its colors and its words on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rote.report.study.page import chip, fewest_runs, runs_of, unit_of, whose
from rote.results.schema import parse_result
from rote.results.study import StudyFile

STUDIES = Path(__file__).parents[4] / "docs" / "results" / "studies"


def study(name: str) -> StudyFile:
    path = STUDIES / f"{name}.json"
    return parse_result(json.dumps(json.loads(path.read_text())), StudyFile, path)


def test_sources_are_told_apart() -> None:
    assert whose(study("digits-duration")) == "the paper"
    assert whose(study("digits-classes")) == "reviews of the paper"


def test_values_have_units_where_they_count_something() -> None:
    assert unit_of(study("digits-duration")) == "images seen in training"
    assert unit_of(study("digits-labels")) == unit_of(study("digits-architecture")) == ""


def test_runs_are_counted_for_every_side() -> None:
    found = study("digits-duration")
    counts = {cell.value: len(cell.runs) for cell in found.cells}
    for effect in found.effects:
        assert runs_of(found, effect) == (counts[effect.first.value], counts[effect.second.value])
    assert (fewest_runs(found), fewest_runs(study("digits-one-class"))) == (2, 6)


@pytest.mark.parametrize(("runs", "color"), [(2, ""), (3, ""), (4, "good")])
def test_nothing_is_green_that_rests_on_three_runs(runs: int, color: str) -> None:
    assert chip("agrees", runs) == color
    assert chip("not decided", runs) == ""
