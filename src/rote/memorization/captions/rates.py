"""Rates by caption of the generated items, and what the training side says of each caption.

A caption of the generated side is one of training (*trained*), is none of it (*control*), or *empty*. Of
a trained one it is known how often training showed it, and which item is its own; a copy is a copy of its
own item if the nearest training item, or one of its group of near-duplicates, has that caption. Captions
are the same where only white space, capital letters or composed ones differ.

Samples of one caption are copies together or not at all, so rates over several captions take the caption
for the unit (`rote.stats.clustered`); that of one caption is over its samples (Wilson).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.stats.clustered import clustered_rate
from rote.stats.rates import Rate, wilson

Kind = Literal["trained", "control", "empty"]
KINDS: tuple[Kind, ...] = ("trained", "control", "empty")
MOST_TIMES = 8
"""Different numbers of times in training up to which each has a rate of its own."""
IN_FILE = 200
"""Captions that `audit.json` lists; all are in `captions.csv`."""
NONE = -1


@dataclass(frozen=True)
class PromptSet:
    """The generated items of some captions.

    Attributes
    ----------
    captions
        How many different ones.
    rate
        Of memorized items, with the caption for the unit where there are several.
    own
        Copies of an item that was trained with the caption.
    """

    captions: int
    rate: Rate
    own: int

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return {"captions": self.captions, "rate": self.rate.to_json(), "own": self.own}


@dataclass(frozen=True)
class OneCaption:
    """The generated items of one caption.

    Attributes
    ----------
    text
        As its first item has it; untrusted.
    rate
        Over its samples.
    own
        Copies of an item that was trained with it.
    times
        How often training showed it in a round: its items, each with its repeats.
    example
        The generated item of the lowest ratio.
    training
        The first training item with it; -1: none.
    """

    text: str
    rate: Rate
    own: int
    times: int
    example: int
    training: int

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return {**asdict(self), "rate": self.rate.to_json()}


@dataclass(frozen=True)
class CaptionRates:
    """What an audit says by caption.

    Attributes
    ----------
    training_captions
        Different captions of the training side; 0: it has none, and no caption can be told trained.
    without
        Generated items that have no caption; they are in no rate here.
    sets
        By kind, those that there are; without training captions none.
    by_times
        (from, to) times in training, both included, and the items of captions that were so often.
    captions
        The most copied first, then the most frequent in training.
    """

    training_captions: int
    without: int
    sets: dict[Kind, PromptSet]
    by_times: tuple[tuple[int, int, PromptSet], ...]
    captions: tuple[OneCaption, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `audit.json`."""
        return {
            "training_captions": self.training_captions,
            "without": self.without,
            "distinct": len(self.captions),
            "sets": {kind: found.to_json() for kind, found in self.sets.items()},
            "by_times": [
                {"low": low, "high": high, **found.to_json()} for low, high, found in self.by_times
            ],
            "captions": [one.to_json() for one in self.captions[:IN_FILE]],
        }


def same_caption(text: str) -> str:
    r"""Return what two captions share that are the same to a person.

    >>> same_caption(" A  cafe\u0301\n") == same_caption("a café")
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


def caption_rates(
    generated: Dataset,
    training: Dataset,
    *,
    memorized: npt.NDArray[np.bool_],
    ratio: npt.NDArray[np.float64],
    nearest: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    confidence: float,
) -> CaptionRates | None:
    """Return the rates by caption; None where no generated item has one.

    Parameters
    ----------
    generated, training
        Both sides, with their captions.
    memorized, ratio, nearest
        (N,): verdict, distance ratio and nearest training item of each generated item.
    group
        (M,): of near-duplicates, of each training item.
    confidence
        Of all intervals.
    """
    if not generated.captions or all(text is None for text in generated.captions):
        return None
    numbers: dict[str, int] = {}
    own, trained = _numbered(generated, numbers), _numbered(training, numbers)
    repeats = np.ones(len(training), np.int64) if training.repeats is None else training.repeats
    times = np.zeros(len(numbers), np.int64)
    np.add.at(times, trained[trained != NONE], repeats[trained != NONE])
    # A caption and a group, as one number.
    held = np.where(trained == NONE, NONE, group * len(numbers) + trained)
    copied = np.where(own == NONE, NONE - 1, group[nearest] * len(numbers) + own)
    of_own = memorized & np.isin(copied, held)

    def of(rows: npt.NDArray[np.bool_]) -> PromptSet:
        captions = len(np.unique(own[rows]))
        rate = _rate(memorized[rows], own[rows], confidence)
        return PromptSet(captions, rate, int(of_own[rows].sum()))

    empty = numbers.get("", NONE - 1)
    kinds = np.where(times[own] > 0, KINDS.index("trained"), KINDS.index("control"))
    kinds[own == empty] = KINDS.index("empty")
    kinds[own == NONE] = len(KINDS)
    known = bool((trained != NONE).any())
    sets = {kind: of(kinds == place) for place, kind in enumerate(KINDS) if (kinds == place).any()}
    seen = np.where(kinds == KINDS.index("trained"), times[own], 0)
    first = np.full(len(numbers), NONE)
    places = np.flatnonzero(trained != NONE)[::-1]
    first[trained[places]] = places
    return CaptionRates(
        training_captions=len(np.unique(trained[trained != NONE])),
        without=int((own == NONE).sum()),
        sets=sets if known else {},
        by_times=tuple(
            (low, high, of((seen >= low) & (seen <= high))) for low, high in _bands(seen[seen > 0])
        ),
        captions=_each(generated, own, memorized, of_own, ratio, times, first, confidence),
    )


def _numbered(side: Dataset, numbers: dict[str, int]) -> npt.NDArray[np.int64]:
    """Return the number of each item's caption, and add new ones."""
    found = [
        NONE if text is None else numbers.setdefault(same_caption(text), len(numbers))
        for text in side.captions or (None,) * len(side)
    ]
    return np.array(found, np.int64)


def _rate(
    memorized: npt.NDArray[np.bool_], caption: npt.NDArray[np.int64], confidence: float
) -> Rate:
    count, total = int(memorized.sum()), len(memorized)
    if len(np.unique(caption)) < 2:
        return wilson(count, total, confidence=confidence)
    found = clustered_rate(memorized, caption, confidence=confidence)
    return Rate(found.value, found.low, found.high, count, total, confidence)


def _bands(times: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return each number of times, or where they are many, from each power of two to the next."""
    distinct = np.unique(times).tolist()
    if len(distinct) <= MOST_TIMES:
        return [(number, number) for number in distinct]
    powers = sorted({1 << (number.bit_length() - 1) for number in distinct})
    return [(power, 2 * power - 1) for power in powers]


def _each(
    generated: Dataset,
    own: npt.NDArray[np.int64],
    memorized: npt.NDArray[np.bool_],
    of_own: npt.NDArray[np.bool_],
    ratio: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    confidence: float,
) -> tuple[OneCaption, ...]:
    """Return every caption of the generated side."""
    order = np.lexsort((ratio, own))
    order = order[own[order] != NONE]
    starts = np.flatnonzero(np.diff(own[order], prepend=NONE))
    found = []
    for rows in np.split(order, starts[1:]):
        number, text = int(own[rows[0]]), generated.captions[int(rows.min())]
        assert text is not None
        found.append(
            OneCaption(
                text=text,
                rate=wilson(int(memorized[rows].sum()), len(rows), confidence=confidence),
                own=int(of_own[rows].sum()),
                times=int(times[number]),
                example=int(rows[0]),
                training=int(first[number]),
            )
        )
    found.sort(key=lambda one: (-one.rate.value, -one.rate.count, -one.times, one.text))
    return tuple(found)


CSV_COLUMNS = (
    *("caption", "samples", "copies", "rate", "low", "high"),
    *("own_copies", "times_in_training", "training_index", "lowest_ratio_index"),
)


def csv_rows(found: CaptionRates) -> Iterator[Sequence[Any]]:
    """Yield the rows of `captions.csv`, the names of its columns first."""
    yield CSV_COLUMNS
    yield from (
        [
            *(one.text, one.rate.total, one.rate.count),
            *(f"{value:.6g}" for value in (one.rate.value, one.rate.low, one.rate.high)),
            *(one.own, one.times, "" if one.training == NONE else one.training, one.example),
        ]
        for one in found.captions
    )
