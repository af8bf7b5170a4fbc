"""The cells of CSV and Parquet files, and of data frames."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.errors import DataError
from rote.core.installation import extra
from rote.data.dataset import Dataset
from rote.data.messages import first_few, shown, storable
from rote.data.tables.cells import number
from rote.data.tables.encode import dataset_of_table
from rote.data.tables.schema import Schema
from rote.data.tables.table import Reading, Table

TABLE_EXTENSIONS = (".csv", ".tsv", ".parquet")


def load_table(source: Any, reading: Reading, *, skip_unreadable: bool) -> Dataset:
    """Read a path or a frame and encode it as `rote.data.tables.encode.dataset_of_table` does."""
    ignore = tuple(name for name in reading.ignore if name != reading.group)
    if not isinstance(source, Path):
        table = read_frame(source, ignore=ignore)
    elif source.suffix.lower() == ".parquet":
        table = read_parquet(source, ignore=ignore)
    else:
        table = read_csv(source)
    return dataset_of_table(table, reading, skip_unreadable=skip_unreadable)


def read_csv(path: Path) -> Table:
    """Read a CSV file with a header, in UTF-8.

    Cells are parted by tabs in a .tsv file, else by the first of comma, semicolon and tab that the header
    has.

    Raises
    ------
    DataError
        If it is no such file, or a row is longer or shorter than the header.
    """
    where = shown(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            found = [mark for mark in (",", ";", "\t") if mark in first]
            comma = "\t" if path.suffix.lower() == ".tsv" else [*found, ","][0]
            rows = csv.reader(handle, delimiter=comma, strict=True)
            names = _header([name.strip() for name in next(rows, [])], where)
            lines, cells = [], []
            for row in rows:
                if not row and len(names) > 1:
                    continue  # an empty line, such as the last one
                row = row or [""]  # of a single column: no value, unless it ends the file
                if len(row) != len(names):
                    raise DataError(
                        f"{where}, line {rows.line_num} has {len(row)} cells, and the header names "
                        f"{len(names)} columns; repair that line"
                    )
                lines.append(f"line {rows.line_num}")
                cells.append([cell.strip() for cell in row])
            while len(names) == 1 and cells and cells[-1] == [""]:
                del lines[-1], cells[-1]
    except UnicodeDecodeError:
        raise DataError(f"{where} is not UTF-8; save it again as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{where} cannot be read as CSV ({shown(error)}); write it again") from None
    if not cells:
        raise DataError(f"{where} has a header and no rows; give a table with some")
    columns = {
        name: list(texts) for name, texts in zip(names, zip(*cells, strict=True), strict=True)
    }
    return Table(columns, tuple(lines), storable(str(path)))


def _header(names: Sequence[str], where: str) -> list[str]:
    """Check the names of the columns."""
    if not names:
        raise DataError(f"{where} is empty; give a table whose first line names the columns")
    empty = [place for place, name in enumerate(names, start=1) if not name]
    if empty:
        raise DataError(
            f"{where}: column {empty[0]} has no name in the first line; name it (an index that pandas "
            "wrote? write the table again with index=False)"
        )
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise DataError(f"{where} has two columns named '{shown(twice[0])}'; rename one of them")
    if all(number(name) is not None for name in names):
        raise DataError(
            f"{where} begins with numbers ({first_few(names)}); a first line that names the columns is "
            "expected: add one"
        )
    return [storable(name) for name in names]


def read_parquet(path: Path, *, ignore: Sequence[str] = ()) -> Table:
    """Read a Parquet file; needs pyarrow."""
    where = shown(path)
    pyarrow = _pyarrow(f"{where} is a Parquet file", "give a CSV file")
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{where} cannot be read as Parquet ({shown(error)}); write it again"
        ) from None
    return _of_arrow(table, storable(str(path)), ignore=ignore)


def is_frame(source: object) -> bool:
    """Return whether an object is a data frame: of pandas, polars, pyarrow or their like."""
    return hasattr(source, "__arrow_c_stream__")


def read_frame(source: Any, *, ignore: Sequence[str] = ()) -> Table:
    """Read a data frame as the CSV file that it would be; an index is no column. Needs pyarrow."""
    where = type(source).__name__
    pyarrow = _pyarrow(f"`source` is a {where}", "write it to a CSV file")
    try:
        if hasattr(source, "iloc"):  # pandas, whose own stream would have the index
            table = pyarrow.Table.from_pandas(source, preserve_index=False)
        else:
            table = pyarrow.table(source)
    except (AttributeError, TypeError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(
            f"`source` is a {shown(where)} that is no table ({shown(error)}); give a frame whose columns "
            "hold one type each"
        ) from None
    return _of_arrow(table, where, ignore=ignore)


def _pyarrow(what: str, otherwise: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise DataError(f"{what}, which needs pyarrow; {extra('tables')}, or {otherwise}") from None
    return pyarrow


def _of_arrow(table: Any, where: str, *, ignore: Sequence[str]) -> Table:
    """Return the cells of an Arrow table.

    Numbers, texts, truth values, dates and dictionaries of them are read; all else is an error, but in
    columns to ``ignore``, which are not looked at.
    """
    names = _header([str(name) for name in table.column_names], where)
    columns = {
        name: [""] * table.num_rows if name in ignore else _texts(table.column(place), name, where)
        for place, name in enumerate(names)
    }
    if not table.num_rows:
        raise DataError(f"{where} has no rows; give a table with some")
    return Table(columns, tuple(f"row {row + 1}" for row in range(table.num_rows)), where)


def _texts(column: Any, name: str, where: str) -> list[str]:
    """Return the cells of an Arrow column as the texts that a CSV file would have."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    dates = (types.is_date, types.is_timestamp)
    plain = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, *dates)
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    if not any(known(kind) for known in (*plain, *texts)):
        raise DataError(
            f"{where}, column '{shown(name)}' is of type {shown(kind)}; numbers, texts, truth values and "
            f"dates can be used: convert it, or give `ignore` '{shown(name)}'"
        )
    if types.is_timestamp(kind):
        import pyarrow

        column = column.cast(pyarrow.timestamp("us", kind.tz), safe=False)  # as Python's own dates
    return ["" if value is None else str(value).strip() for value in column.to_pylist()]


def table_rows(dataset: Dataset) -> Iterator[list[str]]:
    """Yield the rows of a table in its own units, header first, labels last."""
    schema = dataset.schema
    assert schema is not None
    assert dataset.scaling is None
    labels = _label_texts(dataset, schema)
    yield [*schema.names, *([] if labels is None else [schema.label or ""])]
    for row, cells in enumerate(schema.cells(dataset.items)):
        yield [*cells, *([] if labels is None else [labels[row]])]


def _label_texts(dataset: Dataset, schema: Schema) -> list[str] | None:
    """Return the class of each row by its name, where there are labels and a column for them."""
    if dataset.labels is None or schema.label is None:
        return None
    classes = schema.classes or dataset.classes
    known = int(np.max(dataset.labels, initial=0)) < len(classes)
    return [classes[k] if known else str(k) for k in dataset.labels.tolist()]
