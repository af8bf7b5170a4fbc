"""What columns look like that they are not taken for: codes and dates as numbers, numbers as texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from rote.data.messages import shown
from rote.data.tables.cells import looks_like_code, number
from rote.data.tables.schema import Column, Schema
from rote.data.tables.table import Table

MOST_LOOKED_AT = 200
_TIME = re.compile(r"\d{1,3}:\d{2}(?::\d{2}(?:\.\d+)?)?")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    rf"\d{{1,2}}[-. /]{_MONTH}[-. /,]*\d{{2,4}}|{_MONTH}[-. ]*(?:\d{{1,2}}[-. ,]+)?\d{{2,4}}"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])",
    re.IGNORECASE,
)
_COMPACT_DATE = re.compile(r"(?:19|20)\d{6}")
_NUMBER = re.compile(r"[-+]?[$€£]? ?[-+]?(\d{1,3}(?:[ ,']\d{3})+|\d+)(\.\d+)? ?[%$€£]?")


def likeness(texts: Iterable[str]) -> str:
    """Return what all texts look like that are no numbers or dates by the rules, and how to write it.

    >>> likeness(["45.3%", "9%"])
    "a number: write '45.3%' as 45.3"
    >>> likeness(["1,200", "900"]), likeness(["18-Aug-1995"])
    ("a number: write '1,200' as 1200", "a date: write '18-Aug-1995' as 2020-01-31 is written")
    >>> likeness(["blue", "9%"]), likeness(["06:30"])
    ('', "a time: write '06:30' as a number, such as of minutes")
    """
    some = sorted(text for text in set(texts) if text)[:MOST_LOOKED_AT]
    if not some:
        return ""
    such = shown(next((text for text in some if number(text) is None), some[0]))
    if all(_TIME.fullmatch(text) for text in some):
        return f"a time: write '{such}' as a number, such as of minutes"
    if all(_DATE.fullmatch(text) for text in some):
        return f"a date: write '{such}' as 2020-01-31 is written"
    found = [_NUMBER.fullmatch(text) for text in some]
    if all(found) and any(number(text) is None for text in some):
        plain = re.sub(r"[^\d.+-]", "", such)
        return f"a number: write '{such}' as {plain}"
    return ""


def doubts(table: Table, schema: Schema) -> tuple[str, ...]:
    """Return a sentence for each column that looks like what it is not taken for."""
    return tuple(text for column in schema.columns for text in _doubts_of(table, column))


def _doubts_of(table: Table, column: Column) -> Iterator[str]:
    name = shown(column.name)
    if column.kind == "categorical":
        found = likeness(column.categories)
        if found:
            yield f"column '{name}' is taken as categories and looks like {found}"
        return
    if column.date:
        return
    texts = table.columns[column.name]
    code = next((text for text in texts if looks_like_code(text)), None)
    if code is not None:
        yield (
            f"column '{name}' is taken as numbers, and '{shown(code)}' looks like a code: give "
            f"`categorical` or `ignore` '{name}' if it is one"
        )
    elif column.low >= 19_000_101 and column.high < 21_000_000:
        some = [text for text in texts if number(text) is not None][:MOST_LOOKED_AT]
        if all(_is_compact_date(text) for text in some):
            yield (
                f"column '{name}' is taken as numbers, and '{shown(some[0])}' looks like a date: write "
                "it as 2020-01-31 is written, and it counts in days"
            )


def _is_compact_date(text: str) -> bool:
    if not _COMPACT_DATE.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True
