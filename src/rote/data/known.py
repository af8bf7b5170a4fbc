"""What is known of an array that cannot change: found once, kept for as long as the array is there.

An audit asks the same of its sides many times (digests for exact duplicates, for items on both sides, for
draws by content), and the next audit of the same files asks once more. What is found of an array mapped
from the cache of decoded images is kept beside it, in files that go with it. Arrays that may be written
to are asked each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import weakref
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_uncompressed
from rote.core.errors import RunError
from rote.core.installation import VERSION as ROTE

SUFFIX = ".known"
VERSION = 1
"""Of what is kept: another one, or another rote, finds everything anew."""


@dataclass
class _Known:
    array: weakref.ref[npt.NDArray[Any]]
    beside: Path | None = None
    values: dict[str, Any] = field(default_factory=dict)


_known: dict[int, _Known] = {}


Arrays = dict[str, npt.NDArray[Any]]


def known(
    array: npt.NDArray[Any], name: str, find: Callable[[], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """Return what ``find`` returns, which is called once for each name of an array that cannot change.

    ``name`` tells all that the answer depends on beside the array. Nobody may write to the answer.
    """
    return known_together(array, name, lambda: {"value": find()})["value"]


def known_together(array: npt.NDArray[Any], name: str, find: Callable[[], Arrays]) -> Arrays:
    """Return what `known` does, of several arrays that belong together."""
    if array.flags.writeable:
        return find()
    held = _held(array)
    if name not in held.values:
        path = _path(held, name)
        found = None if path is None else _read(path)
        if found is None:
            found = find()
            if path is not None:
                # What cannot be kept is found again next time.
                with contextlib.suppress(RunError, OSError):
                    write_uncompressed(path, found)
        for value in found.values():
            value.flags.writeable = False
        held.values[name] = found
    answer: Arrays = held.values[name]
    return answer


def digest_of(rows: npt.NDArray[np.int64]) -> str:
    """Return what tells some rows, for a name."""
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()


def keep_beside(array: npt.NDArray[Any], entry: Path, values: Arrays | None = None) -> None:
    """Keep what becomes known of an array beside a file of which it is a part, which nobody changes.

    ``values`` are known already.
    """
    assert not array.flags.writeable
    _held(array).beside = entry
    for name, value in (values or {}).items():
        known(array, name, lambda value=value: value)  # type: ignore[misc]


def _held(array: npt.NDArray[Any]) -> _Known:
    key = id(array)
    held = _known.get(key)
    if held is None or held.array() is not array:
        held = _known[key] = _Known(weakref.ref(array, lambda _: _known.pop(key, None)))
    return held


def _path(held: _Known, name: str) -> Path | None:
    if held.beside is None:
        return None
    array = held.array()
    assert array is not None
    told = hashlib.sha256(f"{VERSION} {ROTE} {array.shape} {name}".encode()).hexdigest()[:16]
    return held.beside.with_name(f"{held.beside.stem}.{told}{SUFFIX}")


def _read(path: Path) -> Arrays | None:
    """Return what is kept, or None where it is not there or damaged (a zip has checksums)."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as held:
            return dict(held)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
