"""Kin: who is no rival, against brute force."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.memorization.groups.kin import check_kin, kin_of, shared_by_duplicates, whole_groups
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher


def brute_force(queries, training, positions, kin, own=None):
    """Return NN1 and NN2 of each query by sorting all distances; ties to the lower position."""
    found = []
    for row, query in enumerate(queries.astype(np.int64)):
        sq = (
            ((training[positions].astype(np.int64) - query) ** 2).reshape(len(positions), -1).sum(1)
        )
        order = positions[np.lexsort((positions, sq))]
        if own is not None:
            order = [p for p in order if (kin[:, p] != own[:, row]).all()]
        first = order[0]
        second = next((p for p in order if (kin[:, p] != kin[:, first]).all()), first)
        found.append((first, second))
    return np.array(found)


def test_the_second_neighbor_is_of_another_duplicate_group_and_another_group():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 40, (60, 2, 2, 1), dtype=np.uint8)
    training[7] = training[50]
    groups = [str(n) for n in rng.integers(0, 4, 60)]
    exact = exact_duplicates(training)
    kin, positions = kin_of(exact, groups), exact.representative
    matcher = Matcher(
        training, positions=positions, group=kin, invariances=Invariances(), device="cpu"
    )
    queries = rng.integers(0, 40, (50, 2, 2, 1), dtype=np.uint8)
    found = matcher.match(queries)[0]
    wanted = brute_force(queries, training, positions, kin)
    assert np.array_equal(np.stack([found.nn1_index, found.nn2_index], 1), wanted)
    # Training items against the rest: their own kin does not count.
    rows = positions[:30]
    found = matcher.match(training[rows], own=kin[:, rows])[0]
    wanted = brute_force(training[rows], training, positions, kin, own=kin[:, rows])
    assert np.array_equal(np.stack([found.nn1_index, found.nn2_index], 1), wanted)
    nearest = matcher.nearest_other_group(training[rows], rows)
    sq = (training[wanted[:, 0]].astype(int) - training[rows]) ** 2
    assert np.array_equal(nearest, sq.reshape(30, -1).sum(1))


def test_where_no_third_group_is_left_the_second_neighbor_is_the_first():
    training = np.array([[[[0]]], [[[9]]], [[[5]]]], np.uint8)
    kin = kin_of(exact_duplicates(training), ["a", "a", "b"])
    matcher = Matcher(
        training, positions=np.arange(3), group=kin, invariances=Invariances(), device="cpu"
    )
    found = matcher.match(training, own=kin)[0]
    assert (found.nn1_index == found.nn2_index).all()


def test_references_without_a_rival_are_refused():
    items = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    exact, rows = exact_duplicates(items), np.arange(4)
    check_kin(Dataset(items), kin_of(exact, list("aabb")), rows)
    with pytest.raises(DataError, match="no item is of another group than 'a'"):
        check_kin(Dataset(items, groups=tuple("aaaa")), kin_of(exact, list("aaaa")), rows)
    # 0 and all of b are near-duplicates: 0 has no rival, though there are two groups of each kind.
    kin = np.array([[0, 1, 0, 0], [0, 0, 1, 1]])
    with pytest.raises(DataError, match="no item is of another group than 'a' and no duplicate"):
        check_kin(Dataset(items, groups=tuple("aabb")), kin, rows)


def test_whole_groups_are_set_aside():
    groups, order = list("aabbbccd"), np.array([7, 2, 0, 1, 3, 4, 5, 6])
    assert whole_groups(groups, order, 3).tolist() == [2, 3, 4, 7]
    assert whole_groups(groups, order, 1).tolist() == [2, 3, 4, 7]
    with pytest.raises(DataError, match="takes 3 of 4 groups"):
        whole_groups(groups, order, 5)


def test_duplicates_across_groups_are_told_by_name():
    items = np.array([1, 2, 1, 2, 3, 1], np.uint8)[:, None]
    pairs = shared_by_duplicates(exact_duplicates(items), list("abbcaa"))
    assert pairs == [("a", "b"), ("b", "c")]
