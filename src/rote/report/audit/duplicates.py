"""The groups of equal and nearly equal items that a page lists, with what is near each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rote.results.neighbors import Neighbors
from rote.results.tables import Member

MOST_MEMBERS = 6
MOST_GROUPS = 12


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


def largest_groups(
    groups: Mapping[str, Mapping[int, Sequence[Member]]], neighbors: Neighbors
) -> dict[str, list[Group]]:
    """Return the largest groups of each side."""
    columns = {"training": neighbors.group, "generated": neighbors.twin}
    found: dict[str, list[Group]] = {}
    for side, members in groups.items():
        found[side] = []
        for number, rows in list(members.items())[:MOST_GROUPS]:
            mask = columns[side] == number
            near, copies = int(mask.sum()), int((mask & neighbors.memorized).sum())
            shown, widest = tuple(rows[:MOST_MEMBERS]), max(row.rms for row in rows)
            found[side].append(Group(number, len(rows), shown, widest, near, copies))
    return found
