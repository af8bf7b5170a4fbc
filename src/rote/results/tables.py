"""`pairs.csv` and `duplicates.csv` of an audit; all names in them are untrusted text."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rote.core.errors import RunError

GROUP_SIDES = ("training", "generated")
_MOVED = re.compile(r"moved by (-?\d{1,3}) down and (-?\d{1,3}) right")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Match:
    """The names of a generated item and its nearest, and the transform under which they match."""

    name: str
    nearest: str
    mirrored: bool
    down: int
    right: int


@dataclass(frozen=True)
class Member:
    """An item that lies in a group of duplicates, or a held-out one that lies in the training set.

    ``rms`` is its difference to the first of the group, or to the training item ``nearest``.
    """

    side: str
    group: int
    index: int
    name: str
    rms: float
    nearest: int
    nearest_name: str


def read_matches(path: Path, wanted: Collection[int]) -> dict[int, Match]:
    """Return the matches of the ``wanted`` generated items; none where there is no such file.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    keep = {str(index): index for index in wanted}

    def match(row: dict[str, str]) -> tuple[int, Match] | None:
        if row["generated"] not in keep:
            return None
        transform = row.get("transform") or ""
        moved = _MOVED.search(transform)
        down, right = (int(moved[1]), int(moved[2])) if moved else (0, 0)
        mirrored = "mirrored" in transform
        return keep[row["generated"]], Match(row["name"], row["nn1_name"], mirrored, down, right)

    return dict(found for found in _rows(path, match) if found is not None)


def read_duplicates(path: Path) -> tuple[dict[str, dict[int, list[Member]]], list[Member]]:
    """Return the groups of each side by number, the largest first, and the held-out items.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    groups: dict[str, dict[int, list[Member]]] = {side: {} for side in GROUP_SIDES}
    leaks = []
    for row in _rows(path, _member):
        if row.side == "holdout":
            leaks.append(row)
        elif row.side in groups:
            groups[row.side].setdefault(row.group, []).append(row)
    ordered = {
        side: dict(sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0])))
        for side, members in groups.items()
    }
    return ordered, leaks


def _member(row: dict[str, str]) -> Member:
    rms = float(row["rms"])
    if not rms >= 0:
        raise ValueError(f"rms is {rms}")
    leaked = row["side"] == "holdout"
    return Member(
        side=row["side"],
        group=int(row["group"]),
        index=int(row["index"]),
        name=row["name"],
        rms=rms,
        nearest=int(row["nn1_index"]) if leaked else -1,
        nearest_name=row["nn1_name"] if leaked else "",
    )


def _rows(path: Path, read: Callable[[dict[str, str]], Row]) -> Iterator[Row]:
    """Yield the rows of a table, read one by one; none where there is no such file."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            yield from map(read, csv.DictReader(handle))
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and audit again") from None
