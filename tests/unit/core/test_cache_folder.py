"""Texts that are slow to make are made once."""

import hashlib
import stat

import pytest

from rote.core.cache_folder import kept_text


def of(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ROTE_CACHE", str(folder))
    return folder


def test_a_text_is_made_once(folder):
    made = []

    def make():
        made.append(1)
        return "größer\n"

    assert [kept_text("a-1.txt", make, sha256=of("größer\n")) for _ in range(3)] == ["größer\n"] * 3
    assert len(made) == 1
    assert [path.name for path in folder.iterdir()] == ["a-1.txt"]
    assert kept_text("a-2.txt", lambda: "other", sha256=of("other")) == "other"


@pytest.mark.parametrize("found", [b"\xff\xfe\xff", b"", b"alert(1)", b"x\n"])
def test_what_is_not_the_text_is_made_again(folder, found):
    kept_text("a.txt", lambda: "x", sha256=of("x"))
    (folder / "a.txt").write_bytes(found)
    assert kept_text("a.txt", lambda: "x", sha256=of("x")) == "x"
    assert (folder / "a.txt").read_text() == "x"


def test_a_text_of_unknown_hash_is_neither_kept_nor_believed(folder):
    folder.mkdir()
    (folder / "a.txt").write_text("alert(1)")
    assert kept_text("a.txt", lambda: "x", sha256="") == "x"
    assert (folder / "a.txt").read_text() == "alert(1)"


def test_without_a_folder_it_is_made_each_time(folder, monkeypatch):
    folder.write_text("a file where the folder should be")
    assert [kept_text("a.txt", lambda: "x", sha256=of("x")) for _ in range(2)] == ["x", "x"]
    assert stat.S_ISREG(folder.stat().st_mode)
    monkeypatch.delenv("ROTE_CACHE")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no entry for this user either
    assert kept_text("a.txt", lambda: "y", sha256=of("y")) == "y"
