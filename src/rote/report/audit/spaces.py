"""Several spaces side by side for a page: rates, agreement, what each sees, and the disputed images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rote.report.arrays import read_arrays, read_optional
from rote.report.audit.criteria import criterion_title
from rote.report.audit.gallery import sheet, shrink
from rote.report.audit.positive_control import KINDS, strength_text
from rote.report.fields import Fields
from rote.report.words import join, plain
from rote.stats.rates import Rate

SHOWN = 16
"""Disputed images with pictures on a page."""
PICTURE = 96
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
    nearest: tuple[int, ...]
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


def read_spaces(folder: Path, fields: Fields) -> Spaces | None:
    """Return what an audit says of its spaces; None with one only, and for older audits."""
    entries = fields.optional_children("spaces")
    agreed = fields.optional_child("agreement")
    if len(entries) < 2 or agreed is None:
        return None
    names: list[str] = []
    for entry in entries:
        names += [c.text("name") for c in entry.children("criteria") if c.text("name") not in names]
    rulers = agreed.children("rulers")
    titles = tuple(
        f"{plain(r.text('space'))} · {criterion_title(r.text('criterion')).lower()}" for r in rulers
    )
    seen = fields.optional_child("recall_at_rate")
    disputes, pictures = _disputes(folder / "disputes.npz", titles)
    return Spaces(
        rows=tuple(_row(entry, names) for entry in entries),
        criteria=tuple(criterion_title(name) for name in names),
        rulers=titles,
        kappa=_pairs(agreed, "kappa", titles),
        confidence=f"{100 * agreed.number('confidence'):g} %"
        if "confidence" in agreed.values
        else "",
        spearman=_pairs(agreed, "spearman", titles),
        disputed=agreed.count("disputed"),
        total=fields.rate("rate").total,
        rate=f"{100 * seen.number('false_positive_rate'):g} %" if seen else "",
        held_out=seen.count("held_out") if seen else 0,
        groups=_groups(seen) if seen else (),
        scores=tuple(_score(r.text("score")) for r in seen.children("rulers")) if seen else (),
        sightings=_sightings(seen) if seen else (),
        disputes=disputes,
        pictures=pictures,
    )


def _row(entry: Fields, names: Sequence[str]) -> SpaceRow:
    space = entry.child("space")
    found = {c.text("name"): c for c in entry.children("criteria")}
    rates: list[tuple[Rate, Rate | None] | None] = []
    for name in names:
        rate = found[name].optional_rate("rate") if name in found else None
        rates.append(None if rate is None else (rate, found[name].optional_rate("control")))
    sha256 = space.values.get("weights_sha256")
    facts = [("metric", space.text("metric")), ("preprocessing", space.text("preprocessing"))]
    if space.values.get("dimension"):
        facts.append(("numbers per image", f"{space.count('dimension'):,}"))
    if space.values.get("candidates"):
        facts.append(("looks among", f"the {space.count('candidates'):,} nearest in pixels"))
    if isinstance(sha256, str):
        facts.append(("weights", f"SHA-256 {sha256[:12]}"))
    facts += [(key, space.text(key)) for key in ("source", "license") if space.text(key)]
    return SpaceRow(plain(space.text("name")), facts, tuple(rates))


def _pairs(agreed: Fields, key: str, titles: Sequence[str]) -> tuple[tuple[Pair, ...], ...]:
    size, around = len(titles), f"{key}_interval"
    rows = _square(agreed, key, size)
    intervals = _square(agreed, around, size) if around in agreed.values else None
    found = []
    for i, row in enumerate(rows):
        line = []
        for j, value in enumerate(row):
            if value is not None and not _is_share(value):
                raise agreed.wrong(key, "numbers from -1 to 1")
            interval = None if intervals is None or i == j else intervals[i][j]
            if interval is not None:
                fits = isinstance(interval, list) and len(interval) == 2
                if value is None or not fits or not all(_is_share(end) for end in interval):
                    raise agreed.wrong(around, "a low and a high from -1 to 1 for every number")
                interval = (interval[0], interval[1])
            title = f"{titles[i]} and {titles[j]}"
            line.append(Pair(title, value, interval, max(0.0, value or 0.0)))
        found.append(tuple(line))
    return tuple(found)


def _square(agreed: Fields, key: str, size: int) -> list[list[Any]]:
    rows = agreed.values.get(key)
    if isinstance(rows, list) and len(rows) == size:
        square: list[list[Any]] = [
            row for row in rows if isinstance(row, list) and len(row) == size
        ]
        if len(square) == size:
            return square
    raise agreed.wrong(key, "a square of one row per ruler")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and -1 <= value <= 1


def _groups(seen: Fields) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for ruler in seen.children("rulers"):
        counts[ruler.text("space")] = counts.get(ruler.text("space"), 0) + 1
    return tuple((plain(name), count) for name, count in counts.items())


def _score(name: str) -> str:
    return "distance" if name == "distance" else criterion_title(name).lower()


def _sightings(seen: Fields) -> tuple[Sighting, ...]:
    rulers = [
        f"{plain(r.text('space'))} ({_score(r.text('score'))})" for r in seen.children("rulers")
    ]
    grouped: dict[str, list[tuple[str, tuple[Rate, ...]]]] = {}
    for cell in seen.children("cells"):
        recall = cell.values.get("recall")
        if not isinstance(recall, list) or len(recall) != len(rulers):
            raise cell.wrong("recall", "one rate per ruler")
        entries = Fields(cell.path, {str(n): rate for n, rate in enumerate(recall)}, "recall")
        rates = tuple(entries.rate(str(n)) for n in range(len(rulers)))
        grouped.setdefault(cell.text("corruption"), []).append((strength_text(cell), rates))
    found = []
    for name, cells in grouped.items():
        title, adjective = KINDS.get(name, (plain(name), plain(name)))
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


def _disputes(
    path: Path, titles: Sequence[str]
) -> tuple[tuple[Dispute, ...], dict[str, Any] | None]:
    """Return the disputed images and one sheet of their pictures: generated, then nearest per space."""
    names = ("generated_index", "generated", "nearest_index", "nearest", "memorized")
    index, generated, near, nearest, memorized = (a[:SHOWN] for a in read_arrays(path, *names))
    count = len(index)
    fits = (
        generated.ndim == 4
        and generated.dtype == nearest.dtype == np.uint8
        and nearest.shape == (*near.shape, *generated.shape[1:])
        and len(generated) == len(near) == count
        and memorized.shape == (count, len(titles))
    )
    if not fits:
        raise Fields(path, {}).wrong("the pictures", "in agreement with audit.json")
    if not count:
        return (), None
    tiles = read_optional(path, "tiles")
    disputes = []
    for n in range(count):
        yes = [title for title, flag in zip(titles, memorized[n], strict=True) if flag]
        no = [title for title, flag in zip(titles, memorized[n], strict=True) if not flag]
        matched = () if tiles is None else tuple((tiles[0][n] < TILE_RMS).ravel().tolist())
        disputes.append(
            Dispute(int(index[n]), tuple(near[n].tolist()), join(yes), join(no), matched)
        )
    pictures = np.concatenate([generated[:, None], nearest], axis=1)
    longest = max(generated.shape[1:3])
    return tuple(disputes), sheet(shrink(pictures, max(1, -(-longest // PICTURE))))
