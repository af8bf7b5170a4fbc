"""`criteria.json` for a page: the same runs under other definitions, with quality beside each rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rote.report.words import format_size, plain
from rote.results.criteria import (
    CriterionEmm,
    RescoredRun,
    Ruler,
    SearchCriteriaFile,
    StudyCriteriaFile,
)
from rote.results.schema import read_result
from rote.results.supplement import Quality
from rote.stats.rates import Rate


@dataclass(frozen=True)
class QualityDot:
    """One run: its rate under the ratio and its quality; the color tells its size, or its value."""

    label: str
    group: str
    rate: Rate
    quality: Quality


@dataclass(frozen=True)
class Definitions:
    """All criteria of one search, and the quality of its runs."""

    file: SearchCriteriaFile
    dots: tuple[QualityDot, ...]


def read_definitions(run_dir: Path) -> Definitions | None:
    """Read `criteria.json` of a search; None where there is none."""
    path = run_dir / "criteria.json"
    if not path.exists():
        return None
    file = read_result(path, SearchCriteriaFile)
    return Definitions(file, _dots(file.runs))


def emm_text(found: CriterionEmm) -> str:
    """Return the EMM under one criterion in words, or why there is none."""
    emm = found.emm
    if emm is None:
        return plain(found.reason or "none")
    if emm.status == "unknown":
        return "not known: no falling curve"
    if emm.value is not None and emm.low is not None and emm.high is not None:
        return f"{format_size(emm.value)} ({format_size(emm.low)} to {format_size(emm.high)})"
    if emm.low is not None:
        return f"above {format_size(emm.low)}"
    return "beyond the sizes trained" if emm.high is None else f"below {format_size(emm.high)}"


def _dots(runs: Sequence[RescoredRun]) -> tuple[QualityDot, ...]:
    found = []
    for run in runs:
        group = f"{run.size:,}" if run.value is None else plain(run.value)
        if run.quality is not None and "ratio" in run.rates:
            label = f"{group} · run {run.replicate}"
            found.append(QualityDot(label, group, run.rates["ratio"], run.quality))
    return tuple(found)


@dataclass(frozen=True)
class StudyDefinitions:
    """A study under other definitions: each comparison under each criterion, and every run's quality."""

    names: tuple[str, ...]
    effects: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each comparison: what is compared, and a difference per criterion, in words."""
    dots: tuple[QualityDot, ...]
    ruler: Ruler | None
    """What was measured otherwise than in the study."""


def read_study_definitions(folder: Path) -> StudyDefinitions | None:
    """Read `criteria.json` of a study; None where there is none."""
    path = folder / "criteria.json"
    if not path.exists():
        return None
    file = read_result(path, StudyCriteriaFile)
    rows: dict[str, list[str]] = {}
    for place, entry in enumerate(file.criteria):
        for effect in entry.effects:
            first, second, d = effect.first, effect.second, effect.difference
            at = "" if first.size != second.size else f" at {first.size:,}"
            name = f"{plain(first.value)} less {plain(second.value)}{at}"
            cells = rows.setdefault(name, ["none"] * len(file.criteria))
            said = f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
            cells[place] = said if effect.known else f"{said}, not known"
    return StudyDefinitions(
        names=tuple(plain(entry.name) for entry in file.criteria),
        effects=tuple((name, tuple(cells)) for name, cells in rows.items()),
        dots=_dots(file.runs),
        ruler=file.ruler,
    )
