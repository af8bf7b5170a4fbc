"""The names and groups of an audit, for programs."""

import numpy as np
import pytest

from rote.core.errors import RunError
from rote.results.tables import Members, Pairs, Texts, read_tables, table_arrays

NAMES = ["", "a\r\nb", "\x00", "画" * 300, "\udcff", "x"]


def written(folder, **changed):
    count = len(NAMES)
    pairs = Pairs(
        NAMES,
        NAMES[::-1],
        np.ones(count, bool),
        np.full(count, -1, np.int8),
        np.zeros(count, np.int8),
    )
    two = np.array([4, 4])
    members = Members(
        np.array([1, 2], np.int8),
        two,
        two,
        np.array([0, 1.5]),
        np.array([-1, 3]),
        ["a", "b"],
        ["", "c"],
    )
    np.savez(folder / "tables.npz", **(table_arrays(pairs, members) | changed))
    return folder / "tables.npz"


def test_every_name_reads_back(tmp_path):
    pairs, members = read_tables(written(tmp_path), total=len(NAMES))
    readable = [name.encode("utf-8", "backslashreplace").decode() for name in NAMES]
    assert (list(pairs.names), list(pairs.nearest)) == (readable, readable[::-1])
    assert (list(members.names), list(members.nearest)) == (["a", "b"], ["", "c"])
    assert (members.of("training").tolist(), members.of("generated").tolist()) == ([0], [])
    assert list(Texts.of([])) == []


def test_tables_that_are_not_there_are_none(tmp_path):
    assert read_tables(tmp_path / "tables.npz", total=3) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"member_rms": np.array([0, -1.0])},
        {"member_side": np.array([0, 3])},
        {"name_end": np.array([5, 4, 3, 2, 1, 0])},
        {"down": np.zeros(3, np.int8)},
    ],
)
def test_damage_is_one_line(tmp_path, changed):
    with pytest.raises(RunError, match=r"tables\.npz is damaged"):
        read_tables(written(tmp_path, **changed), total=len(NAMES))
