"""Kin: training items that are no rivals of each other, because a partition puts them together.

The second neighbor of a copy must be another image, not the same one once more. So it is sought among
the items that lie in another duplicate group, and where items belong to groups, such as patients, in
another of these, too. Two items are kin where any of the partitions puts both into one part. That is not
joined any further: a blank slice that all patients share would make all slices of all patients one group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups
from rote.data.messages import shown

Places = npt.NDArray[np.int64]


def kin_of(near: DuplicateGroups, groups: Sequence[str] | None) -> Places:
    """Return the partitions, int64 (P, N): duplicates, and groups where there are some."""
    if groups is None:
        return near.group[None]
    return np.stack([near.group, _numbers(groups)])


def numbers_of(groups: Sequence[str] | None, rows: Places | None = None) -> Places | None:
    """Return the groups of some items (None: of all) as numbers, in the order of the sorted names.

    None if there are none.

    >>> numbers_of(["b", "a", "b"], np.array([0, 1])).tolist()
    [1, 0]
    """
    if groups is None:
        return None
    return _numbers(groups) if rows is None else _numbers(groups)[rows]


def _numbers(groups: Sequence[str]) -> Places:
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.int64)


def apart(kin: Places, indices: Places, own: Places) -> npt.NDArray[np.bool_]:
    """Return which neighbors (N, k), by position, are no kin of an item of the parts (P, N): (N, k).

    >>> kin = np.array([[0, 0, 1, 2], [5, 6, 6, 7]])
    >>> apart(kin, np.array([[0, 1, 2, 3]]), np.array([[0], [6]])).tolist()
    [[False, False, False, True]]
    """
    away = kin[0][indices] != own[0][:, None]
    for partition, part in zip(kin[1:], own[1:], strict=True):
        away &= partition[indices] != part[:, None]
    return away


def first_two(kin: Places, indices: Places, own: Places | None) -> tuple[Places, Places]:
    """Return the columns of NN1 and NN2 among neighbors (N, k), nearest first; NN2's is 0 without both.

    With ``own``, the parts (P, N) of each query, kin of the query do not count.
    """
    counts = np.ones(indices.shape, bool) if own is None else apart(kin, indices, own)
    first = counts.argmax(axis=1)
    nearest = indices[np.arange(len(indices)), first]
    others = counts & apart(kin, indices, kin[:, nearest])
    return first, others.argmax(axis=1)


def check_kin(training: Dataset, kin: Places, positions: Places) -> None:
    """Refuse references of which one has no rival: an item that is no kin of it.

    Parameters
    ----------
    training
        The training side, for messages.
    kin, positions
        The partitions (P, N), and which of the N items are references.

    Raises
    ------
    DataError
        The message says which partition leaves too few.
    """
    parts = kin[:, positions]
    if len(positions) < 2:
        raise DataError(
            f"`training` {training.source} has {len(positions)} distinct item; the ratio to the second "
            "nearest needs at least two"
        )
    if len(np.unique(parts[0])) < 2:
        raise DataError(
            f"`training` {training.source} is one single group of near-duplicates; the ratio needs at "
            "least two: give a smaller `duplicate_rms`"
        )
    if len(parts) == 1:
        return
    near, group = (np.unique(part, return_inverse=True)[1] for part in parts)
    _, both = np.unique(np.stack([near, group]), axis=1, return_inverse=True)
    sizes = [np.bincount(part)[part] for part in (near, group, both.ravel())]
    alone = np.flatnonzero(len(positions) - sizes[0] - sizes[1] + sizes[2] <= 0)
    if len(alone):
        assert training.groups is not None
        name = training.groups[positions[alone[0]]]
        raise DataError(
            f"`training` {training.source}: no item is of another group than '{shown(name)}' and no "
            "duplicate of its items, and the ratio to the second nearest needs one; give items of more "
            "groups, or `group_by` none"
        )


def whole_groups(groups: Sequence[str], order: Places, count: int) -> Places:
    """Return the positions of whole groups that hold at least ``count`` items, by first appearance.

    Parameters
    ----------
    groups
        The group of each item.
    order
        int64: positions, as they are drawn.
    count
        How many are asked for.

    Raises
    ------
    DataError
        If fewer than two groups would be taken, or left.
    """
    number = _numbers(groups)
    drawn, first = np.unique(number[order], return_index=True)
    drawn = drawn[np.argsort(first)]
    held = np.cumsum(np.bincount(number)[drawn])
    taken = max(int(np.searchsorted(held, count)) + 1, 2)
    if taken > len(drawn) - 2:
        raise DataError(
            f"`set_aside` {count} takes {min(taken, len(drawn))} of {len(drawn)} groups of `training`, "
            "and at least two must be left; give fewer"
        )
    return np.flatnonzero(np.isin(number, drawn[:taken]))


def shared_by_duplicates(near: DuplicateGroups, groups: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of groups that near-duplicates lie in, sorted: each group with the next one only.

    >>> from rote.data.duplicates import exact_duplicates
    >>> near = exact_duplicates(np.array([[1], [1], [2]], np.uint8))
    >>> shared_by_duplicates(near, ["ann", "bob", "bob"])
    [('ann', 'bob')]
    """
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    rows = np.unique(np.stack([near.group, number]), axis=1)
    same = np.flatnonzero(rows[0, 1:] == rows[0, :-1])
    pairs = np.unique(rows[1, np.stack([same, same + 1])], axis=1)
    return [(str(names[a]), str(names[b])) for a, b in pairs.T.tolist()]
