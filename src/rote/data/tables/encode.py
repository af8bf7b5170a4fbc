"""Tables: CSV and Parquet files to columns, columns to vectors, by stated rules and never by guess.

A column is **numeric** if every cell is a finite number, holds **dates** if every cell is one in one
form, and is **categorical** if no cell is a number. A column that is both is an error that names the
first cell of the smaller part; ``categorical`` makes any column categorical. Among numbers and dates an
empty cell, or NA, N/A, NaN, null, None or ? in any case, is a missing value and an error; among texts
the empty cell alone is, for a word may be a category. Dates count as days since the first of the table.
What a column may hold is learned from one table, the training side; every other table is read by its
schema.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.account import Account
from rote.data.dataset import Dataset
from rote.data.labels import labels_of_array
from rote.data.messages import first_few, shown
from rote.data.tables.cells import (
    ISO,
    category,
    date,
    days_since,
    looks_like_code,
    number,
)
from rote.data.tables.learn import float32_numbers, learned_schema, missing_values, used_columns
from rote.data.tables.schema import Column, Schema
from rote.data.tables.table import Reading, Table


def dataset_of_table(table: Table, reading: Reading, *, skip_missing: bool = False) -> Dataset:
    """Encode a table as vectors, with its schema and labels.

    Parameters
    ----------
    table
        The cells.
    reading
        How to read them.
    skip_missing
        Leave out rows with missing values; what they are called is in ``.unreadable``.

    Raises
    ------
    DataError
        If a cell or a column cannot be used as it is; the message names it and says what to do.

    >>> table = Table({"age": ["41", "7"], "pet": ["cat", "dog"]}, ("line 2", "line 3"), "example.csv")
    >>> dataset_of_table(table, Reading()).items.tolist()
    [[41.0, 1.0, 0.0], [7.0, 0.0, 1.0]]
    """
    used = used_columns(table, reading)
    missing = missing_values(table, used, reading)
    if missing and not skip_missing:
        row, name = missing[0]
        more = len({row for row, _ in missing}) - 1
        raise DataError(
            f"{table.where(name, row)} has no value"
            f"{f' ({more:,} more rows miss some)' if more else ''}; fill it in, or leave such rows out "
            f"with `skip_unreadable`{_or_category(table.columns[name][row], name)}"
        )
    left_out = sorted({row for row, _ in missing})
    rows = np.delete(np.arange(len(table)), left_out).tolist()
    unreadable = tuple(table.places[row] for row in left_out)
    if left_out:
        table = table.take(rows)
    if not len(table):
        raise DataError(f"{shown(table.source)} has no rows to use; give a table with some")
    schema = reading.schema or learned_schema(table, used, reading)
    blocks = [_encoded(table, column, learned=reading.schema is None) for column in schema.columns]
    labels, classes = _labels(table, schema)
    return Dataset(
        np.ascontiguousarray(np.concatenate(blocks, axis=1)),
        labels=labels,
        classes=classes,
        names=tuple(f"row {row + 1}" for row in rows),
        source=table.source,
        unreadable=unreadable,
        schema=schema,
        account=_codes(table, schema, read=len(rows), left_out=len(left_out)),
    )


def _or_category(text: str, name: str) -> str:
    return (
        f", or, if '{shown(text)}' is a category, give `categorical` '{shown(name)}'"
        if text
        else ""
    )


def _codes(table: Table, schema: Schema, *, read: int, left_out: int) -> Account | None:
    """Say which columns of numbers look like codes, such as 01653."""
    notes = []
    for column in schema.columns:
        if column.kind == "numeric" and not column.date:
            found = next((t for t in table.columns[column.name] if looks_like_code(t)), None)
            if found is not None:
                notes.append(
                    f"column '{shown(column.name)}' is taken as numbers, and '{shown(found)}' looks like "
                    f"a code: give `categorical` or `ignore` '{shown(column.name)}' if it is one"
                )
    return Account(read + left_out, read, notes=tuple(notes), unit="rows") if notes else None


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
        return replace(dataset, items=found.items, schema=schema)
    if dataset.shape != (schema.width,):
        raise DataError(
            f"{where} holds items of shape {dataset.shape}, and the columns of the training table take "
            f"{schema.width} numbers; give a CSV or Parquet file with the same columns"
        )
    for column, part in schema.parts():
        block = np.sort(dataset.items[:, part], axis=1)
        if column.kind == "categorical" and (block != np.eye(column.width)[-1]).any():
            raise DataError(
                f"{where} does not hold one category a row for the column '{shown(column.name)}' of the "
                "training table; give a CSV or Parquet file with the same columns"
            )
    return replace(dataset, schema=schema)


def _encoded(table: Table, column: Column, *, learned: bool) -> npt.NDArray[np.float32]:
    """Return the numbers (N, width) of one column."""
    texts = table.columns[column.name]
    if column.kind == "numeric":
        if column.date:
            first = datetime.fromisoformat(column.first)
            moments = [date(text, column.date) or date(text, ISO) for text in texts]
            numbers = [
                None if moment is None else days_since([moment], first)[0] for moment in moments
            ]
        else:
            numbers = [number(text) for text in texts]
        wrong = [row for row, value in enumerate(numbers) if value is None]
        if wrong:
            kind = "holds dates" if column.date else "is numeric"
            raise DataError(
                f"{table.where(column.name, wrong[0])} holds '{shown(texts[wrong[0]])}', and the column "
                f"{kind} in the training table; repair {len(wrong):,} "
                f"cell{'s' if len(wrong) > 1 else ''}, or give `categorical` '{shown(column.name)}' or "
                f"`ignore` '{shown(column.name)}'"
            )
        return float32_numbers(table, column.name, numbers)[:, None]
    places = {text: number for number, text in enumerate(column.categories)}
    found = [places.get(category(text), -1) for text in texts]
    if -1 in found:
        assert not learned
        row = found.index(-1)
        unseen = Counter(text for text, place in zip(texts, found, strict=True) if place < 0)
        raise DataError(
            f"{table.where(column.name, row)} holds '{shown(texts[row])}', which is none of the "
            f"{len(column.categories)} categories of the training table "
            f"({first_few(column.categories)}); repair {unseen.total():,} "
            f"cell{'s' if unseen.total() > 1 else ''}, or give `ignore` '{shown(column.name)}'"
        )
    return np.eye(column.width, dtype=np.float32)[found]


def _labels(table: Table, schema: Schema) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    if schema.label is None or schema.label not in table.columns:
        return None, ()
    places = {text: number for number, text in enumerate(schema.classes)}
    texts = [category(text) for text in table.columns[schema.label]]
    unknown = [row for row, text in enumerate(texts) if text not in places]
    if unknown:
        row = unknown[0]
        raise DataError(
            f"{table.where(schema.label, row)} holds the label '{shown(texts[row])}', which is none of "
            f"the {len(schema.classes)} of the training table ({first_few(schema.classes)}); "
            f"repair it, or give `ignore` '{shown(schema.label)}'"
        )
    numbers: npt.NDArray[Any] = np.array([places[text] for text in texts], np.int64)
    return labels_of_array(
        numbers, np.array(schema.classes), count=len(table), where=shown(table.source)
    )
