"""Collects what the page of remedies shows: what helps, at what price, and what only hides copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rote.report import words
from rote.results.mitigation.remedies import RemediesFile, Tried
from rote.results.schema import read_result

ORDER = ("helps", "undecided", "evades", "harms")
CHIP = {"helps": "good", "evades": "bad", "harms": "bad"}


def remedies_context(folder: Path) -> dict[str, Any]:
    """Read the folder of tried remedies and return what its page shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts.remedies import front

    path = folder / "remedies.json"
    file = read_result(path, RemediesFile)
    tried = sorted(
        file.tried, key=lambda one: (ORDER.index(one.verdict), one.judged[0].after.value)
    )
    return {
        "template": "remedies.html.j2",
        "title": f"Remedies · {words.plain(file.model)}",
        "file": file,
        "tried": tried,
        "first": max(tried, key=lambda one: len(one.quality), default=None),
        "sentence": _sentence(tried),
        "chip": CHIP,
        "there": {
            name: (folder / name / "report.html").exists()
            for one in (file.before, *(one.audits for one in tried))
            for name in one
        },
        "source_text": path.read_text(encoding="utf-8"),
        "source_name": "remedies.json",
        "gallery": None,
        "charts": charts.on_page({"front": front(file)} if tried else {}),
    }


def _sentence(tried: list[Tried]) -> str:
    """Say what helps, best first, or that nothing does."""
    helps = [one.title for one in tried if one.verdict == "helps"]
    if not tried:
        return "No remedy fits this model"
    if not helps:
        return f"None of {len(tried)} remedies helps"
    return f"{helps[0]} helps most" + (f", then {words.join(helps[1:])}" if helps[1:] else "")
