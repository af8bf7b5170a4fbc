"""The index of several audits."""

from pathlib import Path

from full_runs import full_audit_run
from report_page import edit, report
from report_runs import HOSTILE, audit_run


def test_a_folder_of_audits_has_an_index_that_leads_to_each(tmp_path: Path) -> None:
    full_audit_run(tmp_path / "after")
    audit_run(tmp_path / "before", control=False)
    odd = audit_run(
        tmp_path / f"x{HOSTILE.partition('</pre>')[0].replace('/', '')}", source=HOSTILE
    )
    edit(odd / "audit.json", lambda a: a.update(notices=[{"topic": "overlap", "text": "odd"}]))
    page = report(tmp_path)
    links = [
        a["href"] or "" for tag, a in page.tags if tag == "a" and "report.html" in (a["href"] or "")
    ]
    assert links[:2] == ["after/report.html", "before/report.html"] and len(links) == 3
    assert all((tmp_path / name / "report.html").is_file() for name in ("after", "before"))
    assert "3 audits, 1 undecided, 2 without a limit" in page.text
    for text in ("mirrored", "not tried", "not known", "doubtful"):
        assert text in page.text
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
