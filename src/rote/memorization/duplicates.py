"""Groups of duplicates, exact and near, within one set of items.

With every training image present twice, an exact copy has both of its nearest neighbors at distance
0 and a ratio test that does not know about duplicates calls it novel. So the second neighbor is taken
from another group than the first. Near-duplicates do the same harm: a JPEG twin of every training image
hides all noisy copies.

Near means a root-mean-square difference per value of at most `DUPLICATE_RMS` 8-bit levels; how that
number was found is told in `docs/decisions/009-duplicates.md`. Groups are the connected components of
all such pairs, found exactly and without listing them: nothing is hashed, nothing can be missed, and a
model that emits one image a hundred thousand times is grouped like any other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.data.mapped import blocks_of
from rote.memorization.neighbors import components_within
from rote.memorization.transforms import Invariances, mirrored, standardized

DUPLICATE_RMS = 10.0
DIGEST_BYTES = 32
"""Of SHA-256, which stands for larger items: a million images must not be kept as keys."""


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
    keys = np.concatenate([_keys(block) for block in blocks_of(items)])
    # Stable, so the first of equal keys is the lowest position.
    order = np.lexsort(keys.T)
    new = np.ones(len(order), bool)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    lowest = order[new]
    return _numbered(np.cumsum(new)[np.argsort(order)] - 1, lowest)


def _keys(items: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return what tells items apart: their own bytes, or their SHA-256 where that is shorter."""
    # + 0.0 turns -0.0 into 0.0, which is equal and has other bytes.
    flat = np.ascontiguousarray(items if items.dtype == np.uint8 else items + 0.0)
    flat = flat.reshape(len(flat), -1).view(np.uint8)
    if flat.shape[1] > DIGEST_BYTES:
        digests = b"".join(hashlib.sha256(item.data).digest() for item in flat)
        flat = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)
    padded = np.zeros((len(flat), -(-flat.shape[1] // 8) * 8), np.uint8)
    padded[:, : flat.shape[1]] = flat
    return padded.view(np.uint64)


def _numbered(group: npt.NDArray[np.int64], lowest: npt.NDArray[np.int64]) -> DuplicateGroups:
    """Number groups by first appearance, given the lowest position in each."""
    order = np.argsort(lowest)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return DuplicateGroups(number[group], lowest[order].astype(np.int64))


def check_rms(rms: float, *, name: str = "--duplicate-rms") -> None:
    """Refuse a radius that cannot be one."""
    if not 0 <= rms <= 255:
        raise ConfigError(
            f"{name} is {rms}; it must lie in [0, 255], such as {DUPLICATE_RMS:g} "
            "(0: exact duplicates only)"
        )


def near_duplicates(
    items: npt.NDArray[Any],
    exact: DuplicateGroups,
    *,
    rms: float,
    invariances: Invariances | None = None,
) -> DuplicateGroups:
    """Join the exact groups that lie within a radius of each other; always on the CPU.

    Parameters
    ----------
    items
        uint8 (N, H, W, C) images or float32 (N, D) vectors; may be mapped from a file.
    exact
        `exact_duplicates` of the items.
    rms
        The radius: root-mean-square difference per value, in the items' units (0 to 255 for images).
    invariances
        With flip, an image also joins those that its mirror image is near to; with tone, those it is
        near to after brightness and contrast are matched. Shifts do not join.

    Raises
    ------
    ConfigError
        If the radius is out of range.

    >>> items = np.array([[[[0]]], [[[200]]], [[[3]]]], dtype=np.uint8)
    >>> near_duplicates(items, exact_duplicates(items), rms=3).group.tolist()
    [0, 1, 0]
    """
    check_rms(rms)
    sq_radius = rms * rms * int(np.prod(items.shape[1:]))
    rows = exact.representative
    invariances = invariances or Invariances()
    if not invariances.flip and not invariances.tone:
        component = components_within(items, rows, sq_radius)
    else:
        component = _components_of_twins(items[rows], sq_radius, invariances)
    component = component[exact.group]
    _, lowest, group = np.unique(component, return_index=True, return_inverse=True)
    return _numbered(group, lowest)


def _components_of_twins(
    distinct: npt.NDArray[Any], sq_radius: float, invariances: Invariances
) -> npt.NDArray[np.int64]:
    """Return the component of each item where mirrored and retoned twins join as well."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(distinct)
    stacks = [np.concatenate([distinct, mirrored(distinct)]) if invariances.flip else distinct]
    if invariances.tone:
        stacks.append(standardized(stacks[0]))
    # An item and its mirror image are one node; each stack's components are further nodes, and their
    # members hang on them.
    first, second, nodes = [], [], count
    for stack in stacks:
        component = components_within(stack, np.arange(len(stack)), sq_radius)
        first.append(np.arange(len(stack)) % count)
        second.append(component + nodes)
        nodes += int(component.max()) + 1
    ends = (np.concatenate(first), np.concatenate(second))
    edges = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1][:count].astype(np.int64)
