"""Tables as CSV text: the one writer of every .csv file, whatever names are in it.

A text of anything but plain letters, digits and a few marks is quoted, its quotes doubled (RFC 4180).
That includes carriage returns and what else some reader takes for the end of a line, so every reader that
knows quotes gets back the same rows and names. Lines end in one newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# What no reader takes for more than text, alone or between single blanks.
_PLAIN = re.compile(r"[A-Za-z0-9_./#:+-]+(?: [A-Za-z0-9_./#:+-]+)*|")
# What spreadsheets run, also behind blanks and in the full width of East Asian fonts.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)", re.ASCII)


def csv_lines(rows: Iterable[Iterable[object]], *, spreadsheet: bool = False) -> Iterator[str]:
    r"""Yield the lines of a table with their ends, so that of a million rows one is in memory at a time.

    Parameters
    ----------
    rows
        The header first; numbers, and texts that may be anything.
    spreadsheet
        Put a ' before every text that a spreadsheet would run as a formula; it is then no longer the
        same text.

    >>> list(csv_lines([("index", "name"), (0, 'a "b"\r.png')]))
    ['index,name\n', '0,"a ""b""\r.png"\n']
    >>> list(csv_lines([("=cmd()", "-1.5", -2)], spreadsheet=True))
    ['"\'=cmd()",-1.5,-2\n']
    """
    for row in rows:
        line = ",".join(_cell(value, spreadsheet=spreadsheet) for value in row)
        yield (line or '""') + "\n"  # readers skip an empty line


def _cell(value: object, *, spreadsheet: bool) -> str:
    if not isinstance(value, str):
        return str(value)
    if spreadsheet and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        value = f"'{value}"
    if _PLAIN.fullmatch(value):
        return value
    # A lone surrogate cannot be written as UTF-8.
    text = value.encode("utf-8", "backslashreplace").decode()
    return '"' + text.replace('"', '""') + '"'
