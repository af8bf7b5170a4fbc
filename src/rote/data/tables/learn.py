"""What the columns of a table hold, learned from the cells of the training side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time
from math import inf
from typing import Any

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
from rote.data.tables.likeness import likeness
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
        ("`group_by`", (reading.group,) if reading.group else ()),
    ):
        for name in asked:
            if name not in table.columns and (schema is None or name == reading.group):
                raise DataError(
                    f"{flag} {shown(name)}: {where} has no such column"
                    f"{did_you_mean(name, names) or f' (it has {first_few(names)})'}"
                )
    apart = (*reading.ignore, reading.label, reading.group)
    wanted = [name for name in names if name not in apart]
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


def learned_schema(table: Table, used: Sequence[str], reading: Reading) -> Schema:
    """Return what the columns hold, and the labels."""
    columns = tuple(_column(table, name, asked=name in reading.categorical) for name in used)
    if reading.label is None:
        return Schema(columns)
    texts = [category(text) for text in table.columns[reading.label]]
    return Schema(columns, reading.label, _ordered(set(texts)))


def _column(table: Table, name: str, *, asked: bool) -> Column:
    texts = table.columns[name]
    known = [row for row, text in enumerate(texts) if text.lower() not in MISSING]
    numbers = {row: value for row in known if (value := number(texts[row])) is not None}
    if asked:
        return _categorical(table, name, asked=True)
    if not numbers:
        forms = date_forms([texts[row] for row in known])
        if forms:
            return _dates(table, name, forms, known)
        return _categorical(table, name, asked=False)
    others = [row for row in known if row not in numbers]
    if others:
        few = others if 2 * len(others) <= len(known) else list(numbers)
        told = "a number" if few is not others else "no number"
        raise DataError(
            f"{table.where(name, few[0])} holds '{shown(texts[few[0]])}', which is {told}, unlike "
            f"{len(known) - len(few):,} other cells of the column; repair {len(few):,} "
            f"cell{'s' if len(few) > 1 else ''}, or give `categorical` '{shown(name)}' or `ignore` "
            f"'{shown(name)}'"
        )
    filled = [numbers.get(row, numbers[known[0]]) for row in range(len(texts))]
    values = float32_numbers(table, name, filled)[known]
    return _measured(table, name, values)


def _measured(table: Table, name: str, values: npt.NDArray[np.floating[Any]]) -> Column:
    """Measure a column of numbers, given those cells that have a value."""
    column, complete = numeric_column(name, values), len(values) == len(table)
    if complete and column.low == column.high:
        raise _constant(table, name)
    return (
        column if complete else column.with_gaps(float(np.float32(values.mean(dtype=np.float64))))
    )


def _dates(table: Table, name: str, forms: Sequence[str], known: Sequence[int]) -> Column:
    texts = [table.columns[name][row] for row in known]
    if len(forms) > 1:
        raise DataError(
            f"{shown(table.source)}, column '{shown(name)}' holds dates such as '{shown(texts[0])}', in "
            "which the day cannot be told from the month; write them as year-month-day, or give `ignore` "
            f"'{shown(name)}'"
        )
    moments = [moment for text in texts if (moment := date(text, forms[0])) is not None]
    first = min(moments)
    column = _measured(table, name, days_since(moments, first))
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
        looks = likeness(distinct)
        hint = f" (it looks like {looks})" if looks and not numbers else ""
        if numbers and commas:
            hint = " (were these numbers with a decimal comma? write a point)"
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
    """Sort categories: as numbers where all are such, else as texts; no value comes first."""
    numbers = {text: number(text) for text in distinct}
    if all(value is not None for text, value in numbers.items() if text):
        return tuple(
            sorted(distinct, key=lambda text: (numbers[text] or 0.0, text) if text else (-inf, ""))
        )
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
