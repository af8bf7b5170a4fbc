"""Reads `duplicates.csv`: groups of equal and nearly equal images, and what leaked into the control."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import RunError
from rote.report.audit.matches import short

SIDES = ("training", "generated")
MOST_MEMBERS = 6
MOST_GROUPS = 12
MOST_LEAKS = 24


@dataclass(frozen=True)
class Group:
    """One group: its number, its size and its first members, as (index, name)."""

    number: int
    size: int
    members: tuple[tuple[int, str], ...]
    widest: float  # largest RMS distance of a member to the first


@dataclass(frozen=True)
class Leak:
    """A held-out image that lies in the training set."""

    index: int
    name: str
    nearest: int
    nearest_name: str
    rms: float


@dataclass(frozen=True)
class Duplicates:
    """The file: the largest groups of each side, all sizes by number, and leaks."""

    largest: dict[str, list[Group]]
    sizes: dict[str, dict[int, int]]
    leaks: tuple[Leak, ...]  # the first of them


@dataclass(frozen=True)
class _Row:
    side: str
    group: int
    index: int
    name: str
    rms: float
    nearest: int
    nearest_name: str


def read_duplicates(path: Path) -> Duplicates:
    """Return what the file holds; nothing where there is no such file.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    members: dict[tuple[str, int], list[_Row]] = {}
    leaks = []
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            for row in _rows(handle):
                if row.side == "holdout":
                    leaks.append(row)
                else:
                    members.setdefault((row.side, row.group), []).append(row)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and audit again") from None
    largest: dict[str, list[Group]] = {side: [] for side in SIDES}
    sizes: dict[str, dict[int, int]] = {side: {} for side in SIDES}
    for (side, number), rows in sorted(members.items(), key=lambda p: (-len(p[1]), p[0])):
        if side not in largest:
            continue
        sizes[side][number] = len(rows)
        if len(largest[side]) < MOST_GROUPS:
            shown = tuple((row.index, row.name) for row in rows[:MOST_MEMBERS])
            largest[side].append(Group(number, len(rows), shown, max(row.rms for row in rows)))
    first = (Leak(r.index, r.name, r.nearest, r.nearest_name, r.rms) for r in leaks[:MOST_LEAKS])
    return Duplicates(largest, sizes, tuple(first))


def _rows(handle: Iterator[str]) -> Iterator[_Row]:
    for row in csv.DictReader(handle):
        rms = float(row["rms"])
        if not rms >= 0:
            raise ValueError(f"rms is {rms}")
        leaked = row["side"] == "holdout"
        yield _Row(
            side=row["side"],
            group=int(row["group"]),
            index=int(row["index"]),
            name=short(row["name"]),
            rms=rms,
            nearest=int(row["nn1_index"]) if leaked else -1,
            nearest_name=short(row["nn1_name"]) if leaked else "",
        )
