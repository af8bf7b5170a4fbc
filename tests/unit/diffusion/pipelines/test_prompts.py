"""Prompts of text files, metadata files and captioned images; seeds that depend on the prompt alone."""

import json

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.diffusion.pipelines.prompts import images_of, read_prompts


def test_prompts_come_from_lines_rows_and_captions(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("a dog\n\n  a cat \na dog\n")
    assert read_prompts(lines) == ("a dog", "a cat")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": ""}\n{"text": "é", "file_name": "gone.png"}\n')
    assert read_prompts(rows) == ("", "é")
    table = tmp_path / "rows.csv"
    table.write_text('prompt,number\n"a, b",1\n')
    assert read_prompts(table) == ("a, b",)
    for number, text in enumerate(["two", "one", "two"]):
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(text)
    (tmp_path / "lines.txt").unlink()
    rows.unlink()
    table.unlink()
    assert read_prompts(tmp_path) == ("two", "one")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.txt", None, r"`prompts` .*gone.txt does not exist.*; give a text file"),
        ("empty.txt", "\n \n", r"`prompts` .*empty.txt has no prompt"),
        ("weights.bin", "a\0b", r"`prompts` .*weights.bin is no text file"),
        (
            "rows.jsonl",
            '{"name": "x"}\n',
            r"rows.jsonl, row 1: expected is a text under one of text",
        ),
        ("rows.jsonl", "no json\n", r"rows.jsonl cannot be read"),
    ],
)
def test_what_holds_no_prompts_is_one_line(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        read_prompts(tmp_path / name)


def test_an_image_keeps_its_seed_whatever_else_is_asked():
    many = images_of(["a", "b", "c"], each=3, seed=1)
    few = images_of(["c"], each=2, seed=1)
    assert [one.seed for one in many if one.prompt == "c"][:2] == [one.seed for one in few]
    assert len({one.seed for one in many}) == len({one.name for one in many}) == 9
    other = images_of(["c"], each=2, seed=2)
    assert {one.seed for one in few}.isdisjoint(one.seed for one in other)
    assert json.dumps(few[0].seed) == str(few[0].seed) and 0 <= few[0].seed < 2**63


def test_a_number_of_images_goes_round_the_prompts():
    asked = images_of(["a", "b", "c"], each=1, seed=0, count=7)
    assert [one.prompt for one in asked] == ["a", "a", "a", "b", "b", "c", "c"]
    assert set(asked) <= set(images_of(["a", "b", "c"], each=3, seed=0))
    assert [one.prompt for one in images_of(["a", "b", "c"], each=9, seed=0, count=2)] == ["a", "b"]
