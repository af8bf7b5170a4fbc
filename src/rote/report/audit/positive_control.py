"""The positive control for a page: what copies this audit would have found, made by rote itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rote.report.audit.criteria import criterion_title
from rote.report.words import join, plain
from rote.results.criterion import Cell, Criterion, PositiveControl
from rote.results.spaces import DetectorCell
from rote.stats.rates import Rate

# (name of the row, copies made so) in files from before these were told there
OLD_KINDS = {
    "noise": ("Noise", "noisy"),
    "blur": ("Blur", "blurred"),
    "jpeg": ("JPEG", "recompressed"),
    "shift": ("Shift", "shifted"),
    "flip": ("Mirror", "mirrored"),
    "tone": ("Brightness and contrast", "brightness-changed"),
    "resize": ("Down and up sampling", "resampled"),
}
FINDS, SEEN = 0.9, 0.5
"""Shares of the copies made so: found, and seen at all; below that they are said to be missed."""
Row = tuple[str, Rate, Rate | None, tuple[Rate | None, ...]]


@dataclass(frozen=True)
class Corruption:
    """All strengths of one corruption, the mildest first: strength, nearest is right, predicted, recall.

    ``recall`` is in the order of the criteria.
    """

    title: str
    adjective: str
    cells: tuple[Row, ...]


@dataclass(frozen=True)
class Blind:
    """Copies of which a criterion finds less than half, with their counts.

    ``start`` is the mildest strength where that is so; empty where it is so at every one.
    """

    adjective: str
    start: str
    found: int
    made: int

    def told(self, noun: str = "") -> str:
        """Say what copies these are, with a noun where the sentence has none."""
        named = f"{self.adjective} {noun}".strip()
        return f"{named} (from {self.start})" if self.start else named

    def __str__(self) -> str:
        return self.told()


@dataclass(frozen=True)
class Sight:
    """What one criterion finds, finds in part and mostly misses, each as a list for people."""

    title: str
    finds: str
    partly: str
    misses: str


@dataclass(frozen=True)
class Recall:
    """The positive control of an audit."""

    copies: int
    predicted: bool  # whether the tolerance predicts the recall of the ratio
    criteria: tuple[str, ...]
    corruptions: tuple[Corruption, ...]
    blind: tuple[Blind, ...]  # what the first criterion mostly misses
    seen: tuple[
        tuple[str, list[str], Rate], ...
    ]  # of that, by another: its title, the kinds, its rate
    sentence: str
    sights: tuple[Sight, ...]


def recall_of(found: PositiveControl | None, criteria: Sequence[Criterion]) -> Recall | None:
    """Return the positive control for a page, or None where there was none."""
    if found is None or not found.cells:
        return None
    shown = [c for c in criteria if any(cell.recall.get(c.name) for cell in found.cells)]
    grouped: dict[tuple[str, str], list[Row]] = {}
    for cell in found.cells:
        recall = tuple(cell.recall.get(c.name) for c in shown)
        row = (strength_text(cell.strength, cell.unit), cell.found, cell.predicted, recall)
        grouped.setdefault(kind_of(cell), []).append(row)
    corruptions = tuple(
        Corruption(title, adjective, tuple(cells)) for (title, adjective), cells in grouped.items()
    )
    titles = tuple(criterion_title(c) for c in shown)
    return Recall(
        copies=found.copies,
        predicted=any(cell.predicted for cell in found.cells),
        criteria=titles,
        corruptions=corruptions,
        blind=_blind(corruptions, 0) if shown else (),
        seen=_seen_by_others(corruptions, shown) if shown else (),
        sentence=_sentence(corruptions, titles[0]) if shown else "",
        sights=tuple(_sight(title, n, corruptions) for n, title in enumerate(titles)),
    )


def kind_of(cell: Cell | DetectorCell) -> tuple[str, str]:
    """Return what a corruption and the copies made so are called."""
    if cell.title:
        return plain(cell.title), plain(cell.adjective)
    return OLD_KINDS.get(cell.corruption, (plain(cell.corruption), plain(cell.corruption)))


def strength_text(value: float, unit: str) -> str:
    """Return the strength of a corruption with its unit, for people."""
    if unit == "share":
        return f"{100 * value:g} %"
    if unit == "times":
        return "once" if value == 1 else f"{value:g} times"
    if unit in ("quality", "factor"):
        return f"{unit} {value:g}"
    return f"{value:g} {plain(unit)}".removesuffix("s" if value == 1 else "")


def _rates(corruption: Corruption, criterion: int) -> list[tuple[str, Rate]]:
    pairs = ((strength, recall[criterion]) for strength, _, _, recall in corruption.cells)
    return [(strength, rate) for strength, rate in pairs if rate is not None]


def _sight(title: str, criterion: int, corruptions: Sequence[Corruption]) -> Sight:
    """Sort the corruptions into found, found in part, and mostly missed."""
    finds, partly = [], []
    for corruption in corruptions:
        rates = _rates(corruption, criterion)
        found = [strength for strength, rate in rates if rate.value >= FINDS]
        if not rates:
            continue
        if len(found) == len(rates):
            finds.append(corruption.adjective)
        elif found:
            finds.append(f"{corruption.adjective} (to {found[-1]})")
        some = [strength for strength, rate in rates if SEEN <= rate.value < FINDS]
        if some:
            partly.append(f"{corruption.adjective} ({join(some)})")
    misses = [str(blind) for blind in _blind(corruptions, criterion)]
    return Sight(title, *(join(part) or "none" for part in (finds, partly, misses)))


def _sentence(corruptions: Sequence[Corruption], title: str) -> str:
    """Say what a low rate says little about, with the counts that show it."""
    blind = _blind(corruptions, 0)
    if not blind:
        return f"Of every kind of copy tried here, the {title.lower()} finds half and more, however made."
    counts = join([f"{one.found:,} of {one.made:,} {one.told('copies')}" for one in blind])
    return (
        f"The rate says little about copies like these: of those made so on purpose, the "
        f"{title.lower()} finds {counts}."
    )


def _seen_by_others(
    corruptions: Sequence[Corruption], criteria: Sequence[Criterion]
) -> tuple[tuple[str, list[str], Rate], ...]:
    """Return the kinds that the first criterion mostly misses and another finds half of and more."""
    missed = [blind.adjective for blind in _blind(corruptions, 0)]
    found = []
    for number, criterion in enumerate(criteria[1:], 1):
        blind = {one.adjective for one in _blind(corruptions, number)}
        kinds = [adjective for adjective in missed if adjective not in blind]
        if kinds and criterion.rate is not None:
            found.append((criterion_title(criterion).lower(), kinds, criterion.rate))
    return tuple(found)


def _blind(corruptions: Sequence[Corruption], criterion: int) -> tuple[Blind, ...]:
    """Return the kinds and strengths of which a criterion finds less than half."""
    blind = []
    for corruption in corruptions:
        rates = _rates(corruption, criterion)
        missed = [(strength, rate) for strength, rate in rates if rate.value < SEEN]
        if missed:
            start = "" if len(missed) == len(rates) else missed[0][0]
            found, made = sum(r.count for _, r in missed), sum(r.total for _, r in missed)
            blind.append(Blind(corruption.adjective, start, found, made))
    return tuple(blind)
