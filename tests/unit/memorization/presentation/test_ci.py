"""What continuous integration reads of an audit."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from audits import ratio_audit

import rote
from rote.data.dataset import Dataset
from rote.memorization.presentation.ci import junit_error, markdown_summary

NAMES = ("a|b.png", "`c`<img src=x>.png", "line\nbreak.png", "[d](http://e).png")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (104, 4, 4, 1), dtype=np.uint8)


def named(images: np.ndarray, names: tuple[str, ...]) -> Dataset:
    return Dataset(images, names=names, source="here")


def test_markdown_takes_names_as_text(images: np.ndarray) -> None:
    made = named(images[:4], NAMES)
    text = markdown_summary(ratio_audit(made, images[:100], fail_above=0.1))
    assert text.startswith("### Memorization gate\n\n4 of 4 generated images are copies")
    assert "**failed**" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 4
    for row in rows:
        assert row.count("|") == 4
        assert not set("`<[") & set(row)


@pytest.mark.parametrize(
    ("start", "stop", "limit", "decision"),
    [(0, 4, 0.1, "above"), (100, 104, 0.9, "below"), (100, 104, 0.1, "undecided")],
)
def test_junit_fails_unless_the_gate_is_passed(images, start, stop, limit, decision) -> None:
    found = ratio_audit(images[start:stop], images[:100], fail_above=limit)
    assert found.gate.decision == decision
    suite = ET.fromstring(found.to_junit())
    failures = list(suite.iter("failure"))
    assert suite.get("tests") == "1"
    assert int(suite.get("failures")) == len(failures) == (decision != "below")
    for failure in failures:
        assert failure.get("type") == decision
        assert found.headline in failure.get("message")


def test_junit_needs_a_gate(images: np.ndarray) -> None:
    found = ratio_audit(images[:4], images[:100])
    assert found.to_markdown().startswith("### Memorization\n\n4 of 4")
    with pytest.raises(rote.RoteError, match="fail_above"):
        found.to_junit()


def test_junit_survives_any_message() -> None:
    suite = ET.fromstring(junit_error('<&"\x00\x1b[2J\n\ud800'))
    assert suite.get("errors") == "1"
    assert r"\x1b[2J\n" in next(suite.iter("error")).get("message")
