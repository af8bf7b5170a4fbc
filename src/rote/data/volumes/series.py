"""DICOM series: which pictures are the slices of one volume, in which order, turned which way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.options import ReadOptions
from rote.data.volumes.dicom import Picture, stacked
from rote.data.volumes.volume import Spacing, Values, Volumes, turn_of, turned, turned_sizes

UNEVEN = 0.05
"""Share of a step by which slices of one volume may lie apart unevenly."""
_DIGITS = 2
"""Of millimeters, within which two slices are at one position."""


def plan_dicom(
    pictures: Sequence[Picture], options: ReadOptions
) -> Iterator[Volumes | tuple[Picture, str]]:
    """Yield what the pictures of a source are together, or a picture with why it cannot be read.

    A series without positions, or of one slice, stays as it lies; several slices at each position are
    several volumes, as of several times.
    """
    by_series: dict[tuple[Any, ...], list[Picture]] = {}
    for picture in pictures:
        by_series.setdefault(picture.series, []).append(picture)
    for found in sorted(by_series.values(), key=lambda group: group[0].position):
        facts = ["inverted"] if found[0].inverted else []
        placed = _placed(found)
        if placed is None:
            if len(found) > 1:
                facts.append("without-positions")
            stacks = [sorted(found, key=lambda one: one.order)]
        else:
            sizes = {len(stack) for stack in placed}
            if len(sizes) > 1:
                yield (
                    found[0],
                    f"its series has {min(sizes)} slices at some positions and {max(sizes)} at others; "
                    "take one of them out",
                )
                continue
            times = sizes.pop()
            stacks = [[stack[time] for stack in placed] for time in range(times)]
        yield _volumes(stacks, found, tuple(facts), options, turns=placed is not None)


def _placed(pictures: Sequence[Picture]) -> list[list[Picture]] | None:
    """Return the slices of a series by position, several of each if there are; None without positions."""
    if len(pictures) < 2 or any(one.place is None or one.directions is None for one in pictures):
        return None
    normal = _normal(pictures[0])
    if normal is None:
        return None

    def depth(one: Picture) -> float:
        return round(float(normal @ np.array(one.place)), _DIGITS)

    ordered = sorted(pictures, key=lambda one: (depth(one), one.order))
    stacks = [list(group) for _, group in groupby(ordered, key=depth)]
    return stacks if len(stacks) > 1 else None


def _normal(picture: Picture) -> npt.NDArray[np.float64] | None:
    row, column = np.array(picture.directions).reshape(2, 3)
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.5 else None


def _volumes(
    stacks: list[list[Picture]],
    pictures: Sequence[Picture],
    facts: tuple[str, ...],
    options: ReadOptions,
    *,
    turns: bool,
) -> Volumes:
    """Return the volumes of one series: its stacks of slices, turned where their places tell how."""
    first = stacks[0][0]
    rows, columns, channels = first.form
    across, along, thick = first.step
    turn = np.array([[0, 1], [1, 1], [2, 1]], float)
    apart = thick
    if turns:
        normal = _normal(first)
        assert normal is not None
        depths = np.array([normal @ np.array(one.place) for one in stacks[0]])
        gaps = np.diff(depths)
        apart = float(np.median(gaps))
        if (np.abs(gaps - apart) > UNEVEN * apart).any():
            facts = (*facts, "uneven")
        row, column = np.array(first.directions).reshape(2, 3)
        affine = np.eye(4)
        affine[:3, :3] = np.stack([normal, column, row], axis=1)
        affine[:2] *= -1  # nibabel's axes point to the right and to the front
        turn = turn_of(affine)
    steps = (apart, across, along)
    spacing: Spacing | None = None
    if None not in steps and all(step and step > 0 for step in steps):
        spacing = turned_sizes(steps, turn)
    taken = stacks if options.frames == "all" else stacks[:1]
    name = min(one.entry.name for one in pictures)
    names = (name,) if len(taken) == 1 else tuple(f"{name}#{n + 1}" for n in range(len(taken)))

    def read() -> Iterator[Values]:
        for stack in taken:
            yield turned(stacked(stack), turn)

    return Volumes(
        names=names,
        files=tuple(sorted({one.position for one in pictures})),
        shape=(*turned_sizes((len(stacks[0]), rows, columns), turn), channels),
        spacing=spacing,
        read=read,
        patient=first.patient,
        facts=facts,
        unread=len(stacks) - len(taken),
    )
