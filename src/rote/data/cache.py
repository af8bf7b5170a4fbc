"""Decoded images on disk: a large source is decoded once, then mapped into memory.

The key is the content: SHA-256 over every file's name and bytes, the options, and the version of the
decoder. So a changed, added or renamed file is never served from an old entry, whatever its time says.
An entry is `<key>.npy` (uint8 (N, H, W, C)) with `<key>.json` beside it, written last. Images mapped from
it need not be in memory together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.errors import DataError, RunError
from rote.core.runs import new_array, read_json, write_json
from rote.data.collect import Decoded, decode_all
from rote.data.decode import UnreadableImageError
from rote.data.download import cache_folder
from rote.data.files import Entry
from rote.data.messages import storable
from rote.data.resample import workers

CACHE_FROM = 1000
"""Files from which a source is kept: fewer are decoded in no time."""
VERSION = 1


@dataclass(frozen=True)
class Kept:
    """One entry of the cache."""

    source: str
    images: int
    shape: tuple[int, ...]
    size: int
    """Bytes on disk."""
    path: Path


def decoded_folder() -> Path:
    """Return where decoded images are kept: ``decoded`` in the folder of downloads."""
    return cache_folder() / "decoded"


def decode_cached(
    entries: Sequence[Entry],
    *,
    where: str,
    resolution: int | None,
    channels: int | None,
    skip_unreadable: bool,
    folder: Path | None,
) -> Decoded:
    """Decode as `decode_all` does, or map what was decoded before; arguments and errors as there.

    Parameters
    ----------
    folder
        Where entries are kept; None keeps none.
    """

    def decode(**options: Any) -> Decoded:
        return decode_all(
            entries,
            where=where,
            resolution=resolution,
            channels=channels,
            skip_unreadable=skip_unreadable,
            **options,
        )

    if folder is None or len(entries) < CACHE_FROM:
        return decode()
    options = f"{VERSION} {_pillow()} {resolution} {channels} {skip_unreadable}"
    key = _key(entries, options)
    path, note = folder / f"{key}.npy", folder / f"{key}.json"
    if not (path.exists() and note.exists()):
        try:
            with new_array(path) as make_room:
                found = decode(make_room=make_room)
            write_json(
                note,
                {
                    "source": storable(where),
                    "kept": found.kept.tolist(),
                    "unreadable": [storable(name) for name in found.unreadable],
                    "shape": list(found.images.shape),
                },
            )
        except RunError as error:
            reason = str(error).split("; ")[0]
            raise DataError(
                f"{reason}; set ROTE_CACHE to another folder, or decode into memory with --no-cache"
            ) from None
    return _mapped(path, note)


def _mapped(path: Path, note: Path) -> Decoded:
    value = read_json(note)
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        kept = np.array(value["kept"], np.int64)
        unreadable = tuple(value["unreadable"])
        if images.dtype != np.uint8 or images.ndim != 4 or len(images) < len(kept):
            raise ValueError("it does not fit its note")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}); clear the decoded images with `rote data cache --clear`"
        ) from None
    return Decoded(images=images[: len(kept)], kept=kept, unreadable=unreadable)


def _key(entries: Sequence[Entry], options: str) -> str:
    def digest(entry: Entry) -> bytes:
        try:
            content = hashlib.sha256(entry.content()).digest()
        except UnreadableImageError as error:
            content = str(error).encode(errors="replace")
        name = entry.name.encode(errors="surrogateescape")
        return hashlib.sha256(name + b"\0" + content).digest()

    hasher = hashlib.sha256(options.encode())
    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(entries), CACHE_FROM):
            for part in pool.map(digest, entries[start : start + CACHE_FROM]):
                hasher.update(part)
    return hasher.hexdigest()


def _pillow() -> str:
    from PIL import __version__

    return __version__


def kept_entries(folder: Path) -> list[Kept]:
    """Return what the cache holds, by source."""
    found = []
    for path in sorted(folder.glob("*.npy")):
        note = path.with_suffix(".json")
        value = read_json(note) if note.exists() else {}
        shape = tuple(value.get("shape", ()))
        source = str(value.get("source", "unfinished"))
        count = len(value.get("kept", ()))
        found.append(Kept(source, count, shape[1:], path.stat().st_size, path))
    return sorted(found, key=lambda entry: (entry.source, entry.path))


def clear(folder: Path) -> int:
    """Remove all decoded images and return the bytes freed."""
    freed = 0
    for pattern in ("*.npy", "*.json", ".*.tmp"):
        for path in folder.glob(pattern):
            freed += path.stat().st_size
            path.unlink()
    return freed
