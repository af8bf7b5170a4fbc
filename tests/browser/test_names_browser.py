"""Pages whose every text is hostile: nothing runs, nothing is requested, everything is shown."""

from pathlib import Path

import pytest
from command import run_here
from hostile_names import NAMES, as_written, fill
from report_runs import emm_run

from rote.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_audit_of_hostile_files_runs_nothing(open_page, tmp_path: Path) -> None:
    room = fill(tmp_path)
    sides = ("--generated", "made", "--training", "seen", "--holdout", "seen", "--no-cache")
    done = run_here("audit", *sides, "--out", "out", cwd=room)
    assert done.returncode == 0, done.stderr
    page = open_page(room / "out" / "report.html")
    for order in ("ratio", "-ratio", "index"):
        page.select_option("#order", order)
    assert page.evaluate("typeof window.pwned") == "undefined"
    assert (
        page.locator("img:not([src^='data:']), iframe, object, video, base, form[action]").count()
        == 0
    )
    assert "window.pwned=1" in page.inner_text("body")


@pytest.mark.parametrize("start", range(0, len(NAMES), 40))
def test_sources_and_classes_of_all_kinds_run_nothing(
    open_page, tmp_path: Path, start: int
) -> None:
    for first in range(start, min(start + 40, len(NAMES)), 10):
        names = [as_written(name) for name in NAMES[first : first + 10]]
        names += ["x"] * (10 - len(names))
        out = tmp_path / str(first)
        emm_run(out, sizes=(64,), source=names[0], classes=names)
        page = open_page(write_report(out))
        assert page.evaluate("typeof window.pwned") == "undefined"
