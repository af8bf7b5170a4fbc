"""Decoded images kept on disk: the same images, never stale, cleared on demand."""

import io
import json
import os
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from rote.cli import main
from rote.core.errors import DataError
from rote.data.files import decoded_cache as cache
from rote.data.files import source_state
from rote.data.files.entry import Entry
from rote.data.item_digests import item_digests
from rote.data.load import load_images


@pytest.fixture(autouse=True)
def _keep_small_sources(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_FROM", 4)


@pytest.fixture
def folder(tmp_path):
    """Six images in two classes."""
    generator = np.random.default_rng(0)
    for number in range(6):
        pixels = generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "images"


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "decoded"


def test_mapped_images_are_the_decoded_ones(folder, kept):
    plain = load_images(folder)
    for _ in range(2):
        found = load_images(folder, decoded=kept)
        assert isinstance(found.items, np.memmap)
        assert np.array_equal(found.items, plain.items)
        assert (found.names, found.classes) == (plain.names, plain.classes)
        assert found.digest == plain.digest
    assert len(list(kept.glob("*.npy"))) == 1
    assert not list(kept.glob(".*"))


def test_the_second_time_nothing_is_decoded(folder, kept, monkeypatch):
    load_images(folder, decoded=kept)
    monkeypatch.setattr(cache, "decode_all", None)
    assert len(load_images(folder, decoded=kept)) == 6


@pytest.mark.parametrize("change", ["content", "name", "options", "one fewer"])
def test_a_change_is_another_entry(folder, kept, change):
    before = load_images(folder, decoded=kept)
    path = folder / "a" / "0.png"
    options = {}
    if change == "content":
        Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(path)
    elif change == "name":
        path.rename(path.with_name("9.png"))
    elif change == "options":
        options = {"resolution": 4}
    else:
        path.unlink()
    after = load_images(folder, decoded=kept, **options)
    plain = load_images(folder, **options)
    assert np.array_equal(after.items, plain.items)
    assert after.names == plain.names
    assert len(list(kept.glob("*.npy"))) == 2
    assert len(before) == 6


def test_zip_archives_are_kept_too(folder, kept, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    found = load_images(tmp_path / "images.zip", decoded=kept)
    assert np.array_equal(found.items, load_images(folder).items)


def test_unreadable_files_stay_counted(folder, kept):
    (folder / "a" / "2.png").write_bytes(b"not an image")
    for _ in range(2):
        found = load_images(folder, decoded=kept, skip_unreadable=True)
        assert (len(found), found.unreadable) == (5, ("a/2.png",))
    with pytest.raises(DataError, match="1 of 6 image files cannot be read"):
        load_images(folder, decoded=kept)
    assert not list(kept.glob(".*"))


def test_small_sources_are_not_kept(folder, kept, monkeypatch):
    monkeypatch.setattr(cache, "CACHE_FROM", 7)
    assert not isinstance(load_images(folder, decoded=kept).items, np.memmap)
    assert not kept.exists()


def test_few_files_of_many_bytes_are_kept(folder, kept, monkeypatch):
    monkeypatch.setattr(cache, "CACHE_FROM", 7)
    monkeypatch.setattr(cache, "CACHE_BYTES", 6 * 5 * 7 * 3)
    assert isinstance(load_images(folder, decoded=kept).items, np.memmap)
    # What counts are the bytes of the images as they are read.
    grey = load_images(folder, channels=1, decoded=kept)
    assert not isinstance(grey.items, np.memmap)


def test_a_damaged_entry_is_made_anew(folder, kept):
    expected = load_images(folder, decoded=kept).digest
    next(kept.glob("*.npy")).write_bytes(b"torn")
    assert load_images(folder, decoded=kept).digest == expected


def test_a_folder_that_cannot_be_written_is_one_line(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="set ROTE_CACHE to another folder"):
        load_images(folder, decoded=tmp_path / "file" / "decoded")


def call(monkeypatch, *arguments):
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["rote", "data", "cache", *arguments])
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    return out.getvalue()


def test_the_command_lists_and_clears(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ROTE_CACHE", str(tmp_path / "cache"))
    assert call(monkeypatch).startswith("0 decoded sources")
    load_images(folder, decoded=cache.decoded_folder())
    (tmp_path / "cache" / "download.tar.gz").write_bytes(b"stays")
    value = json.loads(call(monkeypatch, "--json"))
    assert value["entries"] == [{"source": str(folder), "images": 6, "bytes": value["bytes"]}]
    assert value["bytes"] == 128 + 6 * 5 * 7 * 3  # the header of a .npy file, and the pixels
    assert call(monkeypatch, "--clear").startswith("freed 0.0 MB")
    assert call(monkeypatch).startswith("0 decoded sources")
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["download.tar.gz"]


def test_files_that_did_not_change_are_not_read_again(folder, kept, monkeypatch):
    monkeypatch.setattr(source_state, "SETTLED", 0.0)
    expected = load_images(folder, decoded=kept).digest
    with monkeypatch.context() as patch:
        patch.setattr(Entry, "_read", None)
        patch.setattr(cache, "checksum_of", None)
        found = load_images(folder, decoded=kept)
        # Digests are known from the first time, too.
        assert found.digest == expected
        assert len(item_digests(found.items)) == 6
    path = folder / "a" / "0.png"
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match="1 of 6 image files cannot be read"):
        load_images(folder, decoded=kept)
    path.write_bytes(content)  # the same content under another time
    monkeypatch.setattr(cache, "decode_all", None)
    assert load_images(folder, decoded=kept).digest == expected


def test_what_changed_just_now_is_hashed_again(folder, kept):
    expected = load_images(folder, decoded=kept).digest
    seen = next(kept.glob("*.seen"))
    assert json.loads(seen.read_text())["state"] is None
    # So a change within the same tick of the clock is seen, too.
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(folder / "a" / "0.png")
    assert load_images(folder, decoded=kept).digest != expected


def test_a_damaged_note_of_what_is_known_is_made_anew(folder, kept):
    expected = load_images(folder, decoded=kept).digest
    for path in kept.glob("*.known"):
        path.write_bytes(path.read_bytes()[:-30])
    found = load_images(folder, decoded=kept)
    assert found.digest == expected
    plain = load_images(folder).items
    assert item_digests(found.items).tobytes() == item_digests(plain).tobytes()
