"""Texts that are slow to make are made once."""

import stat

import pytest

from rote.core.cache_folder import kept_text


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

    assert [kept_text("a-1.txt", make) for _ in range(3)] == ["größer\n"] * 3
    assert len(made) == 1
    assert [path.name for path in folder.iterdir()] == ["a-1.txt"]
    assert kept_text("a-2.txt", lambda: "other") == "other"


def test_a_damaged_file_is_made_again(folder):
    kept_text("a.txt", lambda: "x")
    (folder / "a.txt").write_bytes(b"\xff\xfe\xff")
    assert kept_text("a.txt", lambda: "x") == "x"
    assert (folder / "a.txt").read_text() == "x"


def test_without_a_folder_it_is_made_each_time(folder, monkeypatch):
    folder.write_text("a file where the folder should be")
    assert [kept_text("a.txt", lambda: "x") for _ in range(2)] == ["x", "x"]
    assert stat.S_ISREG(folder.stat().st_mode)
    monkeypatch.delenv("ROTE_CACHE")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no entry for this user either
    assert kept_text("a.txt", lambda: "y") == "y"
