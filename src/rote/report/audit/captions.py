"""What the page of an audit says by caption."""

from __future__ import annotations

from dataclasses import dataclass

from rote.report.words import caption
from rote.results.supplement import SHOWN, Captions, PromptSet
from rote.results.tables import Pairs
from rote.stats.rates import Rate

NAMES = {
    "trained": "In training",
    "control": "Not in training",
    "empty": "Empty",
}


@dataclass(frozen=True)
class Line:
    """Some captions in one row: what they are, how many, their rate, copies of their own image."""

    name: str
    captions: int
    rate: Rate
    own: int


@dataclass(frozen=True)
class OneLine:
    """One caption with the positions of what is pictured; ``own_index`` is -1 without such an item."""

    text: str
    rate: Rate
    own: int
    times: int
    example: int
    nearest: int
    nearest_text: str
    own_index: int


@dataclass(frozen=True)
class CaptionTables:
    """Each empty where it is not known."""

    sets: tuple[Line, ...]
    by_times: tuple[Line, ...]
    captions: tuple[OneLine, ...]
    distinct: int
    without: int
    trained: bool


def captions_of(
    found: Captions | None, nearest: list[int], pairs: Pairs | None
) -> CaptionTables | None:
    """Return the section by caption; None where no generated item has one.

    ``nearest`` has the nearest training item of each generated one.
    """
    if found is None:
        return None

    def text(index: int) -> str:
        told = pairs.nearest_captions[index] if pairs and pairs.nearest_captions else ""
        return caption(told)

    return CaptionTables(
        sets=tuple(_line(NAMES[kind], part) for kind, part in found.sets.items()),
        by_times=tuple(
            _line(f"{row.low:,}" if row.low == row.high else f"{row.low:,} to {row.high:,}", row)
            for row in found.by_times
        ),
        captions=tuple(
            OneLine(
                *(caption(one.text) or "(empty)", one.rate, one.own, one.times, one.example),
                *(nearest[one.example], text(one.example), one.training),
            )
            for one in [each for each in found.captions if each.rate.count][:SHOWN]
        ),
        distinct=found.distinct,
        without=found.without,
        trained=found.training_captions > 0,
    )


def _line(name: str, found: PromptSet) -> Line:
    return Line(name, found.captions, found.rate, found.own)
