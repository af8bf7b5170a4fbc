"""Several files saved as one: what is written, what goes, and what a cut save is to a reader."""

from pathlib import Path

import pytest

from rote.core.errors import RunError
from rote.core.files.saved_together import COUNTED, LOCK, STAGED, read_together, saved_together

NAMES = ("a", "b", "c")


def save(folder: Path, **content: str) -> None:
    with saved_together(folder, may_hold=NAMES) as out:
        for name, text in content.items():
            (out / name).write_text(text)


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("[!.]*"))}


def test_what_a_save_lacks_goes_and_what_is_no_part_of_it_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("stays")
    save(tmp_path, a="1", b="1")
    save(tmp_path, a="2", c="2")
    assert held(tmp_path) == {"a": "2", "c": "2", "mine": "stays"}
    assert [path.name for path in tmp_path.glob(".*")] == [LOCK]


def test_a_save_that_counts_is_finished_by_a_reader(tmp_path: Path) -> None:
    save(tmp_path, a="1", b="1")
    (tmp_path / COUNTED).mkdir()
    (tmp_path / COUNTED / "b").touch()
    (tmp_path / COUNTED / "c").write_text("2")
    assert read_together(tmp_path, lambda: held(tmp_path)) == {"a": "1", "c": "2"}
    assert not (tmp_path / COUNTED).exists()


def test_a_save_that_does_not_count_is_nothing_to_a_reader(tmp_path: Path) -> None:
    save(tmp_path, a="1")
    (tmp_path / STAGED).mkdir()
    (tmp_path / STAGED / "a").write_text("2")
    assert read_together(tmp_path, lambda: held(tmp_path)) == {"a": "1"}
    save(tmp_path, b="3")
    assert held(tmp_path) == {"b": "3"}


def test_a_reader_that_meets_a_save_reads_again(tmp_path: Path) -> None:
    save(tmp_path, a="1", b="1")
    reads = 0

    def read() -> dict[str, str]:
        nonlocal reads
        reads += 1
        found = {"a": (tmp_path / "a").read_text()}
        if reads == 1:
            save(tmp_path, a="2", b="2")
        return found | {"b": (tmp_path / "b").read_text()}

    assert read_together(tmp_path, read) == {"a": "2", "b": "2"}
    assert reads == 2


def test_an_error_that_stays_is_raised(tmp_path: Path) -> None:
    def read() -> None:
        raise RunError("damaged")

    with pytest.raises(RunError, match="damaged"):
        read_together(tmp_path, read)


def test_a_folder_takes_the_place_of_the_old_one_and_goes_with_it(tmp_path: Path) -> None:
    for names in (("a", "b"), ("b", "c"), ()):
        with saved_together(tmp_path, may_hold=("one", "folder")) as staged:
            (staged / "one").write_text("1")
            if names:
                (staged / "folder").mkdir()
            for name in names:
                (staged / "folder" / name).write_text(name)
        assert (tmp_path / "one").read_text() == "1"
        assert tuple(sorted(path.name for path in (tmp_path / "folder").glob("*"))) == names
    assert not (tmp_path / "folder").exists()
