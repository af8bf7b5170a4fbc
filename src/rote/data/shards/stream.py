"""Sources read piece by piece, for what is larger than the memory.

`load_images` holds a whole source; a stream yields the same items in the same order, some at a time,
from any position. Labels are left out.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.config import digest
from rote.core.errors import DataError
from rote.data.account import Account, left_out, merged, of_captions
from rote.data.containers.ranges import is_range
from rote.data.files.archives import holds_files
from rote.data.files.arrays import SERIES, dataset_of_array, window_of_array
from rote.data.files.axes import axes_of, channels_last
from rote.data.files.collect import Decoded
from rote.data.files.decode import UnreadableImageError, decode
from rote.data.files.decode_all import decode_all, paged
from rote.data.files.entry import Entry
from rote.data.files.listing import open_listing
from rote.data.files.mapped import npy_header, unpacked
from rote.data.files.npz import find_items, load_array_file
from rote.data.files.sniff import extension_of
from rote.data.load import load_images, named_sources
from rote.data.messages import shown, storable, storable_caption
from rote.data.options import ReadOptions, with_options
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
    captions
        n captions, None for an item without one; or none where no item of the source has one.
    """

    items: npt.NDArray[Any]
    positions: npt.NDArray[np.int64]
    names: tuple[str, ...]
    captions: tuple[str | None, ...] = ()


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
    account
        What became of what lies under the source, as far as it has been read.
    """

    source: str
    count: int
    fingerprint: str
    batches: Callable[[int], Iterator[Batch]]
    account: Callable[[], Account | None]


def open_stream(
    source: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_unreadable: bool = False,
    options: ReadOptions | None = None,
) -> Stream:
    """Open a source for reading piece by piece.

    Parameters
    ----------
    source, resolution, channels, skip_unreadable, options
        As in `rote.data.load.load_images`.

    Raises
    ------
    DataError
        If there is no such source or it cannot be read.

    >>> stream = open_stream("digits")
    >>> stream.count, next(stream.batches(1790)).items.shape
    (1797, (7, 8, 8, 1))
    """
    options = with_options(
        options, resolution=resolution, channels=channels, skip_unreadable=skip_unreadable
    )
    path = Path(source).expanduser()
    if source not in named_sources() and (path.exists() or is_range(path)):
        full = path.resolve()
        if path.suffix.lower() == ".npy":
            return _of_array(full, _mapped(path, options), options)
        if path.suffix.lower() == ".npz":
            return _of_npz(full, options)
        if holds_files(path):
            with open_listing(full, options) as listing:
                images = listing.kind == "images"
            if images:
                return _of_files(full, options)
    dataset = load_images(source, options=options)
    name = str(path.resolve()) if path.exists() and source not in named_sources() else source
    return _of_rows(
        name,
        dataset.digest,
        len(dataset),
        lambda start: _slices(dataset.items, start),
        lambda: dataset.account,
    )


def _of_files(path: Path, options: ReadOptions) -> Stream:
    with open_listing(path, options) as listing:
        entries = paged(listing.entries, options)
        names = [entry.name for entry in entries]
    account = Account(
        listing.files, len(listing.entries), listing.left_out, captions=listing.captions
    )
    captioned = any(entry.caption is not None for entry in entries)
    sources, notes = listing.told, listing.notes
    seen: list[Decoded] = []
    texts: list[tuple[str, str | None]] = []

    def batches(start: int) -> Iterator[Batch]:
        with open_listing(path, options) as listing:
            entries = paged(listing.entries, options)
            settled = options
            for first in range(start, len(entries), BATCH_FILES):
                part = entries[first : first + BATCH_FILES]
                if options.skip_unreadable and not _any_readable(part, settled):
                    continue
                decoded = decode_all(part, where=shown(path), options=settled, all_entries=entries)
                if decoded.window is not None:
                    settled = replace(settled, window=decoded.window)
                seen.append(replace(decoded, images=decoded.images[:0]))
                kept = tuple(storable(part[i].name) for i in decoded.kept)
                own = tuple(storable_caption(part[i].caption) for i in decoded.kept)
                texts.extend(zip(kept, own, strict=True))
                captions = own if captioned else ()
                yield Batch(decoded.images, decoded.kept + first, kept, captions)

    def told() -> Account:
        bad = [name for part in seen for name in part.unreadable]
        unread = left_out(("unreadable", extension_of(name), name) for name in bad)
        return replace(
            account,
            read=account.read - len(bad),
            left_out=(*account.left_out, *unread),
            treated=(
                *merged([part.treated for part in seen]),
                *of_captions([text for _, text in texts], [name for name, _ in texts], sources),
            ),
            notes=(*dict.fromkeys(note for part in seen for note in part.notes), *notes),
        )

    mark = _file_mark(path) if path.is_file() else digest([storable(name) for name in names])
    return Stream(str(path), len(names), mark, batches, told)


def _any_readable(entries: Sequence[Entry], options: ReadOptions) -> bool:
    for entry in entries:
        with contextlib.suppress(UnreadableImageError):
            decode(entry.content(), options, frame=entry.frame)
            return True
    return False


def _mapped(path: Path, options: ReadOptions) -> npt.NDArray[Any]:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        assert isinstance(found, np.ndarray)
    except Exception:  # noqa: BLE001 - whatever it is, the loader of whole files has the words for it
        return load_array_file(path, options=options).items
    return found


def _of_array(path: Path, array: npt.NDArray[Any], options: ReadOptions) -> Stream:
    where = shown(path)
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where}: an array of shape {array.shape} has no items; give some")
    window, account = None, None
    if array.ndim > 2 or options.axes == "HW":
        array = channels_last(array, axes_of(array.shape, options.axes, where=where))
        # Before it is cut to pieces: what a piece holds says nothing about the range of all.
        window, account = window_of_array(array, options, where=where)
    settled = replace(options, window=window, axes=None if array.ndim < 4 else "NHWC")

    def pieces(start: int) -> Iterator[npt.NDArray[Any]]:
        for piece in _slices(array, start):
            yield _items(piece, settled, where=where)

    return _of_rows(str(path), _file_mark(path), len(array), pieces, lambda: account)


def _of_npz(path: Path, options: ReadOptions) -> Stream:
    """Read the rows of an .npz from the archive as they come: it is never unpacked as a whole."""
    where = shown(path)
    with (
        contextlib.suppress(OSError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(path) as file,
    ):
        keys = [name.removesuffix(".npy") for name in file.namelist()]
        key = find_items(keys, options)
        if key is not None and key != SERIES:
            with file.open(f"{key}.npy") as member:
                header = npy_header(member)
            if header is not None and header[0] and header[0][0] and header[1] == np.uint8:
                axes = axes_of(header[0], options.axes, where=where)
                if axes[0] == "N":
                    return _of_rows(
                        str(path),
                        _file_mark(path),
                        header[0][0],
                        lambda start: (
                            _items(rows, replace(options, axes=axes), where=where)
                            for rows in _unpacked(path, f"{key}.npy", start)
                        ),
                        lambda: Account(len(keys), 1, unit="arrays"),
                    )
    dataset = load_array_file(path, options=options)
    return _of_rows(
        str(path),
        _file_mark(path),
        len(dataset),
        lambda start: (_fitted(piece, options) for piece in _slices(dataset.items, start)),
        lambda: dataset.account,
    )


def _unpacked(path: Path, name: str, start: int) -> Iterator[npt.NDArray[Any]]:
    try:
        yield from unpacked(path, name, start)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{shown(path)} cannot be read as a NumPy file ({shown(error)}); write it again with "
            "numpy.savez"
        ) from None


def _items(rows: npt.NDArray[Any], options: ReadOptions, *, where: str) -> npt.NDArray[Any]:
    dataset = dataset_of_array(rows, where=where, options=options)
    if dataset.kind == "image":
        return _fitted(dataset.items, options)
    if options.resolution is not None or options.channels is not None:
        option = "`resolution`" if options.resolution is not None else "`channels`"
        raise DataError(f"{option} is for images, and {where} holds vectors; leave it out")
    return dataset.items


def _fitted(images: npt.NDArray[Any], options: ReadOptions) -> npt.NDArray[Any]:
    if images.ndim != 4:
        return images
    return fit_images(
        images, resolution=options.resolution, channels=options.channels, how=options.resize
    )


def _slices(array: npt.NDArray[Any], start: int) -> Iterator[npt.NDArray[Any]]:
    rows = max(1, BATCH_BYTES // max(1, array[:1].nbytes))
    for first in range(start, len(array), rows):
        yield array[first : first + rows]


def _of_rows(
    source: str,
    fingerprint: str,
    count: int,
    pieces: Callable[[int], Iterator[npt.NDArray[Any]]],
    account: Callable[[], Account | None],
) -> Stream:
    def batches(start: int) -> Iterator[Batch]:
        for items in pieces(start):
            yield Batch(items, np.arange(start, start + len(items)), ())
            start += len(items)

    return Stream(source, count, fingerprint, batches, account)


def _file_mark(path: Path) -> str:
    found = os.stat(path)  # noqa: PTH116 - one call, of files and links alike
    return f"{found.st_size} bytes, {found.st_mtime_ns}"
