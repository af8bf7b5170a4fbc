"""An audit in a few lines of text, and its pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rote.memorization.audit.checks import kind_words
from rote.memorization.audit.result import Findings
from rote.stats.rates import Rate, in_percent

if TYPE_CHECKING:
    import pandas as pd

DECIDED = {"below": "passed", "above": "failed", "undecided": "undecided"}
SEEN = 0.5
"""A kind of copy is said to be missed where less than this share of such copies is found."""


class Pair(NamedTuple):
    """A copy and what it is a copy of: positions, names, and how near they are.

    ``ratio`` is the distance to the training item over that to the second nearest; ``distance`` the root
    of the summed squares.
    """

    generated: int
    training: int
    generated_name: str
    training_name: str
    ratio: float
    distance: float


def copied_pairs(found: Findings) -> tuple[Pair, ...]:
    """Return every memorized item with its nearest training item, lowest ratio first."""
    order = found.by_ratio
    return tuple(
        Pair(
            row,
            near := int(found.nn1_index[row]),
            found.generated.names[row],
            found.training.names[near],
            float(found.ratio[row]),
            math.sqrt(found.nn1_sq[row]),
        )
        for row in order[found.memorized[order]].tolist()
    )


def frame_of(found: Findings) -> pd.DataFrame:
    """Return a row for every generated item, in their order; needs pandas."""
    import pandas as pd

    names, nearest = found.training.names, found.nn1_index
    frame = pd.DataFrame(
        {
            "name": list(found.generated.names),
            "memorized": found.memorized,
            "ratio": found.ratio,
            "training": nearest,
            "training_name": [names[place] for place in nearest.tolist()],
            "distance": np.sqrt(np.asarray(found.nn1_sq, np.float64)),
            "second_distance": np.sqrt(np.asarray(found.nn2_sq, np.float64)),
        }
    )
    if found.generated.captions:
        frame["caption"] = list(found.generated.captions)
    if trained := found.training.captions:
        frame["training_caption"] = [trained[place] for place in nearest.tolist()]
    return frame


def percent(rate: Rate) -> str:
    """Return a rate with its interval as a person reads it, to two digits of what is there or is not.

    >>> from rote.stats.rates import wilson
    >>> percent(wilson(5, 25)), percent(wilson(2999, 3000))
    ('20 % [8.9 %, 39 %]', '99.967 % [99.81 %, 99.9941 %]')
    """
    return f"{in_percent(rate.value)} [{in_percent(rate.low)}, {in_percent(rate.high)}]"


def headline(found: Findings) -> str:
    """Return the verdict in one sentence."""
    rate, items = found.rate, kind_words(found.training)
    return (
        f"{rate.count:,} of {rate.total:,} generated {items} are copies of training {items}: "
        f"{percent(rate)}"
    )


def sentences(found: Findings) -> list[str]:
    """Return the verdict, the gate, what makes it doubtful, the control, and what would be missed."""
    items = kind_words(found.training)
    lines = [headline(found)]
    if found.reproduced is not None:
        rate = found.reproduced.reproduced["ratio"]
        lines.append(f"groups reproduced: {rate.count:,} of {rate.total:,}, {percent(rate)}")
    if found.gate is not None:
        lines.append(f"gate {DECIDED[found.gate.decision]}: {found.gate.sentence}")
    lines += [f"doubtful: {notice.text}" for notice in found.notices if notice.doubtful]
    if found.control is None:
        lines.append(f"no control: give `holdout`, {items} that were not trained on")
    else:
        lines.append(
            f"control: {found.control.count:,} of {found.control.total:,} {items} that were not trained "
            f"on look like copies, {percent(found.control)}"
        )
    if told := _by_prompt(found):
        lines.append(f"by caption: {', '.join(told)}")
    if missed := blind_spots(found):
        lines.append(f"changed copies that this would miss: {', '.join(missed)}")
    return lines


def _by_prompt(found: Findings) -> list[str]:
    """Return the rate of each set of prompts, and how many of the copies are of their own item."""
    if found.captions is None:
        return []
    words = {"trained": "in training", "control": "not in training", "empty": "empty"}
    return [
        f"{words[kind]} {percent(part.rate)}"
        + (
            f" ({part.own:,} of {part.rate.count:,} copies of their own)"
            if kind == "trained"
            else ""
        )
        for kind, part in found.captions.sets.items()
    ]


def blind_spots(found: Findings) -> list[str]:
    """Return each kind of change after which fewer than half of the copies made on purpose are found.

    With it the mildest strength where that is so, where a kind has several.
    """
    strengths: dict[str, list[float]] = {}
    missed: dict[str, float] = {}
    for cell in found.positive:  # mild to strong
        name, strength = cell.kind.name, cell.kind.strength
        strengths.setdefault(name, []).append(strength)
        if next(iter(cell.recall.values())).value < SEEN:
            missed.setdefault(name, strength)
    return [
        f"{name} from {strength:g}" if len(strengths[name]) > 1 else name
        for name, strength in missed.items()
    ]
