"""Several spaces side by side for a page: rates, agreement, what each sees, and the disputed images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rote.report.audit.criteria import titles_of
from rote.report.audit.gallery import thumbnails
from rote.report.audit.positive_control import kind_of, strength_text
from rote.report.words import join, plain
from rote.results.audit import AuditFile
from rote.results.gallery import Disputes, read_disputes
from rote.results.spaces import Intervals, RecallAtRate, SpaceAudit, Square
from rote.stats.rates import Rate

SHOWN = 16
"""Disputed images with pictures on a page."""
CLOSE, TRUSTED, BLIND = 0.05, 0.5, 0.1
"""Rulers within 5 points of the best are named with it; below one half none is trusted."""
TILE_RMS = 0.15 * 255
"""Tiles nearer than this match, as in the criterion `tiles`."""


@dataclass(frozen=True)
class SpaceRow:
    """One space with its rate per criterion, in the order of the columns."""

    name: str
    facts: list[tuple[str, str]]
    rates: tuple[tuple[Rate, Rate | None] | None, ...]


@dataclass(frozen=True)
class Pair:
    """Agreement of two rulers; numbers are None where one tells no two images apart.

    ``interval`` is None for a ruler with itself, and in audits from before there were intervals.
    """

    title: str
    value: float | None
    interval: tuple[float, float] | None
    heat: float


@dataclass(frozen=True)
class Sighting:
    """All strengths of one corruption: recall per ruler, and whom to trust."""

    title: str
    cells: tuple[tuple[str, tuple[Rate, ...]], ...]
    advice: str


@dataclass(frozen=True)
class Dispute:
    """One image on which rulers differ."""

    index: int
    yes: str
    no: str
    tiles: tuple[bool, ...]


@dataclass(frozen=True)
class Spaces:
    """What the section on spaces shows.

    ``groups`` are the spaces with the number of their rulers in the table of sightings; ``scores`` the
    title of every ruler there.
    """

    rows: tuple[SpaceRow, ...]
    criteria: tuple[str, ...]
    rulers: tuple[str, ...]
    kappa: tuple[tuple[Pair, ...], ...]
    confidence: str
    unit: str
    spearman: tuple[tuple[Pair, ...], ...]
    disputed: int
    total: int
    rate: str
    held_out: int
    groups: tuple[tuple[str, int], ...]
    scores: tuple[str, ...]
    sightings: tuple[Sighting, ...]
    disputes: tuple[Dispute, ...]
    pictures: dict[str, Any] | None


def spaces_of(folder: Path, file: AuditFile) -> Spaces | None:
    """Return what an audit says of its spaces; None with one only, and for older audits."""
    agreed, seen = file.agreement, file.recall_at_rate
    if len(file.spaces) < 2 or agreed is None:
        return None
    names = list(dict.fromkeys(c.name for entry in file.spaces for c in entry.criteria))
    called = titles_of(file)
    titles = tuple(f"{plain(r.space)} · {called[r.criterion].lower()}" for r in agreed.rulers)
    found = read_disputes(folder / "disputes.npz", rulers=len(titles), most=SHOWN)
    detectors = seen.rulers if seen else ()
    return Spaces(
        rows=tuple(_row(entry, names) for entry in file.spaces),
        criteria=tuple(called[name] for name in names),
        rulers=titles,
        kappa=_pairs(agreed.kappa, agreed.kappa_interval, titles),
        confidence=f"{100 * agreed.confidence:g} %" if agreed.confidence else "",
        unit=plain(agreed.unit) if agreed.unit else "",
        spearman=_pairs(agreed.spearman, agreed.spearman_interval, titles),
        disputed=agreed.disputed,
        total=file.rate.total,
        rate=f"{100 * seen.false_positive_rate:g} %" if seen else "",
        held_out=seen.held_out if seen else 0,
        groups=tuple((plain(n), k) for n, k in Counter(d.space for d in detectors).items()),
        scores=tuple(_score(d.score, called) for d in detectors),
        sightings=_sightings(seen, called) if seen else (),
        disputes=_disputes(found, titles),
        pictures=_pictures(found),
    )


def _row(entry: SpaceAudit, names: Sequence[str]) -> SpaceRow:
    space = entry.space
    found = {c.name: (c.rate, c.control) for c in entry.criteria if c.rate is not None}
    facts = [
        ("what it is", space.words),
        ("metric", space.metric),
        ("preprocessing", space.preprocessing),
        ("numbers per image", f"{space.dimension:,}" if space.dimension else ""),
        (
            "looks among",
            f"the {space.candidates:,} nearest in pixels" if space.candidates else "",
        ),
        ("weights", f"SHA-256 {space.weights_sha256[:12]}" if space.weights_sha256 else ""),
        ("source", space.source),
        ("license", space.license),
    ]
    told = [fact for fact in facts if fact[1]]
    return SpaceRow(plain(space.name), told, tuple(found.get(name) for name in names))


def _pairs(
    values: Square, intervals: Intervals | None, titles: Sequence[str]
) -> tuple[tuple[Pair, ...], ...]:
    return tuple(
        tuple(
            Pair(
                f"{titles[i]} and {titles[j]}",
                value,
                None if intervals is None or i == j else intervals[i][j],
                max(0.0, value or 0.0),
            )
            for j, value in enumerate(row)
        )
        for i, row in enumerate(values)
    )


def _score(name: str, called: Mapping[str, str]) -> str:
    return called.get(name, name).lower()


def _sightings(seen: RecallAtRate, called: Mapping[str, str]) -> tuple[Sighting, ...]:
    rulers = [f"{plain(r.space)} ({_score(r.score, called)})" for r in seen.rulers]
    grouped: dict[tuple[str, str], list[tuple[str, tuple[Rate, ...]]]] = {}
    for cell in seen.cells:
        row = (strength_text(cell.strength, cell.unit), cell.recall)
        grouped.setdefault(kind_of(cell), []).append(row)
    found = []
    for (title, adjective), cells in grouped.items():
        found.append(Sighting(title, tuple(cells), _advice(adjective, cells, rulers)))
    return tuple(found)


def _advice(
    adjective: str, cells: Sequence[tuple[str, tuple[Rate, ...]]], rulers: Sequence[str]
) -> str:
    """Say which rulers to trust for one kind of copy, with the counts over all strengths."""
    hits = [sum(rates[n].count for _, rates in cells) for n in range(len(rulers))]
    made = sum(rates[0].total for _, rates in cells)
    best, worst = max(hits), min(hits)
    if best < TRUSTED * made:
        named = rulers[hits.index(best)]
        return (
            f"No ruler here finds even half of the {adjective} copies; the best is {named} with "
            f"{best:,} of {made:,}."
        )
    if best - worst <= CLOSE * made:
        return f"All rulers find {adjective} copies alike ({worst:,} to {best:,} of {made:,})."
    order = sorted(range(len(rulers)), key=lambda n: -hits[n])
    close = [n for n in order if best - hits[n] <= CLOSE * made][:3]
    told = join([f"{rulers[n]} {hits[n]:,}" for n in close])
    return (
        f"For {adjective} copies trust {told} of {made:,}; the fewest are found by "
        f"{rulers[hits.index(worst)]}, {worst:,}."
    )


def _disputes(found: Disputes, titles: Sequence[str]) -> tuple[Dispute, ...]:
    disputes = []
    for n, index in enumerate(found.index.tolist()):
        flags = list(zip(titles, found.memorized[n], strict=True))
        matched = () if found.tiles is None else tuple((found.tiles[n] < TILE_RMS).ravel().tolist())
        disputes.append(
            Dispute(
                index,
                yes=join([title for title, flag in flags if flag]),
                no=join([title for title, flag in flags if not flag]),
                tiles=matched,
            )
        )
    return tuple(disputes)


def _pictures(found: Disputes) -> dict[str, Any] | None:
    """Return one sheet of the disputed images: generated, then nearest per space."""
    if not found.generated.size:
        return None
    pictures = np.concatenate([found.generated[:, None], found.nearest], axis=1)
    return thumbnails(pictures, shrunk=1)
