"""Which cells have no value, and which rows of a table cannot be read by the columns of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rote.data.messages import first_few, shown
from rote.data.tables.cells import ISO, MISSING, category, date, days_since, number
from rote.data.tables.schema import Column, Schema
from rote.data.tables.table import Reading, Table


@dataclass(frozen=True)
class Unreadable:
    """Why a row cannot be read, in a few words, and as the message of an error."""

    reason: str
    message: str


def is_missing(text: str, column: Column) -> bool:
    """Return whether a cell has no value.

    Among texts only the empty cell has none; where a column knows such cells, a mark such as NA is one
    too, unless it is a category.

    >>> pets = Column("pet", "categorical", categories=("", "cat"))
    >>> [is_missing(text, pets) for text in ("", "cat", "NaN", "dog")]
    [True, False, True, False]
    """
    if column.kind == "numeric":
        return text.lower() in MISSING
    if not text:
        return True
    return column.gaps and text.lower() in MISSING and category(text) not in column.categories


def number_of(text: str, column: Column) -> float | None:
    """Return the number, or the days since the column's first date, of a cell; None for any other."""
    if not column.date:
        return number(text)
    moment = date(text, column.date) or date(text, ISO)
    if moment is None:
        return None
    return float(days_since([moment], datetime.fromisoformat(column.first))[0])


def unreadable_rows(table: Table, reading: Reading) -> dict[int, Unreadable]:
    """Return why rows cannot be read, by row: the label is missing, or a cell fits no column.

    Cells are held against the columns of another table alone; what fits into a table's own columns is
    found while these are learned.
    """
    found: dict[int, Unreadable] = {}
    schema = reading.schema
    label = reading.label if schema is None else schema.label
    for column in schema.columns if schema else ():
        for row, why in _misfits(table, column):
            found.setdefault(row, why)
    if label is not None and label in table.columns:
        for row, why in _without_label(table, label, schema):
            found.setdefault(row, why)
    return dict(sorted(found.items()))


def _misfits(table: Table, column: Column) -> Iterator[tuple[int, Unreadable]]:
    """Yield the rows whose cell a column cannot hold."""
    texts, name = table.columns[column.name], shown(column.name)
    if column.kind == "numeric":
        rows = [
            row
            for row, text in enumerate(texts)
            if not is_missing(text, column) and number_of(text, column) is None
        ]
        kind = "holds dates" if column.date else "is numeric"
        reason = f"no {'date' if column.date else 'number'} in '{name}'"
        told = (
            f"and the column {kind} in the training table; repair {_cells(len(rows))}, or give "
            f"`categorical` '{name}' or `ignore` '{name}'"
        )
    else:
        known = set(column.categories)
        named = [category for category in column.categories if category]
        rows = [
            row
            for row, text in enumerate(texts)
            if category(text) not in known and not is_missing(text, column)
        ]
        reason = f"a category of '{name}' that the training table does not have"
        told = (
            f"which is none of the {len(named)} categories of the training table "
            f"({first_few(named)}); repair {_cells(len(rows))}, or give `ignore` '{name}'"
        )
    for row in rows:
        where = table.where(column.name, row)
        yield row, Unreadable(reason, f"{where} holds '{shown(texts[row])}', {told}")


def _without_label(
    table: Table, label: str, schema: Schema | None
) -> Iterator[tuple[int, Unreadable]]:
    """Yield the rows without a label, or with one that the training table does not have."""
    texts = table.columns[label]
    more = Counter(texts)[""] - 1
    for row, text in enumerate(texts):
        where = table.where(label, row)
        if not text:
            yield (
                row,
                Unreadable(
                    "no label",
                    f"{where} has no value{f' ({more:,} more rows miss one)' if more else ''}; fill it "
                    "in, or leave such rows out with `skip_unreadable`",
                ),
            )
        elif schema is not None and category(text) not in schema.classes:
            yield (
                row,
                Unreadable(
                    "a label that the training table does not have",
                    f"{where} holds the label '{shown(category(text))}', which is none of the "
                    f"{len(schema.classes)} of the training table ({first_few(schema.classes)}); repair "
                    f"it, or give `ignore` '{shown(label)}'",
                ),
            )


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' if count > 1 else ''}"
