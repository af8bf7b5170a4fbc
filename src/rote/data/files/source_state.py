"""Whether the files of a source are as they were when they were decoded, without reading them.

The time of a file's last change of state cannot be set back, so that nobody changes a file without a
trace. What changed less than `SETTLED` seconds before it was looked at is hashed the next time, as
clocks of files are coarse: it may change once more within the same tick.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json, write_json
from rote.core.errors import RunError
from rote.core.progress.work import counted
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.faults import mark_of
from rote.data.resample import workers

SEEN = ".seen"
SETTLED = 2.0
"""Seconds after which the next change of a file has another time, on any file system."""
BATCH = 1000
"""Files that are hashed at a time."""


def _digest(entry: Entry) -> bytes:
    """Return the digest of a file's content, or why it cannot be read."""
    try:
        return hashlib.sha256(entry.stored()).digest()
    except UnreadableImageError as error:
        return _reason(error)


def _reason(error: UnreadableImageError) -> bytes:
    return str(error).encode(errors="replace")


def _digests(entries: Sequence[Entry]) -> list[bytes]:
    """Return the digest of each file; the pages of one follow from its content and the options."""
    files = [entry for entry in entries if entry.frame == 0]
    found: list[bytes] = []
    with ThreadPoolExecutor(workers()) as pool:
        for start in counted(range(0, len(files), BATCH), "thousands of files hashed"):
            found += pool.map(_digest, files[start : start + BATCH])
    return found


def key_of(entries: Sequence[Entry], digests: Sequence[bytes], options: str) -> str:
    """Return the key of files with these digests, read with these options."""
    hasher = hashlib.sha256(options.encode())
    files = (entry for entry in entries if entry.frame == 0)
    for entry, digest in zip(files, digests, strict=True):
        name = entry.name.encode(errors="surrogateescape")
        hasher.update(hashlib.sha256(name + b"\0" + digest).digest())
    return hasher.hexdigest()


class SourceState:
    """The files of a source as they are, and what entry they led to the last time.

    Parameters
    ----------
    entries
        All of them.
    version
        Of the decoder and its options.
    folder
        Where entries are kept.
    """

    def __init__(self, entries: Sequence[Entry], version: str, folder: Path) -> None:
        self._entries, self._version = entries, version
        names = hashlib.sha256(version.encode())
        state = hashlib.sha256()
        marks: dict[Path | None, tuple[int, ...] | None] = {None: None}
        for entry in entries:
            if entry.file not in marks:
                marks[entry.file] = _found(entry.file)
            name = entry.name.encode(errors="surrogateescape") + b"\0"
            names.update(name)
            state.update(name + repr(marks[entry.file]).encode())
        del marks[None]
        latest = time.time_ns() - SETTLED * 1e9
        settled = marks and all(mark and max(mark[1:]) < latest for mark in marks.values())
        self._state = state.hexdigest() if settled else None
        self._path = folder / f"{names.hexdigest()}{SEEN}"
        self._seen: dict[str, Any] | None = None
        with contextlib.suppress(RunError):
            self._seen = read_json(self._path) if self._path.exists() else None

    def key(self) -> str | None:
        """Return the key of the files; None where files of these names were never seen."""
        if self._seen is None:
            return None
        if self._state is not None and self._seen.get("state") == self._state:
            return str(self._seen.get("key"))
        return key_of(self._entries, _digests(self._entries), self._version)

    def note(self, key: str) -> None:
        """Note to which key the files led."""
        seen = {"state": self._state, "key": key}
        if self._seen is None or any(self._seen.get(name) != seen[name] for name in seen):
            with contextlib.suppress(RunError):  # a folder of somebody else's: hashed every time
                write_json(self._path, seen)


def _found(file: Path | None) -> tuple[int, ...] | None:
    try:
        return mark_of(os.stat(file))  # type: ignore[arg-type]  # noqa: PTH116
    except OSError:
        return None
