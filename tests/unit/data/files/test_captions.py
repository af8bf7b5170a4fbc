"""Captions from metadata files: both forms, and what is wrong with one."""

import json

import pytest

from rote.core.errors import DataError
from rote.data.files.captions import find_captions, load_captions

NAMES = ["a/1.png", "a/2.png", "b.png"]
TEXTS = {"a/1.png": "a cat, sitting", "./a/2.png": "a dog", "b.png": "a cat, sitting"}


def test_jsonl_and_csv_say_the_same(tmp_path):
    lines = [json.dumps({"file_name": name, "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "metadata.jsonl").write_text("\n".join([*lines, ""]))
    rows = [f'{name},"{text}"' for name, text in TEXTS.items()]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,text", *rows]))
    assert find_captions(str(tmp_path)).name == "metadata.jsonl"
    for name in ("metadata.jsonl", "metadata.csv"):
        cluster, captions = load_captions(tmp_path / name, NAMES)
        assert captions == ("a cat, sitting", "a dog")
        assert cluster.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"file_name": "a/1.png", "text": "x"}\n', r"no caption for 2 of 3 images \(a/2.png"),
        ('{"file_name": "a/1.png", "caption": "x"}\n', "row 1: expected are file_name and text"),
        ('{"file_name": "b.png", "text": "x"}\n{"file_name": "b.png", "text": "y"}\n', "two captions"),
        ("[1]\n", "row 1 is no JSON object"),
        ("{\n", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_files_are_one_line(tmp_path, content, expected):
    path = tmp_path / "metadata.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=expected):
        load_captions(path, NAMES)


def test_missing_files_are_said(tmp_path):
    with pytest.raises(DataError, match=r"`captions` .* does not exist"):
        load_captions(tmp_path / "none.csv", NAMES)
    with pytest.raises(DataError, match=r"has no metadata.jsonl or metadata.csv"):
        find_captions(str(tmp_path))
