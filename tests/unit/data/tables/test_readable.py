"""Which cells have no value."""

import pytest

from rote.data.tables.readable import is_missing, number_of
from rote.data.tables.schema import Column


@pytest.mark.parametrize(
    ("text", "number", "word", "gappy"),
    [
        ("", True, True, True),
        ("NA", True, False, True),
        ("null", True, False, True),
        ("none", True, False, False),  # one of its categories
        ("0", False, False, False),
    ],
)
def test_marks_count_by_what_a_column_is(text: str, number: bool, word: bool, gappy: bool) -> None:
    assert is_missing(text, Column("n")) == number
    assert is_missing(text, Column("w", "categorical", categories=("a", "b"))) == word
    assert is_missing(text, Column("g", "categorical", categories=("", "none"))) == gappy


def test_dates_are_numbers_of_days() -> None:
    column = Column("day", date="%d.%m.%Y", first="2020-01-01T00:00:00")
    assert number_of("03.01.2020", column) == 2
    assert number_of("2020-01-03", column) == 2
    assert number_of("3", column) is None
