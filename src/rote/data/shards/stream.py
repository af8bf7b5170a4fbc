"""Sources read piece by piece, for what is larger than the memory.

`load_images` holds a whole source; a stream yields the same items in the same order, some at a time,
from any position. Labels are left out.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.config import digest
from rote.core.errors import DataError
from rote.data.files.arrays import ITEM_KEYS, dataset_of_array, load_array_file
from rote.data.files.decode import UnreadableImageError, decode, strict_pillow
from rote.data.files.decode_all import decode_all
from rote.data.files.listing import Entry, Listing, list_folder, open_zip
from rote.data.files.mapped import npy_header, unpacked
from rote.data.load import load_images, named_sources
from rote.data.messages import shown, storable
from rote.data.resample import fit_images

BATCH_FILES = 1024
BATCH_BYTES = 32 * 2**20


@dataclass(frozen=True, eq=False)
class Batch:
    """Some consecutive items of a source.

    Attributes
    ----------
    items
        uint8 (n, H, W, C) or float32 (n, D).
    positions
        int64 (n,): place of each item among the entries of its source, unreadable ones counted.
    names
        n names, or none where the source has no names.
    """

    items: npt.NDArray[Any]
    positions: npt.NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Stream:
    """A source that can be read from any position.

    Attributes
    ----------
    source
        What it was opened by, as an absolute path or a name.
    count
        Number of entries, unreadable ones counted.
    fingerprint
        Changes when the source does: size and time of a file, the names in a folder.
    batches
        Yields the items from a position on.
    """

    source: str
    count: int
    fingerprint: str
    batches: Callable[[int], Iterator[Batch]]


def open_stream(
    source: str, *, resolution: int | None, channels: int | None, skip_unreadable: bool
) -> Stream:
    """Open a source for reading piece by piece.

    Parameters
    ----------
    source, resolution, channels, skip_unreadable
        As in `rote.data.load.load_images`.

    Raises
    ------
    DataError
        If there is no such source or it cannot be read.

    >>> stream = open_stream("digits", resolution=None, channels=None, skip_unreadable=False)
    >>> stream.count, next(stream.batches(1790)).items.shape
    (1797, (7, 8, 8, 1))
    """
    path = Path(source).expanduser()
    if source not in named_sources() and path.exists():
        full = path.resolve()
        if path.is_dir():
            return _of_files(
                full,
                lambda: contextlib.nullcontext(list_folder(path)),
                resolution,
                channels,
                skip_unreadable=skip_unreadable,
            )
        if path.suffix.lower() == ".zip":
            return _of_files(
                full, lambda: open_zip(path), resolution, channels, skip_unreadable=skip_unreadable
            )
        if path.suffix.lower() == ".npy":
            return _of_array(full, _mapped(path), resolution, channels)
        if path.suffix.lower() == ".npz":
            return _of_npz(full, resolution, channels)
    dataset = load_images(
        source, resolution=resolution, channels=channels, skip_unreadable=skip_unreadable
    )
    name = str(path.resolve()) if path.exists() and source not in named_sources() else source
    return _of_rows(name, dataset.digest, len(dataset), lambda start: _slices(dataset.items, start))


def _of_files(
    path: Path,
    open_listing: Callable[[], contextlib.AbstractContextManager[Listing]],
    resolution: int | None,
    channels: int | None,
    *,
    skip_unreadable: bool,
) -> Stream:
    with open_listing() as listing:
        names = [entry.name for entry in listing.entries]

    def batches(start: int) -> Iterator[Batch]:
        with open_listing() as listing:
            for first in range(start, len(listing.entries), BATCH_FILES):
                entries = listing.entries[first : first + BATCH_FILES]
                if skip_unreadable and not _any_readable(entries):
                    continue
                decoded = decode_all(
                    entries,
                    where=shown(path),
                    resolution=resolution,
                    channels=channels,
                    skip_unreadable=skip_unreadable,
                )
                kept = tuple(storable(entries[i].name) for i in decoded.kept)
                yield Batch(decoded.images, decoded.kept + first, kept)

    mark = _file_mark(path) if path.is_file() else digest([storable(name) for name in names])
    return Stream(str(path), len(names), mark, batches)


def _any_readable(entries: tuple[Entry, ...]) -> bool:
    with strict_pillow():
        for entry in entries:
            with contextlib.suppress(UnreadableImageError):
                decode(entry.content())
                return True
    return False


def _mapped(path: Path) -> npt.NDArray[Any]:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        assert isinstance(found, np.ndarray)
    except Exception:  # noqa: BLE001 - whatever it is, the loader of whole files has the words for it
        return load_array_file(path).items
    return found


def _of_array(
    path: Path, array: npt.NDArray[Any], resolution: int | None, channels: int | None
) -> Stream:
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{shown(path)}: an array of shape {array.shape} has no items; give some")

    def pieces(start: int) -> Iterator[npt.NDArray[Any]]:
        for piece in _slices(array, start):
            yield _items(piece, resolution, channels, where=shown(path))

    return _of_rows(str(path), _file_mark(path), len(array), pieces)


def _of_npz(path: Path, resolution: int | None, channels: int | None) -> Stream:
    """Read the rows of an .npz from the archive as they come: it is never unpacked as a whole."""
    where = shown(path)
    with (
        contextlib.suppress(OSError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(path) as file,
    ):
        key = next((k for k in ITEM_KEYS if f"{k}.npy" in file.namelist()), None)
        if key is not None:
            with file.open(f"{key}.npy") as member:
                header = npy_header(member)
            if header is not None and header[0] and header[0][0]:
                return _of_rows(
                    str(path),
                    _file_mark(path),
                    header[0][0],
                    lambda start: (
                        _items(rows, resolution, channels, where=where)
                        for rows in _unpacked(path, f"{key}.npy", start)
                    ),
                )
    return _of_array(path, load_array_file(path).items, resolution, channels)


def _unpacked(path: Path, name: str, start: int) -> Iterator[npt.NDArray[Any]]:
    try:
        yield from unpacked(path, name, start)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{shown(path)} cannot be read as a NumPy file ({shown(error)}); write it again with "
            "numpy.savez"
        ) from None


def _items(
    rows: npt.NDArray[Any], resolution: int | None, channels: int | None, *, where: str
) -> npt.NDArray[Any]:
    dataset = dataset_of_array(rows, where=where)
    if dataset.kind == "image":
        return fit_images(dataset.items, resolution=resolution, channels=channels)
    if resolution is not None or channels is not None:
        option = "`resolution`" if resolution is not None else "`channels`"
        raise DataError(f"{option} is for images, and {where} holds vectors; leave it out")
    return dataset.items


def _slices(array: npt.NDArray[Any], start: int) -> Iterator[npt.NDArray[Any]]:
    rows = max(1, BATCH_BYTES // max(1, array[:1].nbytes))
    for first in range(start, len(array), rows):
        yield array[first : first + rows]


def _of_rows(
    source: str,
    fingerprint: str,
    count: int,
    pieces: Callable[[int], Iterator[npt.NDArray[Any]]],
) -> Stream:
    def batches(start: int) -> Iterator[Batch]:
        for items in pieces(start):
            yield Batch(items, np.arange(start, start + len(items)), ())
            start += len(items)

    return Stream(source, count, fingerprint, batches)


def _file_mark(path: Path) -> str:
    found = os.stat(path)  # noqa: PTH116 - one call, of files and links alike
    return f"{found.st_size} bytes, {found.st_mtime_ns}"
