"""Tables: CSV and Parquet files to columns, columns to vectors, by stated rules and never by guess.

A column is **numeric** if every cell is a finite number, holds **dates** if every cell is one in one
form, and is **categorical** if no cell is a number. A column that is both is an error that names the
first cell of the smaller part; ``categorical`` makes any column categorical. Among numbers and dates an
empty cell, or NA, N/A, NaN, null, None or ? in any case, is a missing value; among texts the empty cell
alone is, for a word may be a category. A row with missing values stays, and no value is a state of its
own (`rote.data.tables.schema`); a label must be there. Dates count as days since the first of the table.
What a column may hold is learned from one table, the training side; every other table is read by its
schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.account import Account, Treated, first_names, left_out
from rote.data.dataset import Dataset
from rote.data.labels import labels_of_array
from rote.data.messages import shown
from rote.data.tables.cells import category
from rote.data.tables.learn import float32_numbers, learned_schema, used_columns
from rote.data.tables.likeness import doubts
from rote.data.tables.readable import is_missing, number_of, unreadable_rows
from rote.data.tables.schema import Column, Schema
from rote.data.tables.table import Reading, Table

MOST_NAMED = 5


def dataset_of_table(table: Table, reading: Reading, *, skip_unreadable: bool = False) -> Dataset:
    """Encode a table as vectors, with its schema and labels.

    Parameters
    ----------
    table
        The cells.
    reading
        How to read them.
    skip_unreadable
        Leave out rows without a label, and rows with cells that the columns of ``reading.schema`` cannot
        hold; what they are called is in ``.unreadable``, and why in ``.account``.

    Returns
    -------
    Dataset
        Its schema is that of ``reading``, wider where cells miss a value in columns that have none
        missing there (`rote.data.tables.align`).

    Raises
    ------
    DataError
        If a cell or a column cannot be used as it is; the message names it and says what to do.

    >>> table = Table({"age": ["41", "7"], "pet": ["cat", "dog"]}, ("line 2", "line 3"), "example.csv")
    >>> dataset_of_table(table, Reading()).items.tolist()
    [[41.0, 1.0, 0.0], [7.0, 0.0, 1.0]]
    """
    used = used_columns(table, reading)
    total, unreadable = len(table), unreadable_rows(table, reading)
    if unreadable and not skip_unreadable:
        raise DataError(next(iter(unreadable.values())).message)
    rows = [row for row in range(total) if row not in unreadable]
    left = tuple(table.places[row] for row in unreadable)
    reasons = left_out((why.reason, "none", table.places[row]) for row, why in unreadable.items())
    if unreadable:
        table = table.take(rows)
    if not len(table):
        raise DataError(f"{shown(table.source)} has no rows to use; give a table with some")
    schema = reading.schema or learned_schema(table, used, reading)
    columns = [_with_gaps(table, column) for column in schema.columns]
    schema = replace(schema, columns=tuple(columns))
    blocks = [_encoded(table, column) for column in columns]
    labels, classes = _labels(table, schema)
    items = np.ascontiguousarray(np.concatenate(blocks, axis=1))
    names = tuple(f"row {row + 1}" for row in rows)
    return Dataset(
        items,
        labels=labels,
        classes=classes,
        names=names,
        source=table.source,
        unreadable=left,
        schema=schema,
        groups=_groups(table, reading.group),
        account=Account(
            total,
            len(rows),
            reasons,
            missing_values(items, schema, names),
            doubts(table, schema),
            unit="rows",
        ),
    )


def _groups(table: Table, column: str | None) -> tuple[str, ...] | None:
    """Return the group of each row by the cells of a column."""
    if column is None:
        return None
    texts = table.columns[column]
    if "" in texts:
        raise DataError(
            f"`group_by` {shown(column)}: {table.where(column, texts.index(''))} is empty; every row "
            "needs a group: name one, or leave the row out"
        )
    return tuple(category(text) for text in texts)


def missing_values(
    items: npt.NDArray[np.float32], schema: Schema, names: Sequence[str]
) -> tuple[Treated, ...]:
    """Say how many rows (N, D) in own units miss values, and in which columns."""
    found = [(column.name, column.empty(items[:, part])) for column, part in schema.parts()]
    rows = np.flatnonzero(np.logical_or.reduce([empty for _, empty in found]))
    if not len(rows):
        return ()
    counts = sorted(((int(empty.sum()), name) for name, empty in found), key=lambda c: -c[0])
    told = [f"{count:,} in '{shown(name)}'" for count, name in counts if count]
    more = f", and others in {len(told) - MOST_NAMED:,} more" if len(told) > MOST_NAMED else ""
    done = f"kept, no value being a state of its own; {', '.join(told[:MOST_NAMED])}{more}"
    first = first_names([names[row] for row in rows[:3]])
    return (Treated("rows with missing values", len(rows), done, first),)


def adopt(dataset: Dataset, schema: Schema) -> Dataset:
    """Return vectors as items of another table's schema, columns in its order.

    Parameters
    ----------
    dataset
        Vectors in their own units, of a table or not.
    schema
        The one to be taken over.

    Raises
    ------
    DataError
        If the vectors have other columns, or are no rows of such a table.
    """
    where = shown(dataset.source)
    if dataset.schema is not None:
        if dataset.schema.grid == schema.grid:
            return replace(dataset, schema=schema)
        rows = dataset.schema.cells(dataset.items)
        columns = {
            name: list(texts)
            for name, texts in zip(dataset.schema.names, zip(*rows, strict=True), strict=True)
        }
        table = Table(columns, dataset.names, dataset.source)
        found = dataset_of_table(table, Reading(schema=replace(schema, label=None, classes=())))
        assert found.schema is not None
        taken = replace(found.schema, label=schema.label, classes=schema.classes)
        return replace(dataset, items=found.items, schema=taken)
    if dataset.shape != (schema.width,):
        raise DataError(
            f"{where} holds items of shape {dataset.shape}, and the columns of the training table take "
            f"{schema.width} numbers; give a CSV or Parquet file with the same columns"
        )
    for column, part in schema.parts():
        block = np.sort(dataset.items[:, part], axis=1)
        if column.missing and not np.isin(dataset.items[:, part.stop - 1], (0, 1)).all():
            raise DataError(
                f"{where} does not say by 0 or 1 which rows miss a value of the column "
                f"'{shown(column.name)}' of the training table; give a CSV or Parquet file with the same "
                "columns"
            )
        if column.kind == "categorical" and (block != np.eye(column.width)[-1]).any():
            raise DataError(
                f"{where} does not hold one category a row for the column '{shown(column.name)}' of the "
                "training table; give a CSV or Parquet file with the same columns"
            )
    return replace(dataset, schema=schema)


def _with_gaps(table: Table, column: Column) -> Column:
    """Return a column, with a place for missing values if the table has some there and it has none."""
    if column.gaps or not any(is_missing(text, column) for text in table.columns[column.name]):
        return column
    return column.with_gaps(column.low)  # until `aligned` puts the mean of the training side there


def _encoded(table: Table, column: Column) -> npt.NDArray[np.float32]:
    """Return the numbers (N, width) of one column; all cells can be read."""
    texts = table.columns[column.name]
    empty = np.array([is_missing(text, column) for text in texts])
    if column.kind == "categorical":
        places = {text: number for number, text in enumerate(column.categories)}
        found = [
            places["" if gap else category(text)] for text, gap in zip(texts, empty, strict=True)
        ]
        return np.eye(column.width, dtype=np.float32)[found]
    numbers = [
        column.fill if gap else number_of(text, column)
        for text, gap in zip(texts, empty, strict=True)
    ]
    values = float32_numbers(table, column.name, numbers)
    return (
        np.stack([values, empty], axis=1, dtype=np.float32) if column.missing else values[:, None]
    )


def _labels(table: Table, schema: Schema) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    if schema.label is None or schema.label not in table.columns:
        return None, ()
    places = {text: number for number, text in enumerate(schema.classes)}
    texts = [category(text) for text in table.columns[schema.label]]
    numbers: npt.NDArray[Any] = np.array([places[text] for text in texts], np.int64)
    return labels_of_array(
        numbers, np.array(schema.classes), count=len(table), where=shown(table.source)
    )
