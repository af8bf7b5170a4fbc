"""Planted twins leave one each, whichever is to stay, and the record gives all of it back."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import ConfigError, DataError, RunError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.options import ReadOptions
from rote.memorization.dedup.dedup import dedup, undo_dedup

PLAIN = load_images("digits").items[:12]


def folder(path: Path) -> Path:
    """Twelve digits with captions; of three a larger twin in JPEG, with a caption of its own."""
    rows = []
    for number, item in enumerate(PLAIN):
        digit = Image.fromarray(item[..., 0]).resize((32, 32), Image.Resampling.BICUBIC)
        name = f"{'ab'[number % 2]}/{number:02d}.png"
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        digit.save(path / name)
        rows.append({"file_name": name, "text": f"digit {number}"})
        if number < 3:
            twin = f"b/{number:02d}-twin.jpg"
            (path / "b").mkdir(exist_ok=True)
            digit.resize((64, 64), Image.Resampling.BICUBIC).save(path / twin, quality=95)
            rows.append({"file_name": twin, "text": "a twin"})
    (path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def content(path: Path) -> dict[str, bytes]:
    files = (each for each in path.rglob("*") if each.is_file())
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in files}


@pytest.mark.parametrize(("keep", "twins"), [("first", 1), ("largest", 3)])
def test_planted_twins_leave_one_each_and_come_back(tmp_path: Path, keep: str, twins: int) -> None:
    source, out = folder(tmp_path / "photos"), tmp_path / "clean"
    before = content(source)
    found = dedup(source, out, keep=keep, options=ReadOptions(resolution=32))
    kept = content(out)
    record = json.loads(kept.pop("dedup.json"))
    assert content(source) == before
    assert len(found.kept) == len(PLAIN) and record == {"format_version": 1} | found.to_json()
    images = {name for name in kept if name.endswith((".png", ".jpg"))}
    assert len(images) == len(PLAIN)
    # "a" comes before "b": of 00 and 02 the twin comes second, of 01 "01-twin" before "01.png".
    assert sum("twin" in name for name in images) == twins
    captions = [json.loads(line) for line in kept["metadata.jsonl"].splitlines()]
    assert {row["file_name"] for row in captions} == images
    assert all(kept[name] == before[name] for name in images)
    assert {row["name"] for row in record["dropped"]} | images == {*before} - {"metadata.jsonl"}
    for row in record["dropped"]:
        assert row["rms"] < 8 and row["kept"] in images
        assert row["caption"] == (
            "a twin" if "twin" in row["name"] else f"digit {row['name'][3]}"[:7]
        )
    assert undo_dedup(out) == 3
    assert content(out) == before


def test_nothing_is_put_back_of_a_source_that_changed(tmp_path: Path) -> None:
    source, out = folder(tmp_path / "photos"), tmp_path / "clean"
    found = dedup(source, out, options=ReadOptions(resolution=32))
    kept = content(out)
    (source / found.json["dropped"][-1]["name"]).write_bytes(b"another")
    with pytest.raises(RunError, match="is not what it was"):
        undo_dedup(out)
    assert content(out) == kept


def test_the_sharpest_stays_and_mirrored_twins_join_where_asked(tmp_path: Path) -> None:
    wide = np.kron(PLAIN, np.ones((1, 4, 4, 1), np.uint8))
    soft = (wide[:3].astype(np.float64) + np.roll(wide[:3], 1, axis=1)) / 2
    both = Dataset(np.concatenate([wide, soft.astype(np.uint8)]))
    found = dedup(both, keep="sharpest", duplicate_rms=40)
    assert found.kept.tolist() == list(range(12))
    softer_first = Dataset(both.items[::-1].copy())
    assert dedup(softer_first, keep="sharpest", duplicate_rms=40).kept.tolist() == list(
        range(3, 15)
    )
    turned = Dataset(np.concatenate([wide, wide[:2, :, ::-1]]))
    assert len(dedup(turned, duplicate_rms=0).kept) == 14
    joined = dedup(turned, duplicate_rms=0, invariances="flip")
    assert joined.kept.tolist() == list(range(12))
    assert [row["rms"] for row in joined.json["dropped"]] == [0, 0]


def test_a_chain_is_said(tmp_path: Path) -> None:
    levels = np.arange(0, 60, 6, dtype=np.uint8)
    chain = Dataset(np.broadcast_to(levels[:, None, None, None], (10, 4, 4, 1)).copy())
    found = dedup(chain, duplicate_rms=6)
    assert found.kept.tolist() == [0]
    assert "7 of the dropped lie more than 2 radii" in found.summary()


def test_an_array_is_kept_as_one_and_comes_back(tmp_path: Path) -> None:
    labels = np.arange(14) % 3
    items = np.concatenate([PLAIN, PLAIN[:2]])
    np.savez(tmp_path / "all.npz", images=items, labels=labels)
    found = dedup(tmp_path / "all.npz", tmp_path / "clean.npz")
    clean = load_images(tmp_path / "clean.npz")
    assert np.array_equal(clean.items, PLAIN) and len(found.kept) == 12
    assert clean.labels is not None and clean.labels.tolist() == labels[:12].tolist()
    assert undo_dedup(tmp_path / "clean.npz") == 2
    assert np.array_equal(load_images(tmp_path / "clean.npz").items, items)
    with pytest.raises(RunError, match=r"has no clean\.npz\.dedup\.json"):
        undo_dedup(tmp_path / "clean.npz")


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    digits = load_images("digits").take(np.arange(5))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(ConfigError, match="holds something already"):
        dedup(folder(tmp_path / "photos"), tmp_path / "full", options=ReadOptions(resolution=8))
    for given, message in (
        ({"keep": "larges"}, "did you mean 'largest'"),
        ({"invariances": "shift"}, "joins no duplicates"),
        ({"out": tmp_path / "folder"}, r"give a new \.npz file"),
        ({"duplicate_rms": 300}, r"must lie in \[0, 255\]"),
    ):
        with pytest.raises(ConfigError, match=message):
            dedup(digits, **given)
    with pytest.raises(DataError, match="holds no images"):
        dedup("iris")
