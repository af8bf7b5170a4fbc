"""The groups of equal and nearly equal items that a page lists, with what is near each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rote.results.neighbors import Neighbors
from rote.results.tables import Members

MOST_MEMBERS = 6
MOST_GROUPS = 12


@dataclass(frozen=True)
class Member:
    """An item in a group, or a held-out one that lies in the training set near the item ``nearest``.

    ``rms`` is its difference to the first of the group, or to that training item.
    """

    index: int
    name: str
    rms: float
    nearest: int
    nearest_name: str


@dataclass(frozen=True)
class Group:
    """One group: its number, its size and its first members.

    ``widest`` is the largest RMS distance of a member to the first; ``near`` counts the generated items
    near or in it, ``copies`` those of them that are memorized.
    """

    number: int
    size: int
    members: tuple[Member, ...]
    widest: float
    near: int
    copies: int


def largest_groups(members: Members | None, neighbors: Neighbors) -> dict[str, list[Group]]:
    """Return the largest groups of each side, ties to the lower number."""
    columns = {"training": neighbors.group, "generated": neighbors.twin}
    found: dict[str, list[Group]] = {side: [] for side in columns}
    for side, nearest in columns.items() if members is not None else ():
        assert members is not None
        rows = members.of(side)
        numbers, sizes = np.unique(members.group[rows], return_counts=True)
        for place in np.argsort(-sizes, kind="stable")[:MOST_GROUPS].tolist():
            number, size = int(numbers[place]), int(sizes[place])
            own = rows[members.group[rows] == number]
            mask = nearest == number
            near, copies = int(mask.sum()), int((mask & neighbors.memorized).sum())
            shown = tuple(told(members, own[:MOST_MEMBERS]))
            widest = float(members.rms[own].max())
            found[side].append(Group(number, size, shown, widest, near, copies))
    return found


def group_sizes(members: Members | None) -> dict[int, int]:
    """Return the items of every training group of two and more, by its number."""
    if members is None:
        return {}
    numbers, sizes = np.unique(members.group[members.of("training")], return_counts=True)
    return dict(zip(numbers.tolist(), sizes.tolist(), strict=True))


def told(members: Members, rows: NDArray[np.int64]) -> list[Member]:
    """Return some items one by one."""
    return [
        Member(
            index=int(members.index[row]),
            name=members.names[row],
            rms=float(members.rms[row]),
            nearest=int(members.nearest_index[row]),
            nearest_name=members.nearest[row],
        )
        for row in rows.tolist()
    ]
