"""Captions: a text per image from metadata files, as Hugging Face's imagefolder has them, or from texts.

`metadata.jsonl` (one object a line) or `metadata.csv` among the images, in a folder or in an archive,
with `file_name`, relative to the file, and `text` (or `caption`, or `prompt`) in each row. Or one `.txt`
file of the same name beside every image. Captions are untrusted text, and nothing but text.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.files.archives import Entry, hidden, is_archive, open_files
from rote.data.files.decode import UnreadableImageError
from rote.data.messages import first_few, shown, storable

FILES = ("metadata.jsonl", "metadata.csv")
_TEXT_KEYS = ("text", "caption", "prompt")
Captions = tuple[npt.NDArray[np.int64], tuple[str, ...]]


def find_captions(source: str, names: Sequence[str]) -> Captions:
    """Return the caption of every image of a folder or an archive, from what lies in it.

    Parameters
    ----------
    source
        The folder or archive.
    names
        Relative names of the images, "/" between folders.

    Returns
    -------
    tuple
        int64 (N,), positions in the sorted distinct captions, and these.

    Raises
    ------
    DataError
        If the source is neither, holds no captions, or leaves an image without one; as `load_captions`.
    """
    path = Path(source).expanduser()
    if path.is_dir() or (path.is_file() and is_archive(path)):
        with open_files(path) as files:
            visible = {entry.name: entry for entry in files if not hidden(entry.name)}
            tables = [entry for name, entry in visible.items() if _base(name) in FILES]
            if tables:
                table: dict[str, str] = {}
                for entry in tables:
                    below = _plain(entry.name).removesuffix(_base(entry.name))
                    where = f"{shown(source)}: {shown(entry.name)}"
                    _add_rows(table, _stored(entry), where=where, below=below)
                return _numbered(table, names, where=shown(source))
            texts = {_stem(name): entry for name, entry in visible.items() if name.endswith(".txt")}
            beside = [texts[stem] for stem in map(_stem, names) if stem in texts]
            if beside:
                table = {
                    name: _text(_stored(texts[_stem(name)])).strip()
                    for name in map(_plain, names)
                    if _stem(name) in texts
                }
                return _numbered(table, names, where=f"{shown(source)}: its .txt files")
    raise DataError(
        f"`cluster_by` caption: {shown(source)} has no {' or '.join(FILES)} (rows of file_name, "
        "text) and no "
        ".txt file beside each image; give such a file with `captions`"
    )


def load_captions(path: Path, names: Sequence[str]) -> Captions:
    """Return the caption of every image from a metadata file.

    Parameters
    ----------
    path
        A .jsonl or .csv file.
    names
        Relative names of the images, "/" between folders.

    Returns
    -------
    tuple
        As `find_captions`.

    Raises
    ------
    DataError
        If the file cannot be read, has other columns, names a file twice, or leaves an image without a
        caption.
    """
    table: dict[str, str] = {}
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"`captions` {shown(path)} does not exist") from None
    except OSError as error:
        raise DataError(
            f"{shown(path)} cannot be read ({error.strerror}); write it again"
        ) from None
    _add_rows(table, content, where=shown(path))
    return _numbered(table, names, where=shown(path))


def _add_rows(table: dict[str, str], content: bytes, *, where: str, below: str = "") -> None:
    """Add the captions of one metadata file; its names are relative to the folder ``below``."""
    for number, row in _rows(content, is_csv=where.lower().endswith(".csv"), where=where):
        name = row.get("file_name")
        text = next((row[key] for key in _TEXT_KEYS if key in row), None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise DataError(
                f"{where}, row {number}: expected are file_name and text, both texts, and it has "
                f"{first_few(sorted(map(str, row)))}"
            )
        if table.setdefault(below + _plain(name), text) != text:
            raise DataError(f"{where}, row {number}: {shown(name)} has two captions; keep one")


def _numbered(table: dict[str, str], names: Sequence[str], *, where: str) -> Captions:
    keys = [_plain(name) for name in names]
    # Every page of a file has the caption of the file.
    keys = [key if key in table else re.sub(r"#\d+$", "", key) for key in keys]
    missing = [name for name, key in zip(names, keys, strict=True) if key not in table]
    if missing:
        raise DataError(
            f"{where} has no caption for {len(missing):,} of {len(names):,} images "
            f"({first_few(missing)}); caption every image"
        )
    texts = [storable(table[key]) for key in keys]
    distinct = sorted(set(texts))
    place = {text: number for number, text in enumerate(distinct)}
    return np.array([place[text] for text in texts], np.int64), tuple(distinct)


def _plain(name: str) -> str:
    """Return a name as it is compared: composed letters, "/" between folders, none before it."""
    composed = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return composed.strip("/").removeprefix("./")


def _base(name: str) -> str:
    return _plain(name).split("/")[-1]


def _stem(name: str) -> str:
    return re.sub(r"(\.[^./]*)?(#\d+)?$", "", _plain(name))


def _stored(entry: Entry) -> bytes:
    try:
        return entry.stored()
    except UnreadableImageError as error:
        raise DataError(f"{shown(entry.name)} cannot be read ({error}); write it again") from None


def _text(content: bytes) -> str:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def _rows(content: bytes, *, is_csv: bool, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a file with their line numbers."""
    try:
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        lines = io.StringIO(content.decode("utf-16" if wide else "utf-8-sig"), newline="")
        if is_csv:
            reader = csv.DictReader(lines)
            for row in reader:
                yield reader.line_num, row
            return
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise DataError(f"{where}, row {number} is no JSON object")
                yield number, found
    except (ValueError, csv.Error, RecursionError) as error:
        raise DataError(f"{where} cannot be read ({shown(error)}); write it again") from None
