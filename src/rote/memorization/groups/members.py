"""The members of all duplicate groups of an audit, as `tables.npz` and `duplicates.csv` have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rote.core.mapped_pages import release_pages
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups
from rote.memorization.audit.gallery import GENERATED, HOLDOUT, TRAINING
from rote.memorization.audit.result import Findings
from rote.results.gallery import SIDES
from rote.results.neighbors import NONE
from rote.results.tables import Members

DUPLICATE_COLUMNS = ("side", "group", "size", "index", "name", "rms", "nn1_index", "nn1_name")
RELEASE_EVERY = 8192


def members_of(found: Findings) -> Members:
    """Return the members of all groups of two and more, and the held-out items that are in training."""
    parts = [
        _of_side(TRAINING, found.training, found.groups),
        _of_side(GENERATED, found.generated, found.collapse),
    ]
    if found.leaks is not None and found.holdout is not None:
        leaks, values = found.leaks, int(np.prod(found.training.items.shape[1:]))
        names = found.training.names
        parts.append(
            Members(
                side=np.full(len(leaks.index), HOLDOUT, np.int8),
                group=found.groups.group[leaks.nn1_index],
                index=leaks.index,
                rms=np.sqrt(leaks.sq / values),
                nearest_index=leaks.nn1_index,
                names=[found.holdout.names[i] for i in leaks.index.tolist()],
                nearest=[names[near] for near in leaks.nn1_index.tolist()],
            )
        )
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("side", "group", "index", "rms", "nearest_index")
    }
    return Members(
        **arrays,
        names=[name for part in parts for name in part.names],
        nearest=[name for part in parts for name in part.nearest],
    )


def _of_side(number: int, side: Dataset, groups: DuplicateGroups) -> Members:
    """Return the members of all groups of two and more of a side, by group, then position."""
    index = np.flatnonzero(groups.repeated)
    index = index[np.argsort(groups.group[index], kind="stable")]
    rms = np.empty(len(index), np.float64)
    for row, i in enumerate(index):
        if row % RELEASE_EVERY == 0:
            release_pages(side.items)
        first = side.items[groups.representative[groups.group[i]]].astype(np.float64)
        rms[row] = np.sqrt(np.square(side.items[i] - first).mean())
    return Members(
        side=np.full(len(index), number, np.int8),
        group=groups.group[index],
        index=index,
        rms=rms,
        nearest_index=np.full(len(index), NONE, np.int64),
        names=[side.names[i] for i in index.tolist()],
        nearest=[""] * len(index),
    )


def duplicate_rows(found: Findings, members: Members) -> Iterator[Sequence[Any]]:
    """Yield the rows of `duplicates.csv`; held-out items have the group that they lie in."""
    yield DUPLICATE_COLUMNS
    sizes = {
        GENERATED: found.collapse.sizes,
        TRAINING: found.groups.sizes,
        HOLDOUT: found.groups.sizes,
    }
    for row, (side, group, index) in enumerate(
        zip(members.side.tolist(), members.group.tolist(), members.index.tolist(), strict=True)
    ):
        near = int(members.nearest_index[row])
        cells = [SIDES[side], group, int(sizes[side][group]), index, members.names[row]]
        cells += [f"{members.rms[row]:.4g}", "" if near == NONE else near, members.nearest[row]]
        yield cells
