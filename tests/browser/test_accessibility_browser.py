"""axe-core finds nothing on any kind of page, light and dark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from full_runs import full_audit_run
from report_runs import audit_run, emm_run

from rote.report import write_report

pytestmark = pytest.mark.browser
STUDIES = Path(__file__).parents[2] / "docs" / "results" / "studies"


def problems(page) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def study(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(STUDIES / "digits-duration.json", folder / "study.json")
    return folder


@pytest.mark.parametrize(
    ("make", "dark"),
    [
        (full_audit_run, False),
        (full_audit_run, True),
        (emm_run, False),
        (emm_run, True),
        (study, False),
        (study, True),
    ],
    ids=["audit", "audit, dark", "search", "search, dark", "study", "study, dark"],
)
def test_axe_finds_nothing(open_page, tmp_path: Path, make, dark: bool) -> None:
    page = open_page(write_report(make(tmp_path / "one")), dark=dark)
    assert problems(page) == []


def test_axe_finds_nothing_on_an_index_of_audits(open_page, tmp_path: Path) -> None:
    audit_run(tmp_path / "a")
    full_audit_run(tmp_path / "b")
    assert problems(open_page(write_report(tmp_path), width=390)) == []


def test_axe_finds_nothing_on_a_pair_shown_large(open_page, tmp_path: Path) -> None:
    page = open_page(write_report(full_audit_run(tmp_path)), dark=True)
    page.locator(".worst a").first.click()
    page.wait_for_selector("#viewer[open]")
    assert problems(page) == []
