"""Decoded images on disk: a large source is decoded once, then mapped into memory.

The key is the content: SHA-256 over every file's name and bytes (of an array file, its bytes), the
options, and the version of the decoder. Files are hashed as they are decoded, from the same read.
An entry is `<key>.npy` (uint8 (N, ...)) with `<key>.json` beside it, written last, which has its
checksum, and files of what is known of the images (`rote.data.known`). Images mapped from it need not be
in memory together.

Files are not read again to be hashed where none of them changed: `<names>.seen` has the size and times
of all files of these names, and the key that they led to (`source_state`). So is the checksum compared
where the entry is not as it was left, or the machine was started since; a damaged one is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import __version__ as PILLOW

from rote.core.atomic_files import (
    new_array,
    one_line_io,
    read_json,
    remove_left_over,
    write_json,
)
from rote.core.cache_folder import cache_folder, make_private
from rote.core.errors import DataError, RunError
from rote.data.account import Account
from rote.data.files.collect import FIRST, Decoded, Hashes
from rote.data.files.decode import UnreadableImageError, header_of
from rote.data.files.decode_all import decode_all
from rote.data.files.entry import Entry
from rote.data.files.faults import FileState, guard, mark_of
from rote.data.files.mapped import checksum_of, write_blocks
from rote.data.files.source_state import SEEN, SourceState, key_of
from rote.data.item_digests import NAME, item_digests
from rote.data.known import SUFFIX, keep_beside
from rote.data.messages import storable
from rote.data.options import ReadOptions

CACHE_FROM, CACHE_BYTES = 1000, 2**28
"""Files, or bytes of images, from which a source is kept: less is held in memory."""
VERSION, VOLUMES = 2, "volumes 1"
_TICK = 0.02
_ITEMS = "items "
"""Begins a checksum that is of the digests of all images."""


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
    options: ReadOptions,
    folder: Path | None,
    volumes: Callable[..., Decoded] | None = None,
) -> Decoded:
    """Decode as `decode_all` does, or map what was decoded before; arguments and errors as there.

    Parameters
    ----------
    folder
        Where entries are kept; None keeps none.
    volumes
        `rote.data.volumes.decode_all.decode_volumes`, where the files are of volumes.
    """
    decode = volumes or decode_all
    if folder is None or not _is_large(entries, options, volumes=volumes is not None):
        return decode(entries, where=where, options=options)
    version = f"{VERSION} {PILLOW} {options.pixels}{f' {VOLUMES}' if volumes else ''}"
    source = SourceState(entries, version, folder)
    key = source.key()
    path, note = folder / f"{key}.npy", folder / f"{key}.json"
    if key is not None and _is_whole(path, note):
        source.note(key)
        return _mapped(path, note)
    found: Decoded | None = None

    def name() -> str:
        assert found is not None and found.hashes is not None
        return f"{key_of(entries, found.hashes.files, version)}.npy"

    with _advised(folder):
        with new_array(folder / "pending.npy", name=name) as make_room:
            found = decode(entries, where=where, options=options, make_room=make_room, hashed=True)
        path = folder / name()
        _write_note(path.with_suffix(".json"), where, found.images.shape, found)
    source.note(path.stem)
    return _mapped(path, path.with_suffix(".json"), hashes=found.hashes)


def is_worth_keeping(files: int, item_bytes: int) -> bool:
    """Say whether so many images of so many bytes are mapped from the cache, and not held in memory."""
    return files >= CACHE_FROM or files * item_bytes >= CACHE_BYTES


def _is_large(entries: Sequence[Entry], options: ReadOptions, *, volumes: bool) -> bool:
    """Ask `is_worth_keeping`, by the first header of a file that can be read where it depends on that."""
    if volumes:  # packed files take about half of what they hold
        sizes = {one.file: one.file.stat().st_size for one in entries if one.file is not None}
        return is_worth_keeping(len(entries), 2 * sum(sizes.values()) // len(entries))
    for entry in entries[:FIRST] if len(entries) < CACHE_FROM else ():
        with contextlib.suppress(UnreadableImageError):
            if header := header_of(entry.stored()):
                return is_worth_keeping(len(entries), math.prod(header.shape(options)))
    return is_worth_keeping(len(entries), 0)


def keep_array(
    blocks: Iterator[npt.NDArray[np.uint8]],
    shape: tuple[int, ...],
    *,
    file: FileState,
    options: str,
    folder: Path,
) -> npt.NDArray[np.uint8]:
    """Keep the images of an array file, or map what was kept before.

    Parameters
    ----------
    blocks
        The images as uint8 (n, H, W, C), some at a time; not touched where they are kept already.
    shape
        (N, H, W, C) of all of them.
    file, options
        The file as it was when the images were found in it, and what was done to them.
    folder
        Where entries are kept.

    Raises
    ------
    DataError
        If they cannot be written, or the file has changed meanwhile.
    """
    with file.path.open("rb") as handle:
        content = hashlib.file_digest(handle, "sha256").hexdigest()
    file.check()
    key = hashlib.sha256(f"{VERSION} {PILLOW} {options} {shape} {content}".encode()).hexdigest()
    entry, note = folder / f"{key}.npy", folder / f"{key}.json"
    if not _is_whole(entry, note):
        with _advised(folder):
            with new_array(entry) as make_room:
                write_blocks(blocks, shape, make_room)
                file.check()
            _write_note(note, str(file.path), shape, None)
    return _mapped(entry, note).images


def keep_rows(
    compute: Callable[[npt.NDArray[np.float32]], None],
    *,
    shape: tuple[int, int],
    key: str,
    source: str,
    folder: Path,
) -> npt.NDArray[np.float32]:
    """Keep rows of features, or map what was kept before.

    Parameters
    ----------
    compute
        Fills an array of ``shape``, float32; not called where they are kept already.
    shape
        (N, D).
    key
        A digest of everything that the rows depend on.
    source
        What they are of, for a person.
    folder
        Where entries are kept, among the decoded images.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    entry, note = folder / f"{key}.npy", folder / f"{key}.json"
    if not _is_whole(entry, note):
        with _advised(folder):
            with new_array(entry, dtype="<f4") as make_room:
                compute(make_room(shape))
            _write_note(note, source, shape, None)
    try:
        rows = np.load(entry, mmap_mode="r", allow_pickle=False)
        guard()
        if rows.dtype != np.float32 or rows.shape != shape:
            raise ValueError("it does not fit its note")
    except (OSError, ValueError) as error:
        raise _damaged(entry, error) from None
    return rows


@contextlib.contextmanager
def _advised(folder: Path) -> Iterator[None]:
    """Make the folder of an entry, and say what can be done where it cannot be written."""
    try:
        with one_line_io(folder):
            make_private(folder)
        remove_left_over(folder)
        yield
    except RunError as error:
        reason = str(error).split("; ")[0]
        raise DataError(
            f"{reason}; set ROTE_CACHE to another folder, or decode into memory with `no_cache`"
        ) from None


def _write_note(note: Path, source: str, shape: tuple[int, ...], found: Decoded | None) -> None:
    """Describe an entry; without ``found`` all of it are images, with nothing to say about them."""
    value: dict[str, Any] = {"source": storable(source), "kept": None, "shape": list(shape)}
    entry = note.with_suffix(".npy")
    items = None if found is None or found.hashes is None else found.hashes.items
    value["checksum"] = checksum_of(entry) if items is None else _ITEMS + _hash_of(items)
    time.sleep(_TICK)  # whoever changes the entry now leaves a later time
    value["mark"] = _mark(entry)
    if found is not None:
        told = Account(0, 0, found.left_out, found.treated, found.notes).to_json()
        value |= {
            "kept": found.kept.tolist() if found.unreadable or found.names else None,
            "names": found.names,
            "groups": found.groups,
            "left_out": told["left_out"],
            "unreadable": [storable(name) for name in found.unreadable],
            "treated": told["treated"],
            "notes": found.notes,
            "window": found.window,
        }
    write_json(note, value)


def _mapped(path: Path, note: Path, *, hashes: Hashes | None = None) -> Decoded:
    value = read_json(note)
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        guard()
        kept = (
            np.arange(len(images)) if value["kept"] is None else np.array(value["kept"], np.int64)
        )
        told = Account.from_json(
            {"files": 0, "read": 0, "left_out": [], "treated": [], "notes": [], **value}
        )
        window = tuple(value.get("window") or ())
        if images.dtype != np.uint8 or images.ndim not in (4, 5) or len(images) < len(kept):
            raise ValueError("it does not fit its note")
        images = images[: len(kept)]
        keep_beside(images, path, {} if hashes is None else {NAME: hashes.items})
        return Decoded(
            images=images,
            kept=kept,
            unreadable=tuple(value.get("unreadable", ())),
            treated=told.treated,
            notes=told.notes,
            window=(float(window[0]), float(window[1])) if window else None,
            names=tuple(value.get("names") or ()) or None,
            left_out=told.left_out,
            groups=tuple(value.get("groups") or ()) or None,
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is damaged ({error}); clear the decoded images with `rote data cache --clear`"
    )


def _is_whole(entry: Path, note: Path) -> bool:
    """Say whether an entry is there and holds what was written."""
    try:
        value = read_json(note)
        checksum, mark = str(value.get("checksum", "")), _mark(entry)
        if checksum and mark is not None and mark == value.get("mark"):
            return True
        if checksum.startswith(_ITEMS):
            images = np.load(entry, mmap_mode="r", allow_pickle=False)
            count = len(images) if value["kept"] is None else len(value["kept"])
            whole = list(images.shape) == value["shape"]
            whole = whole and checksum == _ITEMS + _hash_of(item_digests(images[:count]))
        else:
            whole = checksum == checksum_of(entry)
    except (RunError, OSError, EOFError, ValueError, KeyError, TypeError):
        return False
    if whole and mark is not None:
        with contextlib.suppress(RunError):  # of somebody else's: compared every time
            write_json(note, {**value, "mark": mark})
    return whole


def _mark(entry: Path) -> list[Any] | None:
    """Return what changes with an entry, and with what a machine that fails may lose of it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return [boot, *mark_of(entry.stat())]


def _hash_of(digests: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(digests).data).hexdigest()


def kept_entries(folder: Path) -> list[Kept]:
    """Return what the cache holds, by source."""
    found = []
    for path in sorted(folder.glob("*.npy")):
        note = path.with_suffix(".json")
        value = read_json(note) if note.exists() else {}
        shape = tuple(value.get("shape", ()))
        source = str(value.get("source", "unfinished"))
        kept = value.get("kept", ())
        count = shape[0] if kept is None else len(kept)
        found.append(Kept(source, count, shape[1:], path.stat().st_size, path))
    return sorted(found, key=lambda entry: (entry.source, entry.path))


def clear(folder: Path) -> int:
    """Remove all decoded images and return the bytes freed."""
    freed = 0
    for pattern in ("*.npy", "*.json", f"*{SEEN}", f"*{SUFFIX}", ".*.tmp"):
        for path in folder.glob(pattern):
            freed += path.stat().st_size
            path.unlink()
    return freed
