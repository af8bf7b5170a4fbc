"""Files of a source without its duplicates: copied as they are, with their captions; the way back."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rote.core.atomic_files import one_line_io, write_file, write_npz
from rote.core.errors import ConfigError, DataError, RunError
from rote.core.progress.work import counted
from rote.data.captions.find import METADATA as CAPTIONS
from rote.data.captions.find import SIDECARS, captioned, stored
from rote.data.captions.names import base, plain, stem
from rote.data.captions.rows import decoded, mark_of, name_of
from rote.data.containers.columns import COLUMNAR
from rote.data.dataset import Dataset
from rote.data.files.archives import hidden, is_archive, open_files
from rote.data.files.arrays import arrays_of
from rote.data.files.decode import header_of
from rote.data.files.entry import Entry
from rote.data.files.listing import SIDECAR
from rote.data.files.sniff import extension_of
from rote.data.load import load_images
from rote.data.messages import shown, storable
from rote.data.named.names import named_sources
from rote.data.options import ReadOptions
from rote.results.mitigation.dedup import DedupFile

Entries = dict[str, Entry]
"""Files that are not hidden, by their names."""


@contextlib.contextmanager
def opened(source: Any, options: ReadOptions) -> Iterator[Entries | None]:
    """Yield the files of a source that is a folder or an archive; None of all else.

    Raises
    ------
    ConfigError
        If the images are pages of files, or lie in several archives.
    """
    if not isinstance(source, str | Path) or str(source) in named_sources():
        yield None
        return
    path = Path(source).expanduser()
    # An npz file is a zip archive, of arrays; rows of images are no files.
    array = path.suffix.lower() in (".npz", ".npy", *COLUMNAR)
    if not path.is_dir() and (array or not path.is_file() or not is_archive(path)):
        yield None
        return
    if options.frames != "first":
        raise ConfigError("`frames` all makes one file several images; leave it at first")
    with open_files(path) as files:
        if any(entry.name != entry.path for entry in files):
            raise ConfigError(
                f"{shown(path)} is a folder of archives; unpack them, or give one of them"
            )
        yield {storable(entry.name): entry for entry in files if not hidden(entry.name)}


def size_of(entry: Entry) -> tuple[int, int]:
    """Return the pixels and the bytes of an image.

    Raises
    ------
    DataError
        If its file does not tell.
    """
    content = stored(entry)
    header = header_of(content)
    if header is None:
        raise DataError(
            f"{shown(entry.name)} does not say how large it is; give `keep` first or sharpest"
        )
    return header.width * header.height, len(content)


def sha256_of(entry: Entry) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(stored(entry)).hexdigest()


def check_new(out: Path, *, files: bool) -> Path:
    """Refuse a place that holds something, or is of the wrong kind.

    Raises
    ------
    ConfigError
        One line.
    """
    if files and (out.suffix == ".npz" or (out.exists() and not out.is_dir())):
        raise ConfigError(f"`out` {out}: images of files are kept as files; give a new folder")
    if not files and out.suffix != ".npz":
        raise ConfigError(f"`out` {out}: images of an array are kept as one; give a new .npz file")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ConfigError(f"`out` {out} holds something already; give a new one")
    return out


def write_array(path: Path, dataset: Dataset) -> None:
    """Write the images of an array, with labels, as one npz file."""
    arrays = arrays_of(dataset)
    if dataset.labels is not None:
        arrays["classes"] = np.array(dataset.classes)
    write_npz(path, arrays)


def write_clean(
    entries: Entries, names: Sequence[str], dropped: set[str], out: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Copy all images but the dropped ones, with their captions and labels, all or none.

    Returns
    -------
    tuple
        The files of captions that were changed, and the captions of the dropped images.

    Raises
    ------
    DataError
        If a name cannot be that of a file of a folder, or captions cannot be read.
    RunError
        If something cannot be written.
    """
    kept = [name for name in names if name not in dropped]
    texts, lists = _captioned(names, entries)
    captions = {name: texts[name] for name in sorted(dropped) if name in texts}
    copied = [*kept, *_beside(kept, entries), *lists]
    changed = []
    with one_line_io(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as held:
            folder = Path(held, "clean")
            for name in counted(copied, "files copied"):
                write_file(folder / _safe(name), stored(entries[name]))
            for name in (name for name in entries if base(name) in (*CAPTIONS, SIDECAR)):
                content = stored(entries[name])
                if base(name) in CAPTIONS:
                    content, changes = _without(content, name, dropped)
                    changed += [name] if changes else []
                write_file(folder / _safe(name), content)
            if out.exists():
                out.rmdir()
            folder.replace(out)
    return tuple(changed), captions


def restore(told: DedupFile, place: Path, *, options: ReadOptions) -> None:
    """Write what was dropped back to its place, once all of it is there as it was.

    Raises
    ------
    RunError
        If the source is not there any more, or has changed.
    """
    assert told.source is not None
    try:
        if place.suffix == ".npz":
            dataset = load_images(told.source, options=options)
            if dataset.digest != told.digest:
                raise DataError("its images are others now")
            write_array(place, dataset)
            return
        with opened(told.source, ReadOptions()) as entries:
            if entries is None:
                raise DataError("it is no folder or archive now")
            for row in told.dropped:
                content = stored(entries[row.name]) if row.name in entries else b""
                if hashlib.sha256(content).hexdigest() != row.sha256:
                    raise DataError(f"{shown(row.name)} is not what it was")
            names = [row.name for row in told.dropped]
            for name in counted([*names, *_beside(names, entries), *told.captions], "files copied"):
                write_file(place / _safe(name), stored(entries[name]))
    except (DataError, ConfigError, KeyError) as error:
        raise RunError(
            f"what was dropped cannot be taken from {told.source} again ({error}); nothing was put back"
        ) from None


def _captioned(names: Sequence[str], entries: Entries) -> tuple[dict[str, str], list[str]]:
    """Return the caption of every image that has one, and the lists of captions for all, as COCO's."""
    among = set(names)
    others = [entry for name, entry in entries.items() if name not in among]
    found = captioned([entries[name] for name in names], others, where="`source`")
    pairs = zip(names, found.images, strict=True)
    texts = {name: image.caption for name, image in pairs if image.caption is not None}
    beside = {stem(name) for name in names}
    lists = [
        name
        for name, entry in entries.items()
        if entry.name in found.files and base(name) not in CAPTIONS and stem(name) not in beside
    ]
    return texts, lists


def _beside(names: Sequence[str], entries: Entries) -> list[str]:
    """Return the files of captions that lie beside images under their names."""
    stems = {stem(name) for name in names}
    return [name for name in entries if extension_of(name) in SIDECARS and stem(name) in stems]


def _safe(name: str) -> PurePosixPath:
    """Return a relative name as a path that stays within its folder.

    Raises
    ------
    DataError
        If it leads elsewhere.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise DataError(f"{shown(name)} is no name of a file within a folder; rename it")
    return path


def _without(content: bytes, name: str, dropped: set[str]) -> tuple[bytes, bool]:
    """Return a file of captions without the rows of dropped images, and whether it had any."""
    below = plain(name).removesuffix(base(name))
    lines, kept = io.StringIO(decoded(content), newline=""), io.StringIO(newline="")
    wanted, gone = {plain(image) for image in dropped}, 0

    def taken_out(row: Any) -> bool:
        nonlocal gone
        image = name_of(row)
        hit = image is not None and below + plain(image) in wanted
        gone += hit
        return hit

    try:
        if name.endswith(".csv"):
            mark = mark_of(lines)
            reader = csv.DictReader(lines, delimiter=mark)
            writer = csv.DictWriter(
                kept, reader.fieldnames or [], delimiter=mark, lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(row for row in reader if not taken_out(row))
        else:
            kept.writelines(
                line for line in lines if not line.strip() or not taken_out(json.loads(line))
            )
    except (ValueError, csv.Error) as error:
        raise DataError(f"{shown(name)} cannot be read ({shown(error)}); write it again") from None
    return (kept.getvalue().encode() if gone else content), bool(gone)
