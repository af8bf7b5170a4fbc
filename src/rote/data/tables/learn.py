"""What the columns of a table hold, learned from the cells of the training side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError, did_you_mean
from rote.data.messages import first_few, shown
from rote.data.tables.cells import (
    MISSING,
    category,
    date,
    date_forms,
    days_since,
    number,
)
from rote.data.tables.schema import Column, Schema, numeric_column
from rote.data.tables.table import Reading, Table

MOST_CATEGORIES = 1000
FEW_CATEGORIES = 20
"""So many are accepted however few rows there are; above, each must come twice on average."""


def used_columns(table: Table, reading: Reading) -> list[str]:
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


def missing_values(table: Table, used: Sequence[str], reading: Reading) -> list[tuple[int, str]]:
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


def learned_schema(table: Table, used: Sequence[str], reading: Reading) -> Schema:
    """Return what the columns hold, and the labels."""
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
    column = numeric_column(name, float32_numbers(table, name, numbers))
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


def float32_numbers(
    table: Table, name: str, numbers: Sequence[float | None]
) -> npt.NDArray[np.float32]:
    """Return a column's numbers, float32 (N,); refuse those beyond its range."""
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
