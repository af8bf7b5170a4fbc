"""Reads `duplicates.csv`: the groups of equal and nearly equal images of both sides."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import RunError

SIDES = ("training", "generated")
MOST_MEMBERS = 6


@dataclass(frozen=True)
class Group:
    """One group: its size and its first members, as (index, name)."""

    size: int
    members: tuple[tuple[int, str], ...]
    widest: float  # largest RMS distance of a member to the first


def read_groups(path: Path, *, most: int = 12) -> dict[str, list[Group]]:
    """Return the ``most`` largest groups of each side; none where there is no such file.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    if not path.exists():
        return {side: [] for side in SIDES}
    members: dict[tuple[str, int], list[tuple[int, str, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            for side, group, index, name, rms in _rows(handle):
                members.setdefault((side, group), []).append((index, name, rms))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and audit again") from None
    found: dict[str, list[Group]] = {side: [] for side in SIDES}
    for (side, _), rows in sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        if side in found and len(found[side]) < most:
            shown = tuple((index, name) for index, name, _ in rows[:MOST_MEMBERS])
            found[side].append(Group(len(rows), shown, max(rms for *_, rms in rows)))
    return found


def _rows(handle: Iterator[str]) -> Iterator[tuple[str, int, int, str, float]]:
    for row in csv.DictReader(handle):
        rms = float(row["rms_to_first"])
        if not rms >= 0:
            raise ValueError(f"rms_to_first is {rms}")
        yield row["side"], int(row["group"]), int(row["index"]), row["name"], rms
