"""The index of several audits: a folder of folders with an `audit.json` each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.audit.criteria import all_criteria
from rote.report.audit.positive_control import recall_of
from rote.report.audit.verdict import Decision, decision_of
from rote.results.audit import AuditFile
from rote.results.schema import read_result


@dataclass(frozen=True)
class Row:
    """One audit: its folder, what its gate says, its rate, and what it would have missed."""

    name: str
    file: AuditFile
    decision: Decision | None
    share: str
    above_control: str
    missed: str
    """Kinds of copies (each audit's page says from which strength on), or why none are named."""


def index_context(folder: Path) -> dict[str, Any]:
    """Read the audits in a folder and return what their index shows."""
    from rote.report.charts import chart as charts

    rows = [_row(path) for path in sorted(folder.glob("*/audit.json"))]
    counts = Counter(row.decision.word for row in rows if row.decision)
    return {
        "template": "index.html.j2",
        "title": f"{len(rows)} audits",
        "folder": words.plain(folder.resolve().name),
        "rows": rows,
        "counts": [(word, counts[word]) for word in ("fail", "undecided", "pass") if counts[word]],
        "ungated": sum(row.decision is None for row in rows),
        "gallery": None,
        "charts": charts.on_page({}),
    }


def _row(path: Path) -> Row:
    file = read_result(path, AuditFile)
    found = all_criteria(file)
    recall = recall_of(file.positive_control, found)
    missed = words.join([blind.adjective for blind in recall.blind]) if recall else ""
    return Row(
        name=path.parent.name,
        file=file,
        decision=decision_of(file, found, unit=file.generated.items),
        share=words.percent_of(file.rate.value),
        above_control=words.format_points(found[0].excess) if found[0].excess else "",
        missed="not tried" if recall is None else missed or "none of those tried",
    )
