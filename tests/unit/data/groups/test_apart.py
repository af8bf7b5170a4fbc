"""Real sides must share no group."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.groups.apart import real_groups


def side(names, groups=None):
    return Dataset(np.zeros((len(names), 1, 1, 1), np.uint8), names=tuple(names), groups=groups)


def test_both_sides_get_the_groups_of_a_rule():
    found = real_groups(side(["p1/a", "p1/b"]), side(["p2/a"]), "folder")
    assert [one.groups for one in found] == [("p1", "p1"), ("p2",)]
    assert real_groups(side("ab"), None, None)[0].groups is None


def test_a_shared_group_is_refused_with_three_names():
    training = side("abcdef", groups=tuple("abcdef"))
    with pytest.raises(DataError, match=r"share 4 of 6 groups \(b, c, d and 1 more\)"):
        real_groups(training, side("bcdex", groups=tuple("bcdex")), None)


def test_groups_of_one_side_alone_are_refused():
    with pytest.raises(DataError, match="`holdout` array has no groups"):
        real_groups(side("ab", groups=("x", "y")), side("c"), None)
    assert real_groups(side("ab", groups=("x", "y")), side("c"), "none")[0].groups is None
