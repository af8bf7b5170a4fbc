"""What the text of a cell is: a number, a date, a category, or no value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""Marks of no value among numbers and dates, in small letters; among texts only the empty cell is one."""
ISO = "%Y-%m-%d"
DATE_FORMS = (ISO, "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_DATE = re.compile(r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})(?:(?: +|T)(.+))?")
_CODE = re.compile(r"0\d+")
_WHOLE = re.compile(r"-?\d+\.0+")
DAY = timedelta(days=1)


def number(text: str) -> float | None:
    """Return a finite number, or None for any other text.

    >>> number("1e3"), number("1,5"), number("1_0"), number("inf")
    (1000.0, None, None, None)
    """
    if "_" in text:  # Python's own, in no table
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def category(text: str) -> str:
    """Return a category's name: whole numbers without a point, which not every program writes.

    >>> category("1.0"), category("1.5"), category("007")
    ('1', '1.5', '007')
    """
    return text.split(".")[0] if _WHOLE.fullmatch(text) else text


def looks_like_code(text: str) -> bool:
    """Return whether digits begin with a zero that a number would lose.

    >>> looks_like_code("01653"), looks_like_code("0"), looks_like_code("0.5")
    (True, False, False)
    """
    return _CODE.fullmatch(text) is not None


def date(text: str, form: str) -> datetime | None:
    """Return a date, with its time in UTC where it has one; None for any other text.

    >>> date("2010-12-17", ISO), date("17.12.2010 06:30", "%d.%m.%Y"), date("17", ISO)
    (datetime.datetime(2010, 12, 17, 0, 0), datetime.datetime(2010, 12, 17, 6, 30), None)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        day = datetime.strptime(found[1], form)
        clock = time.fromisoformat(found[2].strip()) if found[2] else time()
        moment = datetime.combine(day, clock)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def date_forms(texts: Sequence[str]) -> list[str]:
    """Return the forms in which all texts are dates; several where day and month cannot be told apart.

    >>> date_forms(["31/01/2020", "01/02/2020"]), date_forms(["01/02/2020"]), date_forms(["a"])
    (['%d/%m/%Y'], ['%d/%m/%Y', '%m/%d/%Y'], [])
    """
    distinct = sorted(set(texts))
    forms = [form for form in DATE_FORMS if distinct and all(date(t, form) for t in distinct)]
    same = forms and all(len({date(text, form) for form in forms}) == 1 for text in distinct)
    return forms[:1] if same else forms


def days_since(moments: Sequence[datetime], first: datetime) -> npt.NDArray[np.float64]:
    """Return how many days lie between a first date and others."""
    return np.array([(moment - first) / DAY for moment in moments], np.float64)


def date_text(days: float, first: str, form: str, *, whole: bool) -> str:
    """Return the text of the date so many days after a first one; with its time unless it is ``whole``.

    >>> date_text(31, "2020-01-01", ISO, whole=True), date_text(0.25, "2020-01-01", ISO, whole=False)
    ('2020-02-01', '2020-01-01 06:00:00')
    """
    start = datetime.fromisoformat(first)
    low, high = (datetime.min - start) / DAY + 1, (datetime.max - start) / DAY - 1
    moment = start + min(max(float(days), low), high) * DAY
    return moment.strftime(form if whole else f"{form} %H:%M:%S")
