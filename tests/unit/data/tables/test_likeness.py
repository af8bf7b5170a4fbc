"""What columns look like that they are not taken for."""

from pathlib import Path

import pytest

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.tables.likeness import likeness


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["45.3%", "9 %"], "a number"),
        (["$1,200.50", "$9"], "a number"),
        (["1 200", "900"], "a number"),
        (["18-Aug-1995", "2 September 1996"], "a date"),
        (["August 18, 1995"], "a date"),
        (["18/08/95", "1/1/01"], "a date"),
        (["1995-08", "2001-12"], "a date"),
        (["10:13:00", "6:30"], "a time"),
        (["1", "2", "3"], ""),  # categories by choice
        (["blue", "45.3%"], ""),
        (["T1", "N2"], ""),
        (["may", "june"], ""),
        (["007-12", "12-34-567"], ""),
        ([""], ""),
    ],
)
def test_texts_that_look_like_something(texts: list[str], told: str) -> None:
    assert likeness(texts).startswith(told)
    assert bool(likeness(texts)) == bool(told)


def test_columns_that_look_like_something_else_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{n % 9}.5%,2020{1 + n % 12:02d}{1 + n % 28:02d},{n}\n" for n in range(60))
    path.write_text(f"fat,day,n\n{rows}")
    account = load_images(path).account
    assert account is not None
    assert account.notes == (
        "column 'fat' is taken as categories and looks like a number: write '0.5%' as 0.5",
        "column 'day' is taken as numbers, and '20200101' looks like a date: write it as 2020-01-31 is "
        "written, and it counts in days",
    )


def test_too_many_categories_are_told_by_what_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("price,n\n" + "".join(f'"1,{n:03d}.5",{n}\n' for n in range(60)))
    with pytest.raises(DataError, match=r"looks like a number: write '1,000\.5' as 1000\.5"):
        load_images(path)
