"""The tables of an audit that its page reads."""

import pytest

from rote.core.errors import RunError
from rote.results.tables import Match, read_duplicates, read_matches

HEAD = "side,group,size,index,name,rms,nn1_index,nn1_name\n"


def test_tables_that_are_not_there_are_empty(tmp_path):
    groups, leaks = read_duplicates(tmp_path / "duplicates.csv")
    assert (groups, leaks) == ({"training": {}, "generated": {}}, [])
    assert read_matches(tmp_path / "pairs.csv", [0]) == {}


def test_only_the_wanted_pairs_are_read_with_their_transform(tmp_path):
    path = tmp_path / "pairs.csv"
    moved = "mirrored, moved by -1 down and 2 right"
    path.write_text(f'generated,name,nn1_name,transform\n4,d,e,\n0,a,b,"{moved}"\n7,f,g,\n')
    assert read_matches(path, [0, 7]) == {
        0: Match("a", "b", True, -1, 2),
        7: Match("f", "g", False, 0, 0),
    }


def test_groups_come_largest_first_and_leaks_apart(tmp_path):
    path = tmp_path / "duplicates.csv"
    rows = ["training,5,2,1,a,0,,", "training,5,2,8,b,1.5,,", "generated,0,2,0,c,0,,"]
    rows += [f"training,9,3,{n},x{n},0,," for n in (2, 3, 4)]
    rows += ["holdout,9,3,6,h,2.5,3,x3", "elsewhere,0,1,0,z,0,,"]
    path.write_text(HEAD + "\n".join(rows) + "\n")
    groups, leaks = read_duplicates(path)
    assert list(groups["training"]) == [9, 5]
    assert [(m.index, m.rms) for m in groups["training"][5]] == [(1, 0.0), (8, 1.5)]
    assert [(m.index, m.nearest, m.nearest_name) for m in leaks] == [(6, 3, "x3")]


@pytest.mark.parametrize("row", ["training,0,0,a", "training,0,2,0,a,-1,,", "holdout,0,2,0,a,1,,"])
def test_damaged_rows_are_one_line(tmp_path, row):
    path = tmp_path / "duplicates.csv"
    path.write_text(HEAD + row + "\n")
    with pytest.raises(RunError, match=r"duplicates\.csv is damaged"):
        read_duplicates(path)
