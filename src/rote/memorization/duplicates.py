"""Groups of near-duplicates within one set of items.

With every training image present twice, an exact copy has both of its nearest neighbors at distance
0 and a ratio test that does not know about duplicates calls it novel. So the second neighbor is taken
from another group than the first. Near-duplicates do the same harm: a JPEG twin of every training image
hides all noisy copies.

Near means a root-mean-square difference per value of at most a radius, by default a share of the images'
own spacing (`rote.memorization.duplicate_radius`). Groups are the connected components of
all such pairs, found exactly and without listing them: nothing is hashed, nothing can be missed, and a
model that emits one image a hundred thousand times is grouped like any other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.mapped_pages import release_pages
from rote.data.duplicates import DuplicateGroups, numbered
from rote.data.known import digest_of, known
from rote.memorization.invariances import Invariances, mirrored, standardized
from rote.neighbors.search import components_within

BLOCK, BLOCK_NUMBERS = 1024, 2**23


def check_rms(rms: float, *, name: str = "`duplicate_rms`") -> None:
    """Refuse a radius that cannot be one."""
    if not 0 <= rms <= 255:
        raise ConfigError(
            f"{name} is {rms}; it must lie in [0, 255], such as 10 (0: exact duplicates only)"
        )


def near_duplicates(
    items: npt.NDArray[Any],
    exact: DuplicateGroups,
    *,
    rms: float,
    invariances: Invariances | None = None,
    kin: npt.NDArray[np.int64] | None = None,
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
    kin
        int64 (N,): the patient, household or video of each item. Items of one of these resemble each
        other and are no duplicates for that: they join where they are equal, or through items of others.

    Raises
    ------
    ConfigError
        If the radius is out of range.

    >>> from rote.data.duplicates import exact_duplicates
    >>> items = np.array([[[[0]]], [[[200]]], [[[3]]]], dtype=np.uint8)
    >>> near_duplicates(items, exact_duplicates(items), rms=3).group.tolist()
    [0, 1, 0]
    """
    check_rms(rms)
    sq_radius = rms * rms * int(np.prod(items.shape[1:]))
    rows = exact.representative
    invariances = invariances or Invariances()
    parts = None if kin is None else _part_of_each(exact, kin)

    def found() -> npt.NDArray[np.int64]:
        if not invariances.flip and not invariances.tone:
            return components_within(items, rows, sq_radius, kin=parts)
        return _components_of_twins(items[rows], sq_radius, invariances, parts)

    told = f"{rms} {invariances.flip} {invariances.tone} {digest_of(rows)}"
    if parts is not None:
        told += f" {digest_of(parts)}"
    component = known(items, f"near-duplicates {told}", found)[exact.group]
    _, lowest, group = np.unique(component, return_index=True, return_inverse=True)
    return numbered(group, lowest)


def _part_of_each(exact: DuplicateGroups, kin: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the part that each exact group lies in: its own, if it lies in several.

    A blank slice of two patients is near a slice of either as one of the other.
    """
    lowest, highest = np.full(len(exact), np.iinfo(np.int64).max), np.full(len(exact), -1)
    np.minimum.at(lowest, exact.group, kin)
    np.maximum.at(highest, exact.group, kin)
    return np.where(lowest == highest, lowest, highest.max() + 1 + np.arange(len(exact)))


def chained(items: npt.NDArray[Any], groups: DuplicateGroups, *, rms: float) -> int:
    """Count the items more than two radii away from the first of their group.

    Groups are connected components: where neighbors lie within the radius of each other throughout a
    set, a chain of them joins what is far apart.

    Parameters
    ----------
    items, rms
        As `near_duplicates` takes them.
    groups
        What it returned.
    """
    members = np.flatnonzero(groups.sizes[groups.group] > 2)  # of two, one lies within one radius
    first = groups.representative[groups.group[members]]
    limit, far = 4 * rms * rms, 0
    block = max(1, min(BLOCK, BLOCK_NUMBERS // math.prod(items.shape[1:])))
    for start in range(0, len(members), block):
        part = slice(start, start + block)
        apart = items[members[part]].astype(np.float64) - items[first[part]]
        far += int((np.square(apart).reshape(len(apart), -1).mean(axis=1) > limit).sum())
        release_pages(items)
    return far


def _components_of_twins(
    distinct: npt.NDArray[Any],
    sq_radius: float,
    invariances: Invariances,
    kin: npt.NDArray[np.int64] | None,
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
        parts = None if kin is None else np.resize(kin, len(stack))  # twice, with the mirror images
        component = components_within(stack, np.arange(len(stack)), sq_radius, kin=parts)
        first.append(np.arange(len(stack)) % count)
        second.append(component + nodes)
        nodes += int(component.max()) + 1
    ends = (np.concatenate(first), np.concatenate(second))
    edges = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1][:count].astype(np.int64)
