"""Errors of damaged result files: one line with file and key; numbers as they were written."""

import doctest
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from rote.core.errors import RunError
from rote.results import schema, side
from rote.results.gap import OnsetRun
from rote.results.run import GapSnapshotFile, SelectFile, TrialFile
from rote.results.schema import CheckedDifference, CheckedRate, read_result, write_result
from rote.stats.rates import newcombe, wilson

RATE = wilson(3, 10).to_json()
SELECT = {"format_version": 1, "images_seen": 64, "rate": RATE}


def written(folder: Path, value: object) -> Path:
    path = folder / "64.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images_seen": -1}, "images_seen is not a count"),
        ({"images_seen": 1.5}, "images_seen is not a count"),
        ({"images_seen": True}, "images_seen is not a count"),
        ({"rate": 0.5}, "rate is not an object"),
        ({"rate": RATE | {"low": "x"}}, "rate.low is not a number"),
        ({"rate": RATE | {"low": float("nan")}}, "rate.low is not a finite number"),
        ({"rate": RATE | {"low": 0.9}}, "rate is not a rate with its interval inside 0 to 1"),
        ({"rate": RATE | {"count": 11}}, "rate is not a rate;"),
        ({"rate": {}}, "rate.value is missing"),
    ],
)
def test_the_first_wrong_key_is_named_in_one_line(tmp_path, change, message):
    path = written(tmp_path, SELECT | change)
    with pytest.raises(RunError) as error:
        read_result(path, SelectFile)
    assert f"{path} is damaged: {message}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": [1.0]}, "gap is not a list with one entry per noise level"),
        ({"gap": [1.0, "x"]}, r"gap[1] is not a number"),
        ({"gap": [1.0, float("inf")]}, r"gap[1] is not a finite number"),
        ({"gap": 3}, "gap is not a list"),
        ({"points": 0}, "points is not 1 or more"),
    ],
)
def test_lists_name_the_place(tmp_path, change, message):
    levels = {"sigmas": [0.1, 80], "gap": [0.2, None], "low": [0.1, None], "high": [0.3, None]}
    value = {"format_version": 1, "images_seen": 64, **levels, "points": 5, "holdout": 7}
    assert read_result(written(tmp_path, value), GapSnapshotFile).gap == (0.2, None)
    with pytest.raises(RunError) as error:
        read_result(written(tmp_path, value | change), GapSnapshotFile)
    assert message in str(error.value)


def test_a_file_comes_back_as_it_was_and_foreign_keys_are_ignored(tmp_path):
    # Whole numbers of a float's key stay whole, so that a rewritten file keeps its bytes.
    value = {"format_version": 1, "key": "ab", "size": 12, "replicate": 0, "rate": RATE}
    value |= {"images_seen": 9, "selection": [], "own_label": None, "repeated": 4, "seconds": 8}
    found = read_result(written(tmp_path, value | {"later": 1}), TrialFile)
    assert json.dumps(found.to_json()) == json.dumps(value)
    assert found.trained_by is None  # younger than this file


def test_a_writer_cannot_write_what_its_model_does_not_know(tmp_path):
    path, value = tmp_path / "64.json", {"images_seen": 64, "rate": RATE}
    write_result(path, SelectFile, value)
    assert json.loads(path.read_text()) == SELECT
    path.unlink()
    with pytest.raises(AssertionError, match=r"SelectFile does not hold what 64\.json"):
        write_result(path, SelectFile, value | {"later": 1})
    with pytest.raises(ValueError, match="interval inside 0 to 1"):
        write_result(path, SelectFile, value | {"rate": RATE | {"low": 0.9}})
    assert not path.exists()


def test_files_of_others_are_refused(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        read_result(tmp_path / "none.json", SelectFile)
    with pytest.raises(RunError, match="newer"):
        read_result(written(tmp_path, SELECT | {"format_version": 99}), SelectFile)
    with pytest.raises(RunError, match="not a file that rote wrote"):
        read_result(written(tmp_path, {"images_seen": 1}), SelectFile)


def test_an_onset_needs_a_snapshot():
    with pytest.raises(ValueError, match="between the images seen of two snapshots"):
        OnsetRun(size=8, low=0, high=None)


def test_examples_in_docstrings():
    for module in (schema, side):
        assert doctest.testmod(module).failed == 0


def test_a_rate_lies_inside_its_interval_and_a_difference_too():
    rates, differences = TypeAdapter(CheckedRate), TypeAdapter(CheckedDifference)
    rate, difference = wilson(3, 10), newcombe(wilson(3, 10), wilson(1, 10))
    assert rates.validate_python(rate) == rate
    assert differences.validate_python(difference) == difference
    for change in ({"value": rate.high + 0.01}, {"value": rate.low - 0.01}, {"count": 11}):
        with pytest.raises(ValidationError, match="a rate"):
            rates.validate_python(replace(rate, **change))
    with pytest.raises(ValidationError, match="a difference"):
        differences.validate_python(replace(difference, value=difference.high + 0.01))
