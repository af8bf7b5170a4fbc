"""Rules that name the group of every item: by hand."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.groups.rules import grouped, read_by
from rote.data.load import load_images
from rote.data.tables.table import Reading

NAMES = ("a/p1/s1.png", "a/p1/s2.png", "b/p2/s1.png")


def scans(names=NAMES, **more):
    return Dataset(np.arange(len(names), dtype=np.uint8).reshape(-1, 1, 1, 1), names=names, **more)


def test_every_rule_names_the_groups():
    labels = {"labels": np.array([1, 0, 1]), "classes": ("x", "y")}
    assert grouped(scans(), "folder").groups == ("a/p1", "a/p1", "b/p2")
    assert grouped(scans(), r"p\d").groups == ("p1", "p1", "p2")
    assert grouped(scans(), r"^(\w)/.*s(\d)").groups == ("a/1", "a/2", "b/1")
    assert grouped(scans(**labels), "label").groups == ("y", "x", "y")
    assert grouped(scans(captions=("c", "d", "c")), "caption").groups == ("c", "d", "c")
    assert grouped(scans(), ["u", "v", "u"]).groups == ("u", "v", "u")
    assert grouped(grouped(scans(), "folder"), "none").groups is None


@pytest.mark.parametrize("columns", ["file_name,patient", "site,file_name,group"])
def test_a_table_names_the_groups_of_files_and_their_pages(tmp_path, columns):
    path = tmp_path / "groups.csv"
    rows = [("ä/s1.png", "ann"), ("t.tif", "bob"), ("unused.png", "eve")]
    cells = ["{0},{1}" if columns.startswith("file") else "here,{0},{1}"] * len(rows)
    lines = [columns, *(cell.format(*row) for cell, row in zip(cells, rows, strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = grouped(scans(("a\u0308\\s1.png", "t.tif#1", "t.tif#2")), str(path))
    assert found.groups == ("ann", "bob", "bob")


def test_a_column_of_a_table_is_read_beside_the_numbers(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("age,household,pet\n41,7.0,cat\n42,7,dog\n9,8,cat\n")
    found = load_images(path, reading=read_by(Reading(), "household"))
    assert found.groups == ("7", "7", "8") and found.schema.names == ("age", "pet")
    assert grouped(found, "household").groups == found.groups
    other = load_images(path, reading=Reading(ignore=("household",), schema=found.schema))
    assert other.groups is None
    with pytest.raises(DataError, match="were read without the cells of that column"):
        grouped(other, "household")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (r"q(\d)", "3 of 3 names of array do not match"),
        ("(", "is no regular expression"),
        ("png", r"stands in every name of array, .* such as 'png\[\^/\]\*'"),
        ("label", "array has no labels"),
        ("caption", "3 of 3 names of array have no caption"),
        ("there.csv", "no such file"),
    ],
)
def test_items_without_a_group_are_refused_in_one_line(rule, says):
    with pytest.raises(DataError, match=says) as caught:
        grouped(scans(), rule)
    assert "\n" not in str(caught.value)


def test_tables_that_do_not_tell_are_refused(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("file_name,group\ns1.png,ann\ns1.png,bob\n")
    with pytest.raises(DataError, match=r"s1\.png has two groups"):
        grouped(scans(("s1.png",)), str(path))
    path.write_text("file_name,group\ns1.png,ann\n")
    with pytest.raises(DataError, match=r"1 of 2 names of array are not in that file \(s2.png\)"):
        grouped(scans(("s1.png", "s2.png")), str(path))
    path.write_text("name,who\ns1.png,ann\n")
    with pytest.raises(DataError, match="file_name and group are expected"):
        grouped(scans(("s1.png",)), str(path))
    table = tmp_path / "x.csv"
    table.write_text("age,who\n41,ann\n42,\n")
    with pytest.raises(DataError, match="line 3, column 'who' is empty"):
        load_images(table, reading=Reading(group="who"))
    with pytest.raises(DataError, match="no such column"):
        load_images(table, reading=Reading(group="whom"))
