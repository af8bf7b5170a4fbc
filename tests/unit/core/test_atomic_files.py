"""Files written beside their name: what a killed writer leaves, and links that someone has put there."""

import fcntl
import os
from pathlib import Path

import pytest

from rote.core.atomic_files import (
    link_file,
    new_array,
    remove_left_over,
    write_atomic,
    write_status,
)


def test_what_nobody_writes_any_more_is_removed(tmp_path: Path) -> None:
    for name in (".a.0123abcd.tmp", ".b.17.tmp", ".c.tmp", "d.0123abcd.tmp", ".e.89abcdef.tmp"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".f.01234567.tmp").symlink_to("d.0123abcd.tmp")
    with (tmp_path / ".e.89abcdef.tmp").open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        remove_left_over(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".c.tmp", "d.0123abcd.tmp", ".e.89abcdef.tmp", ".f.01234567.tmp"}
    remove_left_over(tmp_path / "not there")


def test_a_living_writer_keeps_its_file(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text("new")
        remove_left_over(tmp_path)
        assert temporary.exists()

    write_atomic(tmp_path / "a", write)
    with new_array(tmp_path / "b.npy") as make:
        make((2, 3))[:] = 7
        remove_left_over(tmp_path)
    write_status(tmp_path / "c", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.npy", "c"]


def test_files_have_the_rights_that_the_user_gives_new_ones(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_status(tmp_path / "a", {})
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_link_at_the_temporary_name_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "01234567")
    (tmp_path / "mine").write_text("of the user")
    (tmp_path / ".a.01234567.tmp").symlink_to(tmp_path / "mine")
    with pytest.raises(Exception, match="in the way"):
        write_atomic(tmp_path / "a", lambda path: path.write_text("new") and None)
    assert (tmp_path / "mine").read_text() == "of the user"


def test_a_linked_file_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    link_file(tmp_path / "b", tmp_path / "a")
    assert (tmp_path / "b").samefile(tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
