"""Collects what the page of two compared audits shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.audit.read import read_audit
from rote.report.audit.verdict import WorstPair, worst_pairs
from rote.results.audit import CompareFile
from rote.results.gallery import EXACT
from rote.results.schema import read_result
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Side:
    """One of the audits; ``worst`` is empty where its folder is not there any more."""

    name: str
    link: str
    rate: Rate
    share: str
    source: str
    unit: str
    worst: list[WorstPair]
    crisp: bool


def compare_context(folder: Path) -> dict[str, Any]:
    """Read the folder of a comparison and return what its page shows."""
    from rote.report.charts import chart as charts

    file = read_result(folder / "compare.json", CompareFile)
    places = file.folders if len(file.folders) == 2 else ("first", "second")
    names = [Path(place).name for place in places]
    if names[0] == names[1]:
        names = [words.plain(place) for place in places]
    sides = [
        _side(folder, place, words.plain(name), rate)
        for place, name, rate in zip(places, names, (file.first, file.second), strict=True)
    ]
    return {
        "template": "compare.html.j2",
        "title": f"{sides[0].name} against {sides[1].name}",
        "file": file,
        "sides": sides,
        "points": words.format_points(file.difference),
        "sentence": _sentence(file, sides),
        "source_text": (folder / "compare.json").read_text(encoding="utf-8"),
        "source_name": "compare.json",
        "gallery": None,
        "charts": charts.on_page({}),
    }


def _side(folder: Path, place: str, name: str, rate: Rate) -> Side:
    there = (folder / place / "audit.json").exists()
    audit = read_audit(folder / place) if there else None
    pictures = audit is not None and audit.gallery.generated.ndim == 4
    link = f"{place}/report.html"
    return Side(
        name=name,
        link=link if (folder / link).exists() else "",
        rate=rate,
        share=words.percent_of(rate.value),
        source=words.short(audit.file.generated.source) if audit else "",
        unit=audit.file.generated.items if audit else "items",
        worst=worst_pairs(audit) if audit and pictures else [],
        crisp=bool(audit and pictures and max(audit.gallery.generated.shape[1:3]) <= EXACT),
    )


def _sentence(file: CompareFile, sides: list[Side]) -> str:
    """Say which copies more, or that the difference cannot be told apart from none."""
    low, high = file.difference.low, file.difference.high
    first, second = (side.name for side in sides)
    if low > 0:
        return f"{first} copies more than {second}"
    if high < 0:
        return f"{second} copies more than {first}"
    return f"Which copies more cannot be told: {first} and {second} may be alike"
