"""axe-core finds nothing on any kind of page, light and dark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from full_runs import full_audit_run
from report_runs import audit_run, emm_run

import rote
from rote.data.load import load_images
from rote.memorization.audit.compare import compare
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


def audit(folder: Path) -> None:
    full_audit_run(folder)


def search(folder: Path) -> None:
    emm_run(folder, sizes=(64, 128))


def study(folder: Path) -> None:
    shutil.copy(STUDIES / "digits-duration.json", folder / "study.json")


@pytest.mark.parametrize("make", [audit, search, study])
def test_axe_finds_nothing_in_both_themes(open_page, tmp_path: Path, make) -> None:
    make(tmp_path)
    page = open_page(write_report(tmp_path))
    assert problems(page) == []
    page.click("#theme")
    page.wait_for_selector("html[data-charts=dark]")
    if make is audit:
        page.locator(".worst a").first.click()
        page.wait_for_selector("#viewer[open]")
    assert problems(page) == []


def test_axe_finds_nothing_on_an_index_of_audits_and_on_two_compared(open_page, tmp_path) -> None:
    audit_run(tmp_path / "a")
    assert problems(open_page(write_report(tmp_path), width=390, dark=True)) == []
    digits, sides = load_images("digits"), (tmp_path / "few", tmp_path / "many")
    for side, copies in zip(sides, (2, 20), strict=True):
        made = digits.items[300 - copies : 340 - copies]
        rote.audit(made, digits.items[:300], positive_control=0).save(side)
    compare(*sides).save(tmp_path / "both", folders=sides)
    assert problems(open_page(write_report(tmp_path / "both"), width=390, dark=True)) == []
