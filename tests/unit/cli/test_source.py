"""The ways of reading images as flags: each changes what is read, and one line says what was done."""

import contextlib
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from rote.cli import main
from rote.cli.source import ImageOptions, load
from rote.core.errors import DataError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (8, 12, 4), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 3
        pages = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
        pages[0].save(tmp_path / f"{number}.png", save_all=True, append_images=pages[1:], exif=exif)
    return tmp_path


def shown(*words, monkeypatch):
    """Return the JSON of `rote data show`, and what it said beside that."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["rote", "data", "show", *map(str, words), "--json"])
    monkeypatch.setattr(sys, "stderr", err)  # where the console looks at every line
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main()
    said = " ".join(err.getvalue().split())
    return (None if end.value.code else json.loads(out.getvalue())), said


def test_every_way_of_reading_is_a_flag_that_changes_the_items(folder, monkeypatch):
    ways = [
        *([], ["--alpha", "black"], ["--alpha", "drop"], ["--exif", "ignore"]),
        *(["--resize", "squeeze"], ["--resize", "pad"], ["--frames", "all"]),
        *(["--exclude", "0.*"], ["--include", "[12].png"], ["--channels", "1"]),
    ]
    digests = set()
    for way in ways:
        found, said = shown(folder, "--resolution", 4, *way, monkeypatch=monkeypatch)
        digests.add(found["digest"])
        assert "not square" in said and "see --resize" in said
        assert "with transparency" in said and "see --alpha" in said
    assert len(digests) == len(ways)


def test_deep_images_by_flag(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.arange(5 * 8 * 9).reshape(5, 8, 9) * 10.0 - 1000)
    path = tmp_path / "a.npy"
    nothing, said = shown(path, monkeypatch=monkeypatch)
    assert nothing is None and "from -1000 to 2590" in said and "--window" in said
    wide, said = shown(path, "--window", "-1000,2590", monkeypatch=monkeypatch)
    assert (wide["window"], wide["range"]) == ([-1000, 2590], [0, 255])
    assert "5 of float64 (values from -1000 to 2590; -1000 is black, 2590 white" in said
    narrow, _ = shown(path, "--window", "percentile", monkeypatch=monkeypatch)
    turned, _ = shown(path, "--window", "0 1000", "--axes", "NWH", monkeypatch=monkeypatch)
    assert turned["shape"] == [1, 9, 8]
    assert len({wide["digest"], narrow["digest"], turned["digest"]}) == 3


def test_other_sides_have_the_window_of_the_training_side(tmp_path):
    for name, factor in (("training", 16), ("generated", 2)):
        (tmp_path / name).mkdir()
        for number in range(2):
            image = np.arange(256, dtype=np.uint16).reshape(16, 16) * factor + number
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    training = load(str(tmp_path / "training"), ImageOptions())
    generated = load(str(tmp_path / "generated"), ImageOptions(), like=training)
    assert generated.window == training.window == (0, 4095)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"resize": "fit"}, "choose crop, squeeze or pad"),
        ({"alpha": "grey"}, "choose white, black or drop"),
        ({"exif": "no"}, "choose apply or ignore"),
        ({"frames": "2"}, "choose first, all or volume"),
        ({"window": "5"}, "--window is 5"),
        ({"axes": "XY"}, "--axes is"),
    ],
)
def test_other_values_are_refused(given, part):
    with pytest.raises(DataError) as caught:
        load("digits", ImageOptions(**given))
    assert part in str(caught.value)


def test_what_a_folder_is_bound_to_does_not_change_with_new_options():
    assert ImageOptions(resolution=8).bound() == {
        "resolution": 8,
        "channels": None,
        "skip_unreadable": False,
    }
    assert ImageOptions(alpha="drop").bound()["alpha"] == "drop"
