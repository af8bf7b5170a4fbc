"""Zip archives: the rules of folders, EDM's dataset.json, and hostile archives."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.data.load import load_images


def png(value, size=(3, 2)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def make(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def edm(path, labels):
    members = [("00000/img0.png", png(1)), ("00000/img1.png", png(2)), ("00001/img2.png", png(3))]
    text = labels if isinstance(labels, str) else json.dumps({"labels": labels})
    return make(path, [*members, ("dataset.json", text)])


def error_of(*args, **options):
    with pytest.raises(DataError) as caught:
        load_images(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_members_in_sorted_order_with_classes(tmp_path):
    members = [("b/2.png", png(2)), ("a/1.png", png(1)), ("readme.txt", b"x"), ("a/", b"")]
    data = load_images(make(tmp_path / "x.ZIP", members))
    assert data.names == ("a/1.png", "b/2.png")
    assert data.items[:, 0, 0, 0].tolist() == [1, 2]
    assert data.classes == ("a", "b")
    assert data.labels.tolist() == [0, 1]


def test_equal_to_the_folder_it_was_made_from(tmp_path):
    folder = tmp_path / "folder"
    members = [(f"c{i % 3}/{i}.png", png(i + 1)) for i in range(9)]
    for name, content in members:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    archive = load_images(make(tmp_path / "x.zip", members))
    assert archive.digest == load_images(folder).digest
    assert archive.names == load_images(folder).names


def test_edm_labels(tmp_path):
    pairs = [["00001/img2.png", 0], ["00000/img0.png", 1], ["00000/img1.png", 0]]
    data = load_images(edm(tmp_path / "x.zip", pairs))
    assert data.labels.tolist() == [1, 0, 0]
    assert data.classes == ("0", "1")


def test_edm_without_labels_has_no_classes_from_its_folders(tmp_path):
    assert load_images(edm(tmp_path / "x.zip", None)).labels is None


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ([["00000/img0.png", 1]], "no label for 2 of 3 images (00000/img1.png, 00001/img2.png)"),
        ([["00000/img0.png", -1]], "not pairs of a file name and a class number"),
        ([["00000/img0.png", True]], "not pairs"),
        ([["00000/img0.png", [0.5, 1]]], "not pairs"),
        ({"00000/img0.png": 1}, "not pairs"),
        (5, "not pairs"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_bad_dataset_json(tmp_path, labels, part):
    message = error_of(edm(tmp_path / "x.zip", labels))
    assert part in message
    assert "dataset.json" in message


def test_names_that_climb_are_only_names(tmp_path):
    before = sorted(tmp_path.parent.iterdir())
    members = [("../../up.png", png(1)), ("/etc/root.png", png(2)), ("c\\d/x.png", png(3))]
    data = load_images(make(tmp_path / "x.zip", members))
    assert data.names == ("../../up.png", "/etc/root.png", "c\\d/x.png")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "x.zip"]
    assert sorted(tmp_path.parent.iterdir()) == before


def test_resource_forks_are_hidden(tmp_path):
    members = [("a.png", png(1)), ("__MACOSX/._a.png", b"x"), (".b.png", b"x")]
    assert load_images(make(tmp_path / "x.zip", members)).names == ("a.png",)


def test_a_name_that_occurs_twice_counts_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make(tmp_path / "x.zip", [("a.png", png(1)), ("a.png", png(2))])
    assert load_images(path).items[:, 0, 0, 0].tolist() == [1, 2]


def test_members_over_the_limit_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("rote.data.files.entry.MAX_FILE_BYTES", 2**20)
    bomb = make(tmp_path / "x.zip", [("a.png", png(1)), ("bomb.png", bytes(2**20 + 1))])
    message = error_of(bomb)
    assert "1 of 2 image files cannot be read (bomb.png: larger than 1 MiB)" in message
    assert "`skip_unreadable`" in message
    assert load_images(bomb, skip_unreadable=True).unreadable == ("bomb.png",)


def test_a_declared_size_that_lies_is_no_way_around_the_limit(tmp_path, monkeypatch):
    path = make(tmp_path / "x.zip", [("bomb.png", bytes(2**20))])
    content = path.read_bytes()
    assert content.count((2**20).to_bytes(4, "little")) >= 1
    path.write_bytes(content.replace((2**20).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    monkeypatch.setattr("rote.data.files.entry.MAX_FILE_BYTES", 1000)
    assert "bomb.png: " in error_of(path)


def test_encrypted_members(tmp_path):
    path = make(tmp_path / "x.zip", [("a.png", png(1)), ("b.png", png(2))], zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content[second + 8] |= 1
    path.write_bytes(bytes(content))
    message = error_of(path)
    assert "b.png: encrypted" in message
    assert load_images(path, skip_unreadable=True).names == ("a.png",)


def test_damaged_members_are_unreadable(tmp_path):
    path = make(tmp_path / "x.zip", [("a.png", png(1)), ("b.png", png(9))], zipfile.ZIP_STORED)
    content = path.read_bytes()
    damaged = png(9)[:-5] + b"xxxxx"
    path.write_bytes(content.replace(png(9), damaged))
    assert "b.png: broken: Bad CRC-32" in error_of(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(50)])
def test_files_that_are_no_archive(tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    message = error_of(path)
    assert "cannot be opened as a zip archive" in message
    assert "`source`" in message


def test_archives_without_images(tmp_path):
    assert "has no files" in error_of(make(tmp_path / "x.zip", []))
    message = error_of(make(tmp_path / "y.zip", [("a.csv", b"1")]))
    assert "extensions seen: .csv (1)" in message


def test_resolution_and_channels_apply(tmp_path):
    path = make(tmp_path / "x.zip", [("a.png", png(200)), ("b.png", png(100, (9, 9)))])
    assert "`resolution` 2" in error_of(path)
    data = load_images(path, resolution=2, channels=1)
    assert data.shape == (1, 2, 2)
    # Luma of pure red: (200 * 19595 + 32768) >> 16.
    assert np.unique(data.items[0]).tolist() == [60]
