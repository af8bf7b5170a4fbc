"""Tar archives, folders of archives, and what is counted as hidden."""

import io
import json
import tarfile
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


def make_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MEMBERS = [("b/2.png", png(2)), ("a/1.png", png(1)), ("a/1.txt", b"one"), ("b/.x.png", png(9))]


def test_a_tar_is_read_as_the_zip_of_the_same_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, content in MEMBERS:
            archive.writestr(name, content)
    first = load_images(tmp_path / "x.zip")
    second = load_images(make_tar(tmp_path / "x.tar", MEMBERS))
    assert first.digest == second.digest
    assert first.names == second.names == ("a/1.png", "b/2.png")
    assert first.account == second.account
    assert second.classes == ("a", "b")
    assert [(g.reason, g.count) for g in second.account.left_out] == [("hidden", 1)]
    assert second.account.captions == 1


@pytest.mark.parametrize("kind", ["tar", "zip", "both"])
def test_a_folder_of_archives_is_what_they_hold(tmp_path, kind):
    for shard in range(2):
        members = [(f"{shard}{n}{end}", made) for n in range(3) for end, made in pair(shard, n)]
        if kind == "tar" or (kind == "both" and shard):
            make_tar(tmp_path / f"{shard}.tar", members)
        else:
            with zipfile.ZipFile(tmp_path / f"{shard}.zip", "w") as archive:
                for name, content in members:
                    archive.writestr(name, content)
    found = load_images(tmp_path)
    assert sorted(found.items[:, 0, 0, 0].tolist()) == [1, 2, 3, 11, 12, 13]
    assert found.labels is None
    assert found.names[0].startswith(("0.tar/00.png", "0.zip/00.png"))
    assert found.account.read == 6


def pair(shard, n):
    return (".png", png(10 * shard + n + 1)), (".txt", b"a caption")


def test_an_archive_beside_images_stops(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    make_tar(tmp_path / "b.tar", MEMBERS)
    with pytest.raises(DataError, match=r"beside 1 images lie 1 files .*\.tar \(1\).*`exclude`"):
        load_images(tmp_path)


def test_compressed_tars_are_named_with_a_way_out(tmp_path):
    make_tar(tmp_path / "x.tar.gz", MEMBERS, "w:gz")
    with pytest.raises(DataError, match="gunzip"):
        load_images(tmp_path)
    make_tar(tmp_path / "y.tar", MEMBERS, "w:gz")
    with pytest.raises(DataError, match="cannot be opened as an uncompressed tar"):
        load_images(tmp_path / "y.tar")


def test_archives_are_told_without_an_extension(tmp_path):
    make_tar(tmp_path / "download", MEMBERS)
    assert len(load_images(tmp_path / "download")) == 2
    with zipfile.ZipFile(tmp_path / "other", "w") as archive:
        archive.writestr("1.png", png(1))
    assert len(load_images(tmp_path / "other")) == 1


def test_links_in_a_tar_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("link.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
        info = tarfile.TarInfo("a.png")
        info.size = len(png(5))
        archive.addfile(info, io.BytesIO(png(5)))
    with pytest.raises(DataError, match=r"link\.png: a link or a device in the archive"):
        load_images(tmp_path / "x.tar")
    assert load_images(tmp_path / "x.tar", skip_unreadable=True).names == ("a.png",)


def test_a_torn_tar_is_one_line(tmp_path):
    whole = make_tar(tmp_path / "x.tar", [("a.png", png(1) + bytes(5000))]).read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[:1000])
    with pytest.raises(
        DataError, match=r"broken at or behind member a.png|cannot be opened"
    ) as caught:
        load_images(tmp_path / "x.tar")
    assert "\n" not in str(caught.value)


def test_labels_of_an_archive_with_one_folder_at_its_top(tmp_path):
    labels = json.dumps({"labels": [["1.png", 1], ["2.png", 0]]})
    members = [("set/1.png", png(1)), ("set/2.png", png(2)), ("set/dataset.json", labels.encode())]
    assert load_images(make_tar(tmp_path / "x.tar", members)).labels.tolist() == [1, 0]


def test_names_with_backslashes_have_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("cat\\1.png", png(1))
        archive.writestr("dog\\2.png", png(2))
    found = load_images(tmp_path / "x.zip")
    assert (found.classes, found.labels.tolist()) == (("cat", "dog"), [0, 1])


def test_hidden_folders_and_files_of_the_system_count(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/x.png").write_bytes(png(2))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX/._a.png").write_bytes(b"x")
    (tmp_path / "Thumbs.db").write_bytes(bytes(100))
    found = load_images(tmp_path)
    assert np.array_equal(found.items[:, 0, 0, 0], [1])
    assert {g.reason for g in found.account.left_out} == {"hidden"}
    assert sum(g.count for g in found.account.left_out) == found.account.files - 1 == 3
