"""`tables.npz` of an audit: the names and groups of `pairs.csv` and `duplicates.csv`, for programs.

Texts, which are untrusted, are kept as UTF-8 bytes one after the other, with where each of them ends: as
an array of numpy, all of them would take the memory of the longest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError
from rote.results.arrays import read_arrays
from rote.results.gallery import SIDES

COLUMNS = ("side", "group", "index", "rms", "nearest_index")
MOVES = ("mirrored", "down", "right")


class Texts(Sequence[str]):
    """Texts, one after the other: uint8 bytes and int64 (n,), where each ends."""

    def __init__(self, content: NDArray[np.uint8], end: NDArray[np.int64]) -> None:
        self.content, self.end = content, end

    @staticmethod
    def of(texts: Sequence[str]) -> Texts:
        """Pack texts; a lone surrogate, which UTF-8 cannot hold, is escaped."""
        packed = [text.encode("utf-8", "backslashreplace") for text in texts]
        end = np.cumsum([len(part) for part in packed], dtype=np.int64)
        return Texts(np.frombuffer(b"".join(packed), np.uint8), end)

    def __len__(self) -> int:
        return len(self.end)

    def __getitem__(self, place: Any) -> Any:
        start = int(self.end[place - 1]) if place else 0
        return self.content[start : int(self.end[place])].tobytes().decode("utf-8")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every generated item with its nearest training item.

    Attributes
    ----------
    names, nearest
        Of both; N each.
    mirrored, down, right
        bool, int8, int8 (N,): the transform under which they match.
    captions, nearest_captions
        Of both, N each, "" where there is none; or empty.
    """

    names: Sequence[str]
    nearest: Sequence[str]
    mirrored: NDArray[np.bool_]
    down: NDArray[np.int8]
    right: NDArray[np.int8]
    captions: Sequence[str] = ()
    nearest_captions: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Members:
    """Items in groups of duplicates by side, group and position, and held-out items that lie in training.

    Attributes
    ----------
    side
        int8 (n,): as `rote.results.gallery.SIDES` counts them.
    group, index
        int64 (n,).
    rms
        float64 (n,): the difference to the first of the group, or to the training item.
    nearest_index
        int64 (n,): the training item of a held-out one, else -1.
    names, nearest
        Of the item and of that training item, n each.
    """

    side: NDArray[np.int8]
    group: NDArray[np.int64]
    index: NDArray[np.int64]
    rms: NDArray[np.float64]
    nearest_index: NDArray[np.int64]
    names: Sequence[str]
    nearest: Sequence[str]

    def of(self, side: str) -> NDArray[np.int64]:
        """Return the rows of one side."""
        return np.flatnonzero(self.side == SIDES.index(side))


def table_arrays(pairs: Pairs, members: Members) -> dict[str, NDArray[Any]]:
    """Return the arrays of `tables.npz`."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(pairs, name) for name in MOVES}
    arrays |= {f"member_{name}": getattr(members, name) for name in COLUMNS}
    texts = {"caption": pairs.captions, "nearest_caption": pairs.nearest_captions}
    texts = {name: held for name, held in texts.items() if held}
    texts |= {
        "name": pairs.names,
        "nearest_name": pairs.nearest,
        "member_name": members.names,
        "member_nearest_name": members.nearest,
    }
    for name, held in texts.items():
        packed = Texts.of(held)
        arrays |= {name: packed.content, f"{name}_end": packed.end}
    return arrays


def read_tables(path: Path, *, total: int) -> tuple[Pairs, Members] | None:
    """Read the tables of an audit of ``total`` generated items; None where there is no such file.

    Raises
    ------
    RunError
        If an array is missing, or if they do not fit together.
    """
    if not path.exists():  # an older audit
        return None
    texts = ("name", "nearest_name", "member_name", "member_nearest_name")
    members = tuple(f"member_{name}" for name in COLUMNS)
    captions = ("caption", "nearest_caption")
    further = (*captions, *(f"{name}_end" for name in captions))
    wanted = (*MOVES, *members, *texts, *(f"{name}_end" for name in texts))
    arrays = read_arrays(path, wanted, further)
    side, group, index, rms, nearest_index = (arrays[name] for name in members)
    count = len(side)
    own, near, names, nearest = (
        _texts(path, arrays, name, rows)
        for name, rows in zip(texts, (total, total, count, count), strict=True)
    )
    whole = [arrays[name] for name in ("down", "right")] + [side, group, index, nearest_index]
    fits = (
        all(arrays[name].shape == (total,) for name in MOVES)
        and all(arrays[name].shape == (count,) for name in members)
        and all(array.dtype.kind == "i" for array in whole)
        and (arrays["mirrored"].dtype.kind, rms.dtype.kind) == ("b", "f")
        and np.isin(side, range(len(SIDES))).all()
        and (group >= 0).all()
        and (index >= 0).all()
        and (nearest_index >= -1).all()
        and (rms >= 0).all()
    )
    if not fits:
        raise RunError(f"{path} is damaged: its arrays do not fit together; run again")
    told = [_texts(path, arrays, name, total) for name in captions if set(further) <= set(arrays)]
    mirrored, down, right = (arrays[name] for name in MOVES)
    pairs = Pairs(own, near, mirrored, down, right, *told)
    return pairs, Members(side, group, index, rms, nearest_index, names, nearest)


def _texts(path: Path, arrays: Mapping[str, NDArray[Any]], name: str, rows: int) -> Texts:
    content, end = arrays[name], arrays[f"{name}_end"]
    starts = (
        np.concatenate([[0], end]) if end.ndim == 1 and end.dtype.kind == "i" else np.array([1])
    )
    fits = content.ndim == 1 and content.dtype == np.uint8 and len(starts) == rows + 1
    if not fits or starts[-1] != len(content) or (np.diff(starts) < 0).any():
        raise RunError(f"{path} is damaged: its names do not fit together; run again")
    try:
        content.tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is damaged ({error.reason}); run again") from None
    return Texts(content, end)
