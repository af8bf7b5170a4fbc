"""Reads `criteria.json`: a search under other definitions, with quality beside each rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rote.core.atomic_files import read_json
from rote.report.fields import Fields
from rote.report.words import format_size, plain
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Ruler:
    """One criterion's answer; ``low`` and ``high`` are None where it is open on that side."""

    name: str
    formula: str
    source: str
    runs: int
    value: float | None
    low: float | None
    high: float | None
    text: str
    control: Rate | None


@dataclass(frozen=True)
class Number:
    """A statistic with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class QualityDot:
    """One run: its rate under the ratio and its quality."""

    label: str
    group: str
    """Its size, or in a study its value: what the color tells."""
    rate: Rate
    frechet: Number
    precision: Number
    recall: Number
    density: Number
    coverage: Number
    real: tuple[Number, Number] | None
    """Frechet distance and coverage of real items at the same counts."""
    space: str
    count: int


@dataclass(frozen=True)
class Definitions:
    """All criteria of one search, and the quality of its runs."""

    epsilon: float
    confidence: float
    rulers: tuple[Ruler, ...]
    dots: tuple[QualityDot, ...]
    left_out: int
    sizes: tuple[int, ...]
    """Of all runs."""
    chosen: bool
    """Whether snapshots were chosen by the ratio."""


def read_definitions(run_dir: Path) -> Definitions | None:
    """Read `criteria.json` of a search; None where there is none."""
    path = run_dir / "criteria.json"
    if not path.exists():
        return None
    fields = Fields(path, read_json(path))
    fields.one_of("kind", "criteria")
    runs = fields.children("runs")
    return Definitions(
        epsilon=fields.number("epsilon"),
        confidence=fields.number("confidence"),
        rulers=tuple(_ruler(entry) for entry in fields.children("criteria")),
        dots=tuple(dot for entry in runs if (dot := _dot(entry)) is not None),
        left_out=fields.count("left_out"),
        sizes=tuple(entry.positive("size") for entry in runs),
        chosen=bool(fields.child("chosen_by_ratio").values.get("snapshot")),
    )


def _ruler(fields: Fields) -> Ruler:
    emm, control = fields.optional_child("emm"), fields.optional_child("control")
    value, low, high = (
        (None, None, None)
        if emm is None
        else tuple(emm.optional_number(key) for key in ("value", "low", "high"))
    )
    return Ruler(
        name=fields.text("name"),
        formula=fields.text("formula"),
        source=fields.text("source"),
        runs=fields.count("runs"),
        value=value,
        low=low,
        high=high,
        text=_text(value, low, high) if emm else plain(fields.values.get("reason") or "none"),
        control=control.rate("rate") if control else None,
    )


def _text(value: float | None, low: float | None, high: float | None) -> str:
    if value is not None and low is not None and high is not None:
        return f"{format_size(value)} ({format_size(low)} to {format_size(high)})"
    if low is not None:
        return f"above {format_size(low)}"
    return "beyond the sizes trained" if high is None else f"below {format_size(high)}"


def _dot(fields: Fields) -> QualityDot | None:
    quality = fields.optional_child("quality")
    if quality is None:
        return None
    found, control = quality.child("generated"), quality.optional_child("control")
    named = "value" in fields.values
    group = plain(fields.text("value")) if named else f"{fields.positive('size'):,}"
    numbers = {
        key: _number(found.child(key))
        for key in ("frechet", "precision", "recall", "density", "coverage")
    }
    real = None
    if control is not None:
        real = _number(control.child("frechet")), _number(control.child("coverage"))
    return QualityDot(
        label=f"{group} · run {fields.count('replicate')}",
        group=group,
        rate=fields.child("rates").rate("ratio"),
        real=real,
        space=quality.text("space"),
        count=quality.positive("count"),
        **numbers,
    )


def _number(fields: Fields) -> Number:
    return Number(fields.number("value"), fields.number("low"), fields.number("high"))


@dataclass(frozen=True)
class StudyDefinitions:
    """A study under other definitions: each comparison under each criterion, and every run's quality."""

    names: tuple[str, ...]
    effects: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each comparison: what is compared, and a difference per criterion, in words."""
    dots: tuple[QualityDot, ...]


def read_study_definitions(folder: Path) -> StudyDefinitions | None:
    """Read `criteria.json` of a study; None where there is none."""
    path = folder / "criteria.json"
    if not path.exists():
        return None
    fields = Fields(path, read_json(path))
    fields.one_of("kind", "study-criteria")
    criteria = fields.children("criteria")
    rows: dict[str, list[str]] = {}
    for place, entry in enumerate(criteria):
        for effect in entry.children("effects"):
            first, second = effect.child("first"), effect.child("second")
            at = (
                ""
                if first.count("size") != second.count("size")
                else f" at {first.count('size'):,}"
            )
            name = f"{plain(first.text('value'))} less {plain(second.text('value'))}{at}"
            d = effect.child("difference")
            cells = rows.setdefault(name, ["none"] * len(criteria))
            cells[place] = (
                f"{d.number('value'):+.3f} ({d.number('low'):+.3f} to {d.number('high'):+.3f})"
            )
    return StudyDefinitions(
        names=tuple(plain(entry.text("name")) for entry in criteria),
        effects=tuple((name, tuple(cells)) for name, cells in rows.items()),
        dots=tuple(dot for e in fields.children("runs") if (dot := _dot(e)) is not None),
    )
