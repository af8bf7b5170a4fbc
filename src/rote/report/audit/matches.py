"""Reads what `pairs.csv` knows of the images in the gallery: their names and how they were matched."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import RunError
from rote.report.words import plain

LONGEST_NAME = 200
_MOVED = re.compile(r"moved by (-?\d{1,3}) down and (-?\d{1,3}) right")


@dataclass(frozen=True)
class Match:
    """The names of a generated image and its nearest, and the transform under which they match."""

    name: str
    nearest: str
    mirrored: bool
    down: int
    right: int


def read_matches(path: Path, wanted: Collection[int]) -> dict[int, Match]:
    """Return the matches of the ``wanted`` generated images; none where there is no such file.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    if not path.exists():
        return {}
    keep = {str(index): index for index in wanted}
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return {
                keep[row["generated"]]: _match(row)
                for row in csv.DictReader(handle)
                if row["generated"] in keep
            }
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and audit again") from None


def _match(row: dict[str, str]) -> Match:
    transform = row.get("transform") or ""
    moved = _MOVED.search(transform)
    down, right = (int(moved[1]), int(moved[2])) if moved else (0, 0)
    return Match(
        name=short(row["name"]),
        nearest=short(row["nn1_name"]),
        mirrored="mirrored" in transform,
        down=down,
        right=right,
    )


def short(name: str) -> str:
    """Return a file's name without its invisible characters and within reason."""
    text = plain(name)
    return text if len(text) <= LONGEST_NAME else f"…{text[-LONGEST_NAME:]}"
