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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError, did_you_mean
from rote.data.account import Account
from rote.data.dataset import Dataset
from rote.data.labels import labels_of_array
from rote.data.messages import first_few, shown
from rote.data.tables.cells import (
    ISO,
    MISSING,
    category,
    date,
    date_forms,
    days_since,
    looks_like_code,
    number,
)
from rote.data.tables.schema import Column, Schema, numeric_column

MOST_CATEGORIES = 1000
FEW_CATEGORIES = 20
"""So many are accepted however few rows there are; above, each must come twice on average."""


@dataclass(frozen=True)
class Reading:
    """How a table is to be read.

    Attributes
    ----------
    categorical
        Columns that are categorical although their cells are numbers.
    label
        The column of labels; it is then no part of the vectors.
    ignore
        Columns that are left out.
    schema
        Of the training side; None learns it from the table itself.
    """

    categorical: tuple[str, ...] = ()
    label: str | None = None
    ignore: tuple[str, ...] = ()
    schema: Schema | None = None

    @property
    def asked(self) -> bool:
        """Whether anything was asked that only tables can do."""
        return bool(self.categorical or self.label or self.ignore)


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a table, as texts.

    Attributes
    ----------
    columns
        The texts (N,) of each column, by name, in the order of the file.
    places
        What each row is called in messages, such as "line 7".
    source
        The file, for a person.
    """

    columns: dict[str, list[str]]
    places: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.places)

    def where(self, name: str, row: int) -> str:
        """Name one cell."""
        return f"{shown(self.source)}, {self.places[row]}, column '{shown(name)}'"

    def take(self, rows: Sequence[int]) -> Table:
        """Return some of the rows."""
        columns = {name: [texts[i] for i in rows] for name, texts in self.columns.items()}
        return Table(columns, tuple(self.places[i] for i in rows), self.source)


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
    used = _used(table, reading)
    missing = _missing(table, used, reading)
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
    schema = reading.schema or _learned(table, used, reading)
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


def _used(table: Table, reading: Reading) -> list[str]:
    """Return the columns that become numbers, after checking that all that were named are there."""
    where, names = shown(table.source), list(table.columns)
    schema = reading.schema
    for flag, asked in (
        ("`categorical`", reading.categorical),
        ("`label`", (reading.label,) if reading.label else ()),
        ("`ignore`", reading.ignore),
    ):
        for name in asked:
            if name not in table.columns and schema is None:
                raise DataError(
                    f"{flag} {shown(name)}: {where} has no such column"
                    f"{did_you_mean(name, names) or f' (it has {first_few(names)})'}"
                )
    wanted = [name for name in names if name not in (*reading.ignore, reading.label)]
    if schema is None:
        if not wanted:
            raise DataError(f"{where} has no column left; ignore fewer, or give another table")
        return wanted
    lacking = [name for name in schema.names if name not in table.columns]
    if lacking:
        raise DataError(
            f"{where} has no column '{shown(lacking[0])}', which the training table has"
            f"{f' ({len(lacking) - 1} more are missing)' if len(lacking) > 1 else ''}; add it, or give "
            f"`ignore` '{shown(lacking[0])}'"
        )
    further = [name for name in wanted if name not in (*schema.names, schema.label)]
    if further:
        raise DataError(
            f"{where} has a column '{shown(further[0])}', which the training table has "
            f"not; remove it, or give `ignore` '{shown(further[0])}'"
        )
    return list(schema.names)


def _missing(table: Table, used: Sequence[str], reading: Reading) -> list[tuple[int, str]]:
    """Return row and column of every missing value, by row."""
    found, schema = [], reading.schema
    label = reading.label if schema is None else schema.label
    known = {column.name: column.categories for column in schema.columns} if schema else {}
    kinds = {column.name: column.kind for column in schema.columns} if schema else {}
    for name in (*used, label):
        if name is None or name not in table.columns:
            continue
        texts = table.columns[name]
        if schema is not None and name != label:
            plain = kinds[name] == "categorical"
        else:
            plain = name in (*reading.categorical, label) or _of_texts(texts)
        marks = frozenset({""}) if plain else MISSING
        found += [
            (row, name)
            for row, text in enumerate(texts)
            if text.lower() in marks and text not in known.get(name, ())
        ]
    return sorted(found)


def _of_texts(texts: Sequence[str]) -> bool:
    """Return whether a column has neither numbers nor dates: there words such as None are categories."""
    told = [text for text in texts if text.lower() not in MISSING]
    return all(number(text) is None for text in told) and not date_forms(told)


def _learned(table: Table, used: Sequence[str], reading: Reading) -> Schema:
    columns = tuple(_column(table, name, asked=name in reading.categorical) for name in used)
    if reading.label is None:
        return Schema(columns)
    texts = [category(text) for text in table.columns[reading.label]]
    return Schema(columns, reading.label, _ordered(set(texts)))


def _column(table: Table, name: str, *, asked: bool) -> Column:
    texts = table.columns[name]
    numbers = [number(text) for text in texts]
    others = [row for row, value in enumerate(numbers) if value is None]
    if asked:
        return _categorical(table, name, asked=True)
    if len(others) == len(texts):
        forms = date_forms(texts)
        return _dates(table, name, forms) if forms else _categorical(table, name, asked=False)
    if others:
        few = (
            others
            if 2 * len(others) <= len(texts)
            else [row for row, value in enumerate(numbers) if value is not None]
        )
        told = "a number" if few is not others else "no number"
        raise DataError(
            f"{table.where(name, few[0])} holds '{shown(texts[few[0]])}', which is {told}, unlike "
            f"{len(texts) - len(few):,} other cells of the column; repair {len(few):,} "
            f"cell{'s' if len(few) > 1 else ''}, or give `categorical` '{shown(name)}' or `ignore` "
            f"'{shown(name)}'"
        )
    column = numeric_column(name, _float32(table, name, numbers))
    if column.low == column.high:
        raise _constant(table, name)
    return column


def _dates(table: Table, name: str, forms: Sequence[str]) -> Column:
    texts = table.columns[name]
    if len(forms) > 1:
        raise DataError(
            f"{shown(table.source)}, column '{shown(name)}' holds dates such as '{shown(texts[0])}', in "
            "which the day cannot be told from the month; write them as year-month-day, or give `ignore` "
            f"'{shown(name)}'"
        )
    moments = [moment for text in texts if (moment := date(text, forms[0])) is not None]
    first = min(moments)
    column = numeric_column(name, days_since(moments, first))
    if column.low == column.high:
        raise _constant(table, name)
    whole = all(moment.time() == time() for moment in moments)
    return replace(column, whole=whole, date=forms[0], first=first.isoformat())


def _categorical(table: Table, name: str, *, asked: bool) -> Column:
    texts = [category(text) for text in table.columns[name]]
    distinct = set(texts)
    if len(distinct) == 1:
        raise _constant(table, name)
    # Whoever calls a column categorical means it.
    most = MOST_CATEGORIES if asked else min(max(FEW_CATEGORIES, len(texts) // 2), MOST_CATEGORIES)
    if len(distinct) > most:
        numbers = all(number(text.replace(",", ".")) is not None for text in distinct)
        commas = any("," in text for text in distinct)
        hint = (
            " (were these numbers with a decimal comma? write a point)"
            if numbers and commas
            else ""
        )
        other = "" if commas or not numbers else ", or leave it out of `categorical` for numbers"
        raise DataError(
            f"{shown(table.source)}, column '{shown(name)}' has {len(distinct):,} different categories "
            f"in {len(texts):,} rows, such as '{shown(texts[0])}'{hint}; at most "
            f"{most:,} can be one-hot: give `ignore` '{shown(name)}'{other}"
        )
    return Column(name, "categorical", categories=_ordered(distinct))


def _constant(table: Table, name: str) -> DataError:
    value = shown(table.columns[name][0])
    return DataError(
        f"{shown(table.source)}, column '{shown(name)}' holds '{value}' in all {len(table):,} rows and "
        f"tells none of them apart; give `ignore` '{shown(name)}'"
    )


def _ordered(distinct: set[str]) -> tuple[str, ...]:
    """Sort categories: as numbers where all are such, else as texts."""
    numbers = {text: number(text) for text in distinct}
    if all(value is not None for value in numbers.values()):
        return tuple(sorted(distinct, key=lambda text: (numbers[text], text)))
    return tuple(sorted(distinct))


def _float32(table: Table, name: str, numbers: Sequence[float | None]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.array(numbers, np.float64).astype(np.float32)
    beyond = np.flatnonzero(~np.isfinite(values))
    if len(beyond):
        row = int(beyond[0])
        raise DataError(
            f"{table.where(name, row)} holds {shown(table.columns[name][row])}, which is beyond float32; "
            "scale the column"
        )
    return values


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
        return _float32(table, column.name, numbers)[:, None]
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
