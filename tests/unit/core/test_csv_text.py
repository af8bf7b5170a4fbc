"""Tables as text that any reader takes apart as it was put together."""

import csv

import numpy as np
import pytest

from rote.core.csv_text import csv_lines

BREAKING = [chr(code) for code in (*range(32), 127, 0x85, 0xA0, 0x2028, 0x2029, 0xFEFF, 0x202E)]


@pytest.mark.parametrize("form", ["{}", "a{}b", "{}b", 'a{}"', "\r{},\n"])
def test_every_name_is_one_cell_of_one_row(tmp_path, form):
    names = [form.format(char) for char in [*BREAKING, '"', ",", ";", "'", "|", "画", "\\"]]
    path = tmp_path / "table.csv"
    rows = [("number", "name"), *enumerate(names)]
    path.write_text("".join(csv_lines(rows)), encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as handle:
        assert [row[1] for row in csv.reader(handle)] == ["name", *names]


def test_plain_cells_are_not_quoted_and_no_line_is_empty():
    rows = [("a.png", 3, np.int64(4), 0.5, "0.25", "as it is"), ("",), ("\udcff",)]
    assert list(csv_lines(rows)) == [
        "a.png,3,4,0.5,0.25,as it is\n",
        '""\n',
        '"\\udcff"\n',
    ]


def test_formulas_are_told_from_numbers():
    cells = ("=1+1", "+cmd", "-rf", "@x", "\t=1", "\r", " =1", "＝1", "-1.5", "2e-05", "a=1", -3)
    (line,) = csv_lines([cells], spreadsheet=True)
    (row,) = csv.reader([line], delimiter=",")
    assert row == ["'" + c for c in cells[:8]] + ["-1.5", "2e-05", "a=1", "-3"]
