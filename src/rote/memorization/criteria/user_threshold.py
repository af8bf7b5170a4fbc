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

from rote.core.errors import ConfigError
from rote.memorization.criteria.absolute import UNITS, AbsoluteCriterion, Scale, scale_of
from rote.memorization.criteria.catalog import CRITERIA
from rote.memorization.criteria.criterion import OwnThreshold
from rote.spaces.space import Space

ABSOLUTE = AbsoluteCriterion.name

LARGEST: dict[Scale, float] = {"rms": 255.0, "cosine": 2.0, "distance": math.inf}


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
        names.append(name if equals or name == ABSOLUTE else text)
        if name != ABSOLUTE and equals:
            option = CRITERIA[name].threshold_option if name in CRITERIA else ""
            where = f"; give `{option}`" if option else ""
            raise ConfigError(
                f"`criterion` {text}: of the criteria absolute alone takes a threshold{where}"
            )
        if name == ABSOLUTE and (equals or colon):
            if colon and not (equals and space):
                raise ConfigError(
                    f"`criterion` {text}: a threshold is given as absolute=NUMBER, or as "
                    "absolute:SPACE=NUMBER"
                )
            own.append(OwnThreshold(text, space or None, _number(text, number)))
    spaces = [one.space for one in own]
    for one in own:
        if spaces.count(one.space) > 1:
            raise ConfigError(
                f"`criterion` {one.text}: there are two thresholds for one space; give one"
            )
    return tuple(names), tuple(own)


def _number(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"`criterion` {text}: '{number}' is no number above 0")
    return value


def check_own(own: Sequence[OwnThreshold], spaces: Sequence[Space]) -> None:
    """Refuse thresholds for spaces that are not there, and numbers beyond what a space can tell."""
    names = [space.name for space in spaces]
    for one in own:
        if one.space is None and len(spaces) > 1:
            raise ConfigError(
                f"`criterion` {one.text}: a threshold belongs to one space, and there are "
                f"{len(spaces)}; say which, such as absolute:{names[0]}={one.threshold:g}"
            )
        if one.space is not None and one.space not in names:
            raise ConfigError(
                f"`criterion` {one.text}: there is no `space` {one.space} here, only {', '.join(names)}"
            )
        space = spaces[0 if one.space is None else names.index(one.space)]
        scale = scale_of(space)
        if one.threshold > LARGEST[scale]:
            raise ConfigError(
                f"`criterion` {one.text}: the threshold in `space` {space.name} is {UNITS[scale]}"
            )
        if one.space is None and any(other.space == space.name for other in own):
            raise ConfigError(
                f"`criterion` {one.text}: there are two thresholds for `space` {space.name}; give one"
            )
