"""Images in the rows of Parquet files and of the Arrow files of a folder that `save_to_disk` wrote.

A column of images holds their encoded bytes, by themselves or in a struct with ``bytes`` and ``path``, as
Hugging Face's `datasets` has them; columns beside it hold captions and classes. By pyarrow alone. Rows
are read some at a time, in order; one that lies before what was just read begins its file anew.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.errors import DataError
from rote.core.installation import extra
from rote.core.mapped_pages import release_pages
from rote.data.captions.rows import TEXT_KEYS, first_text
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry, check_size
from rote.data.files.faults import FileState, watch
from rote.data.messages import first_few, shown

COLUMNAR = (".parquet", ".arrow")
_PICTURES = ("image", "img", "picture", "jpg", "jpeg", "png", "webp")
_BLOCK, _BLOCK_BYTES = 64, 16 * 2**20
"""Rows that are read together at most, and bytes that they take on average; about 64 rows are held."""


@dataclass(frozen=True)
class _Columns:
    """Which column holds the images, whether in a struct with their paths; captions; and classes.

    ``classes`` are the names that the file gives to the numbers of ``label``, if it does.
    """

    image: str
    struct: bool
    path: bool
    text: str | None
    label: str | None
    classes: tuple[str, ...]


def image_rows(path: Path, *, look: bool = False) -> list[Entry] | None:
    """Return an entry for every row of a Parquet or Arrow file; None where it holds no images.

    With ``look`` only its columns are looked at, and no entry is returned.

    Raises
    ------
    DataError
        If it cannot be read, holds images in several columns, or pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise DataError(f"{shown(path)} needs pyarrow; {extra('tables')}") from None
    try:
        file = _parquet(path) if path.suffix.lower() == ".parquet" else _arrow(path)
        columns = _columns(file.schema, where=shown(path))
        if columns is None:
            return None
        return [] if look else _entries(path, file, columns)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{shown(path)} cannot be read as {path.suffix[1:].capitalize()} ({shown(error)}); copy it "
            "again, or write it again"
        ) from None


def _entries(path: Path, file: _File, columns: _Columns) -> list[Entry]:
    wanted = [f"{columns.image}.path"] if columns.path else []
    wanted += [name for name in (columns.text, columns.label) if name]
    names: list[str | None] = []
    texts: list[str | None] = []
    labels: list[Any] = []
    if wanted:
        for batch in file.batches(wanted, 0):
            if columns.path:
                names += [row and row["path"] for row in batch.column(columns.image).to_pylist()]
            if columns.text:
                texts += [first_text(text) for text in batch.column(columns.text).to_pylist()]
            if columns.label:
                labels += batch.column(columns.label).to_pylist()
    count = file.rows
    told = [name.replace("\\", "/").lstrip("/") for name in names if name]
    if len(set(told)) < count:
        told = [f"{row:0{len(str(count - 1))}d}" for row in range(count)]
    # A class is the first folder of a path, as of files.
    folders = _folders(labels, columns.classes) or [""] * count
    rows = _Rows(file, columns)
    return [
        Entry(
            name,
            _Row(rows, row),
            folders[row] + name,
            file=path,
            caption=texts[row] if texts else None,
            declared=True,
        )
        for row, name in enumerate(told)
    ]


def _folders(labels: list[Any], classes: tuple[str, ...]) -> list[str]:
    """Return the folder of each row's class; none where a row has none."""
    if not labels or None in labels:
        return []
    if isinstance(labels[0], int):
        width = len(str(max(labels)))
        named = all(0 <= label < len(classes) for label in labels)
        labels = [classes[label] if named else f"{label:0{width}d}" for label in labels]
    return [f"{str(label).replace('/', '-')}/" for label in labels]


def _columns(schema: Any, *, where: str) -> _Columns | None:
    """Tell the columns by their types and names."""
    from pyarrow import types

    def binary(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    found: dict[str, tuple[bool, bool]] = {}
    for field in schema:
        if types.is_struct(field.type):
            inner = {part.name: part.type for part in field.type}
            if "bytes" in inner and binary(inner["bytes"]):
                found[field.name] = (True, "path" in inner)
        elif binary(field.type):
            found[field.name] = (False, False)
    if not found:
        return None
    known = [name for name in _PICTURES if name in found]
    if len(found) > 1 and len(known) != 1:
        raise DataError(
            f"{where} holds bytes in the columns {first_few(sorted(found))}; name the one with the "
            "images 'image' and no other so, or leave the others out"
        )
    image = (known or list(found))[0]
    lower = {name.lower(): name for name in schema.names}
    text = next((lower[key] for key in TEXT_KEYS if key in lower), None)
    label = next((lower[key] for key in ("label", "labels") if key in lower), None)
    if label and not (types.is_integer(kind := schema.field(label).type) or types.is_string(kind)):
        label = None
    return _Columns(image, *found[image], text, label, _classes(schema, label))


def _classes(schema: Any, label: str | None) -> tuple[str, ...]:
    """Return the names of classes that `datasets` noted in the file."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = told["info"]["features"][label]["names"]
        return tuple(str(name) for name in names)
    except (ValueError, KeyError, TypeError):
        return ()


@dataclass(frozen=True)
class _File:
    """A way into a file.

    Attributes
    ----------
    schema, rows
        Its columns, and how many rows it has.
    block
        Rows that are read together.
    batches
        Yields batches of some columns from a row on, each of ``block`` rows or fewer.
    """

    schema: Any
    rows: int
    block: int
    batches: Callable[[list[str], int], Iterator[Any]]


def _block(path: Path, rows: int) -> int:
    """Return how many rows are read together, by the bytes of all."""
    return max(1, min(_BLOCK, _BLOCK_BYTES * rows // max(1, path.stat().st_size)))


def _parquet(path: Path) -> _File:
    from pyarrow import parquet

    def batches(columns: list[str], start: int) -> Iterator[Any]:
        # With a buffer, or a group of rows would be read as a whole.
        with parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
            ends = list(itertools.accumulate(sizes))
            groups = [n for n, end in enumerate(ends) if end > start]
            before = ends[groups[0]] - sizes[groups[0]] if groups else start
            found = file.iter_batches(block, row_groups=groups, columns=columns, use_threads=False)
            yield from _from(found, start - before)

    with parquet.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        block = _block(path, rows)
        return _File(file.schema_arrow, rows, block, batches)


def _arrow(path: Path) -> _File:
    import pyarrow

    def read(source: Any) -> Iterator[Any]:
        try:
            yield from pyarrow.ipc.open_stream(source)
        except pyarrow.ArrowInvalid:  # the other of the two forms, which ends with an index
            source.seek(0)
            file = pyarrow.ipc.open_file(source)
            yield from (file.get_batch(n) for n in range(file.num_record_batches))

    def batches(columns: list[str], start: int) -> Iterator[Any]:
        names = [column.split(".")[0] for column in columns]
        pieces = (batch.select(names) for batch in read(pyarrow.BufferReader(buffer)))
        for batch in _from(pieces, start):
            for at in range(0, batch.num_rows, block):
                yield batch.slice(at, block)
                release_pages(mapped)

    # Batches are larger than blocks: of a mapped file only what is asked for is read.
    state = FileState.now(path)
    mapped = np.memmap(path, np.uint8, mode="r")
    watch(mapped, state)
    buffer = pyarrow.py_buffer(mapped)
    rows, schema = 0, pyarrow.schema([])
    for batch in read(pyarrow.BufferReader(buffer)):
        schema, rows = batch.schema, rows + batch.num_rows
    block = _block(path, rows)
    return _File(schema, rows, block, batches)


def _from(batches: Iterator[Any], start: int) -> Iterator[Any]:
    """Yield batches without their first rows."""
    for batch in batches:
        if start < batch.num_rows:
            yield batch.slice(start)
        start = max(0, start - batch.num_rows)


class _Rows:
    """The images of a file: the last blocks that were read, and where reading goes on."""

    def __init__(self, file: _File, columns: _Columns) -> None:
        self._file, self._columns = file, columns
        self._lock = threading.Lock()
        self._blocks: dict[int, list[Any]] = {}
        self._coming: Iterator[Any] = iter(())
        self._next = file.rows
        self._kept = 2 + _BLOCK // file.block

    def image(self, row: int) -> bytes:
        """Return the encoded image of a row."""
        with self._lock:
            content = self._held(row)
        if isinstance(content, dict):
            content = content["bytes"]
        if content is None:
            raise UnreadableImageError("no bytes of an image in this row")
        check_size(len(content))
        return bytes(content)

    def _held(self, row: int) -> Any:
        for first, block in self._blocks.items():
            if first <= row < first + len(block):
                return block[row - first]
        if not self._next <= row <= self._next + self._kept * self._file.block:
            name = f"{self._columns.image}.bytes" if self._columns.struct else self._columns.image
            self._coming, self._next = self._file.batches([name], row), row
            self._blocks.clear()
        while row >= self._next:
            batch = next(self._coming, None)
            if batch is None:
                raise UnreadableImageError("the file has fewer rows than it says")
            self._blocks[self._next] = batch.column(self._columns.image).to_pylist()
            self._next += batch.num_rows
            if len(self._blocks) > self._kept:
                del self._blocks[min(self._blocks)]
        return self._held(row)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """Reads the image of one row."""

    rows: _Rows
    row: int

    def __call__(self, size: int | None) -> bytes:
        return self.rows.image(self.row)[:size]
