"""Images in rows: read in any order, several columns refused, rows without an image named."""

import json
import random

import numpy as np
import pyarrow as pa
import pytest
from captioned_sets import FORMS, named, write
from pyarrow import parquet

from rote.core.errors import DataError
from rote.data.containers.columns import image_rows
from rote.data.load import load_images

PICTURES = np.random.default_rng(3).integers(0, 256, (600, 1, 1, 3), dtype=np.uint8)
FILES = named(PICTURES)


@pytest.mark.parametrize("form", ["parquet of structs", "arrow"])
def test_rows_are_read_in_any_order(tmp_path, form):
    source = FORMS[form](tmp_path, FILES, [""] * len(FILES))
    path = source if source.is_file() else next(source.glob("*.arrow"))
    rows = image_rows(path)
    for order in (range(600), range(599, -1, -97), random.Random(0).sample(range(600), 40)):
        assert [rows[n].content() for n in order] == [FILES[n][1] for n in order]


def test_classes_are_those_of_the_label_column(tmp_path):
    names = {"info": {"features": {"label": {"names": ["dog", "cat/tom"], "_type": "ClassLabel"}}}}
    table = pa.table({"image": [content for _, content in FILES[:3]], "label": [1, 0, 1]})
    parquet.write_table(table, tmp_path / "x.parquet")
    found = load_images(tmp_path / "x.parquet")
    assert (found.classes, found.labels.tolist()) == (("0", "1"), [1, 0, 1])
    noted = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    parquet.write_table(noted, tmp_path / "x.parquet")
    found = load_images(tmp_path / "x.parquet")
    assert (found.classes, found.labels.tolist()) == (("cat-tom", "dog"), [0, 1, 0])
    assert load_images(FORMS["arrow"](tmp_path, FILES[:3], [""] * 3)).labels is None


def test_a_table_without_images_is_a_table(tmp_path):
    parquet.write_table(pa.table({"x": [1.0, 2.0], "y": [2.0, 1.0]}), tmp_path / "x.parquet")
    assert image_rows(tmp_path / "x.parquet") is None
    assert load_images(tmp_path / "x.parquet").kind == "vector"


def test_two_columns_of_images_and_rows_without_one_are_said(tmp_path):
    held = [content for _, content in FILES[:2]]
    parquet.write_table(pa.table({"before": held, "after": held}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"bytes in the columns after, before; name the one"):
        load_images(tmp_path / "x.parquet")
    parquet.write_table(pa.table({"image": [held[0], None], "mask": held}), tmp_path / "x.parquet")
    with pytest.raises(
        DataError, match=r"1 of 2 image files .*1: no bytes of an image in this row"
    ):
        load_images(tmp_path / "x.parquet")
    assert len(load_images(tmp_path / "x.parquet", skip_unreadable=True)) == 1


def test_a_folder_of_splits_asks_which(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        FORMS["arrow"](tmp_path / split, FILES[:2], ["", ""]).rename(tmp_path / split / "x")
        write(tmp_path / split, [("state.json", b"{}")])
    write(tmp_path, [("dataset_dict.json", b'{"splits": ["train", "test"]}')])
    with pytest.raises(DataError, match=r"holds the splits .*test.*train.*; give `source`"):
        load_images(tmp_path)
    assert len(load_images(tmp_path / "train" / "x")) == 2


def test_a_broken_file_is_one_line(tmp_path):
    source = FORMS["parquet of structs"](tmp_path, FILES[:3], ["", "", ""])
    source.write_bytes(source.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"set\.parquet cannot be read as") as caught:
        load_images(source)
    assert "\n" not in str(caught.value)
