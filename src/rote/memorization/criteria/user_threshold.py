"""Absolute thresholds of one's own: ``criteria="absolute[:SPACE]=NUMBER"``.

A published threshold holds for one network and one preprocessing. For any other space the number comes
from whoever measures there; it is written into the result as theirs, with the preprocessing of the space.
The number has the unit of the space:

    pixel            RMS difference to the nearest, in 8-bit levels, up to 255
    metric cosine    1 - cos, up to 2
    all others       the distance of the space: L2 between rows, or what a space of pairs tells
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rote.core.errors import ConfigError
from rote.memorization.criteria.absolute import AbsoluteCriterion, Unit
from rote.spaces.space import PIXEL, Space

GIVEN = "given by the user"
LARGEST: dict[Unit, float] = {"rms": 255.0, "cosine": 2.0, "distance": math.inf}
WORDS: dict[Unit, str] = {
    "rms": "an RMS difference in 8-bit levels, up to 255",
    "cosine": "a cosine distance, 1 - cos, up to 2",
    "distance": "a distance of the space",
}
WHERE_ELSE = {"ratio": "`ratio_threshold`", "calibrated": "`false_positive_rate`"}


@dataclass(frozen=True)
class OwnThreshold:
    """A threshold as it was given.

    Attributes
    ----------
    text
        As it was written.
    space
        The space it is for; None: the only one.
    """

    text: str
    space: str | None
    threshold: float


def read_criteria(
    texts: Sequence[str] | None,
) -> tuple[tuple[str, ...] | None, tuple[OwnThreshold, ...]]:
    """Take the thresholds from the names of criteria, which may be unknown; None stays None.

    Raises
    ------
    ConfigError
        If a threshold is no number above 0, is given to another criterion, or twice for one space.

    >>> names, own = read_criteria(["carlini", "absolute:imgsim:64=0.35"])
    >>> names, own[0].space, own[0].threshold
    (('carlini', 'absolute'), 'imgsim:64', 0.35)
    """
    if texts is None:
        return None, ()
    names: list[str] = []
    own: list[OwnThreshold] = []
    for text in texts:
        front, equals, number = text.rpartition("=")
        name, colon, space = (front if equals else text).partition(":")
        names.append(name if equals or name == "absolute" else text)
        if name != "absolute" and equals:
            where = f"; give {WHERE_ELSE[name]}" if name in WHERE_ELSE else ""
            raise ConfigError(
                f"`criteria` {text}: of the criteria absolute alone takes a threshold{where}"
            )
        if name == "absolute" and (equals or colon):
            if colon and not (equals and space):
                raise ConfigError(
                    f"`criteria` {text}: a threshold is given as absolute=NUMBER, or as "
                    "absolute:SPACE=NUMBER"
                )
            own.append(OwnThreshold(text, space or None, _number(text, number)))
    spaces = [one.space for one in own]
    for one in own:
        if spaces.count(one.space) > 1:
            raise ConfigError(
                f"`criteria` {one.text}: there are two thresholds for one space; give one"
            )
    return tuple(names), tuple(own)


def _number(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"`criteria` {text}: '{number}' is no number above 0")
    return value


def check_own(own: Sequence[OwnThreshold], spaces: Sequence[Space]) -> None:
    """Refuse thresholds for spaces that are not there, and numbers beyond what a space can tell."""
    names = [space.name for space in spaces]
    for one in own:
        if one.space is None and len(spaces) > 1:
            raise ConfigError(
                f"`criteria` {one.text}: a threshold belongs to one space, and there are "
                f"{len(spaces)}; say which, such as absolute:{names[0]}={one.threshold:g}"
            )
        if one.space is not None and one.space not in names:
            raise ConfigError(
                f"`criteria` {one.text}: there is no `spaces` {one.space} here, only {', '.join(names)}"
            )
        space = spaces[0 if one.space is None else names.index(one.space)]
        unit = unit_of(space)
        if one.threshold > LARGEST[unit]:
            raise ConfigError(
                f"`criteria` {one.text}: the threshold in `spaces` {space.name} is {WORDS[unit]}"
            )
        if one.space is None and any(other.space == space.name for other in own):
            raise ConfigError(
                f"`criteria` {one.text}: there are two thresholds for `spaces` {space.name}; give one"
            )


def own_in(own: Sequence[OwnThreshold], space: Space) -> AbsoluteCriterion | None:
    """Return the rule that was given for a space, or None; they have been checked."""
    for one in own:
        if one.space in (None, space.name):
            return AbsoluteCriterion(
                threshold=one.threshold,
                unit=unit_of(space),
                preprocessing=space.preprocessing,
                source=GIVEN,
            )
    return None


def unit_of(space: Space) -> Unit:
    """Return the unit of an absolute threshold in a space.

    >>> unit_of(PIXEL)
    'rms'
    """
    if space.metric == "cosine":
        return "cosine"
    return "rms" if space is PIXEL else "distance"
