"""The page of two audits compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_page import report
from report_runs import audit_run, digits, generate, write_audit

from rote.core.errors import ConfigError
from rote.memorization.audit.compare import compare


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """One with few copies and one with many, against the same training images."""
    images = digits()[0][:400]
    for name, share in (("few", 0.05), ("many", 0.6)):
        queries = generate(400, 200, share, seed=3)
        found = write_audit(tmp_path / name, queries, images)
        facts = {**json.loads((tmp_path / name / "audit.json").read_text()), **found}
        facts["criteria"] = []
        (tmp_path / name / "audit.json").write_text(json.dumps({"format_version": 1, **facts}))
        _rename(tmp_path / name)
    return tmp_path / "few", tmp_path / "many"


def _rename(folder: Path) -> None:
    import numpy as np

    with np.load(folder / "neighbors.npz") as arrays:
        kept = dict(arrays)
    np.savez_compressed(folder / "neighbors.npz", **kept, memorized_ratio=kept["memorized"])


def test_it_says_which_copies_more_and_shows_both(tmp_path: Path, sides: tuple[Path, Path]) -> None:
    found = compare(*sides)
    found.save(tmp_path / "compared", folders=sides)
    report(sides[0])
    page = report(tmp_path / "compared")
    assert "many copies more than few" in page.text
    for rate in (found.first, found.second):
        assert f"{rate.count} of {rate.total}" in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 24
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert "../few/report.html" in links and "../many/report.html" not in links  # it has no page
    assert json.loads((tmp_path / "compared" / "compare.json").read_text())["folders"] == [
        "../few",
        "../many",
    ]


def test_what_may_be_alike_is_said_so_and_audits_may_be_gone(
    tmp_path: Path, sides: tuple[Path, Path]
) -> None:
    compare(sides[0], sides[0]).save(tmp_path / "out", folders=(sides[0], sides[0]))
    (sides[0] / "audit.json").rename(tmp_path / "audit.json.gone")
    page = report(tmp_path / "out")
    assert "Which copies more cannot be told" in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_the_page_of_an_audit_is_not_replaced(tmp_path: Path, sides: tuple[Path, Path]) -> None:
    audit_run(tmp_path / "a")
    with pytest.raises(ConfigError, match="holds an audit"):
        compare(*sides).save(tmp_path / "a", folders=sides)
