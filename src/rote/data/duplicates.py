"""Groups of exact duplicates within one set; near ones: `rote.memorization.duplicates`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.files.mapped import blocks_of
from rote.data.item_digests import DIGEST_BYTES, item_digests


@dataclass(frozen=True, eq=False)
class DuplicateGroups:
    """A partition of the items into groups of duplicates.

    Attributes
    ----------
    group
        int64 (N,): the group of each item, numbered by first appearance.
    representative
        int64 (groups,): the lowest position in each group, ascending.
    """

    group: npt.NDArray[np.int64]
    representative: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.representative)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Items in each group, int64 (groups,)."""
        return np.bincount(self.group)

    @property
    def repeated(self) -> npt.NDArray[np.bool_]:
        """Whether each item shares its group with another, bool (N,)."""
        return self.sizes[self.group] > 1

    def to_json(self) -> dict[str, Any]:
        """Return groups with more than one item, the items in them, and the distinct items."""
        sizes = self.sizes
        return {
            "groups": int((sizes > 1).sum()),
            "images": int(sizes[sizes > 1].sum()),
            "distinct": len(self),
        }


def exact_duplicates(items: npt.NDArray[Any]) -> DuplicateGroups:
    """Group the items that are equal in every value.

    Parameters
    ----------
    items
        (N, ...) of any dtype.

    >>> groups = exact_duplicates(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint8))
    >>> groups.group.tolist(), groups.representative.tolist()
    ([0, 1, 0], [0, 1])
    """
    keys = _keys(items)
    # Stable, so the first of equal keys is the lowest position.
    order = np.lexsort(keys.T)
    new = np.ones(len(order), bool)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    lowest = order[new]
    return numbered(np.cumsum(new)[np.argsort(order)] - 1, lowest)


def _keys(items: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return what tells items apart: their own bytes, or their SHA-256 where that is shorter."""
    if items.dtype == np.uint8 and items[:1].nbytes > DIGEST_BYTES:
        return item_digests(items).view(np.uint64)
    return np.concatenate([_keys_of_block(block) for block in blocks_of(items)])


def _keys_of_block(items: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    # + 0.0 turns -0.0 into 0.0, which is equal and has other bytes.
    flat = np.ascontiguousarray(items if items.dtype == np.uint8 else items + 0.0)
    flat = flat.reshape(len(flat), -1).view(np.uint8)
    if flat.shape[1] > DIGEST_BYTES:
        return item_digests(flat).view(np.uint64)
    padded = np.zeros((len(flat), -(-flat.shape[1] // 8) * 8), np.uint8)
    padded[:, : flat.shape[1]] = flat
    return padded.view(np.uint64)


def equal_items(items: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which items equal one of the others in every value, bool (N,).

    Parameters
    ----------
    items, others
        (N, ...) and (M, ...) of one dtype and item shape.

    >>> equal_items(np.array([[1], [2]], dtype=np.uint8), np.array([[2]], dtype=np.uint8)).tolist()
    [False, True]
    """
    seen = {key.tobytes() for key in _keys(others)}
    return np.array([key.tobytes() in seen for key in _keys(items)])


def numbered(group: npt.NDArray[np.int64], lowest: npt.NDArray[np.int64]) -> DuplicateGroups:
    """Number groups by first appearance, given the lowest position in each."""
    order = np.argsort(lowest)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return DuplicateGroups(number[group], lowest[order].astype(np.int64))
