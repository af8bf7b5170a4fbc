"""A training set laid out as files, read back by what reads a user's own."""

import json
from dataclasses import replace

import numpy as np
import pytest

import rote
from rote.core.errors import ConfigError
from rote.experiments.trainers.layout import lay_out


def pictures(*, labels=True):
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, size=(6, 5, 4, 3), dtype=np.uint8)
    if not labels:
        return rote.Dataset(items)
    return rote.Dataset(items, labels=np.array([0, 1, 2, 0, 1, 2]), classes=("a cat", 'é "', "0"))


def test_captions_are_the_names_of_classes_in_both_forms(tmp_path):
    data = pictures()
    folder = lay_out(data, tmp_path / "data", layout="captions")
    assert np.array_equal(rote.load_images(folder).items, data.items)
    expected = [data.classes[label] for label in data.labels]
    names = [f"{number:06d}.png" for number in range(6)]
    assert rote.load_images(folder).captions == tuple(expected)
    beside = [(folder / name).with_suffix(".txt").read_text("utf-8").strip() for name in names]
    assert beside == [text.strip() for text in expected]
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == names


def test_captions_of_the_images_go_before_their_classes(tmp_path):
    texts = ("a red cat", "", "é", "x", "y", "z")
    folder = lay_out(
        replace(pictures(), captions=texts).take([2, 0, 1]), tmp_path / "a", layout="captions"
    )
    assert rote.load_images(folder).captions == ("é", "a red cat", "")
    without = replace(pictures(labels=False), captions=(*texts[:5], None))
    with pytest.raises(ConfigError, match="1 of 6 images have no caption"):
        lay_out(without, tmp_path / "b", layout="captions")


def test_captions_need_images_with_classes(tmp_path):
    with pytest.raises(ConfigError, match="these images have neither; use folder"):
        lay_out(pictures(labels=False), tmp_path / "data", layout="captions")
    with pytest.raises(ConfigError, match="captions is for images"):
        lay_out(rote.Dataset(np.zeros((4, 2), np.float32)), tmp_path / "rows", layout="captions")
