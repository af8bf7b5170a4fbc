"""Exact k nearest references.

The answer equals brute force bit for bit: integers for 8-bit items, sum((q - r)^2) in float64 for floats,
ties to the lowest index, whatever the method, blocks, threads or device. Large searches on a CPU go
through an index (`cpu.index`), the rest by brute force; a GPU has an index of its own (`gpu.index`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError
from rote.neighbors.brute_force import brute_force_nearest, brute_force_pairs
from rote.neighbors.numeric import is_long, is_scalable, largest

if TYPE_CHECKING:
    from rote.neighbors.cpu.index import ProjectionIndex
    from rote.neighbors.cpu.long_index import LongIndex

INDEX_FROM = 2e10
"""Queries x references x dimensions from which an index pays for its preparation."""
PAIRS_INDEX_FROM = 2e8
PAIRS_LISTED = 4000
LARGEST = 1e150


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest references of each query, nearest first.

    Attributes
    ----------
    indices
        int64 (queries, k), positions in the references.
    sq_distances
        Squared L2 distances: int64 for uint8 items, float64 for float items.
    """

    indices: npt.NDArray[np.int64]
    sq_distances: npt.NDArray[Any]


def nearest_neighbors(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    k: int = 2,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Find the exact k nearest references of every query in L2.

    Parameters
    ----------
    queries, references
        uint8 (N, ...) or float (N, ...), both of one kind and item shape.
    k
        How many, 1 <= k <= len(references).
    device
        "cpu", or "cuda" for brute force by matrix products there. On a GPU references may be larger
        than its memory, and float items beyond 1e100, or all below 1e-100, are still searched on the CPU.
    on_progress
        Called with queries done and their total.

    Raises
    ------
    DataError
        If shapes or types differ, a side is empty, or a float is not finite.
    ConfigError
        If k is out of range.

    >>> images = np.array([[0, 0], [3, 4], [3, 4]], dtype=np.uint8)
    >>> found = nearest_neighbors(images[:1], images, k=3)
    >>> found.indices.tolist(), found.sq_distances.tolist()
    ([[0, 1, 2]], [[0, 25, 25]])
    """
    check_search(queries, references, k)
    flat_queries = queries.reshape(len(queries), -1)
    flat_references = references.reshape(len(references), -1)
    if device != "cpu":
        from rote.neighbors.gpu.index import DeviceIndex

        found = DeviceIndex(flat_references, device=device).nearest(
            flat_queries, k, on_progress=on_progress
        )
    elif is_long(references) or index_pays(queries, references):
        found = open_index(references).nearest(flat_queries, k, on_progress=on_progress)
    else:
        found = brute_force_nearest(flat_queries, flat_references, k, on_progress=on_progress)
    return Neighbors(*found)


def nearest_among(
    queries: npt.NDArray[Any], references: npt.NDArray[Any], rows: npt.NDArray[np.int64], *, k: int
) -> Neighbors:
    """Find the exact k nearest of some rows, ascending; answers are places among these.

    As `nearest_neighbors` does in ``references[rows]``, which are not copied where items are long.
    """
    if not is_long(references):
        return nearest_neighbors(queries, references[rows], k=k)
    check_search(queries, references, k)
    return Neighbors(*open_index(references, rows).nearest(queries.reshape(len(queries), -1), k))


def open_index(
    references: npt.NDArray[Any],
    rows: npt.NDArray[np.int64] | None = None,
    *,
    projection: Any = None,
    kept: tuple[npt.NDArray[Any], str] | None = None,
) -> ProjectionIndex | LongIndex:
    """Prepare references (N, ...) for searches on the CPU.

    Parameters
    ----------
    references
        As `nearest_neighbors` takes them.
    rows
        int64, ascending: those that count, of long items alone; answers are places among them.
    projection
        The directions of another index of such items, to take in place of fitting some.
    kept
        As `rote.neighbors.cpu.index.ProjectionIndex` takes it; of no meaning for long items.
    """
    threads = torch.get_num_threads()
    if is_long(references):
        from rote.neighbors.cpu.long_index import LongIndex  # numba takes a moment to import

        return LongIndex(references, rows=rows, threads=threads, projection=projection)
    from rote.neighbors.cpu.index import ProjectionIndex

    assert rows is None
    return ProjectionIndex(references, threads=threads, projection=projection, kept=kept)


def merge(a: Neighbors, b: Neighbors, *, k: int) -> Neighbors:
    """Return the k nearest of two results by (distance, index), what is in both of them once.

    Both hold the nearest of some references, as many as there are up to k; these may overlap.

    >>> one = Neighbors(np.array([[4, 7]]), np.array([[1, 9]]))
    >>> two = Neighbors(np.array([[2, 4]]), np.array([[9, 1]]))
    >>> merge(one, two, k=3).indices.tolist()
    [[4, 2, 7]]
    """
    indices = np.concatenate([a.indices, b.indices], axis=1)
    sq = np.concatenate([a.sq_distances, b.sq_distances], axis=1)
    order = np.lexsort((indices, sq), axis=1)
    indices, sq = np.take_along_axis(indices, order, 1), np.take_along_axis(sq, order, 1)
    # One reference has one distance: the same one twice stands side by side.
    again = np.zeros(indices.shape, bool)
    again[:, 1:] = indices[:, 1:] == indices[:, :-1]
    if again.any():
        order = np.argsort(again, axis=1, kind="stable")
        indices, sq = np.take_along_axis(indices, order, 1), np.take_along_axis(sq, order, 1)
        k = min(k, int((~again).sum(axis=1).min()))
    return Neighbors(indices[:, :k], sq[:, :k])


def components_within(
    items: npt.NDArray[Any],
    rows: npt.NDArray[np.int64],
    sq_radius: float,
    *,
    kin: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Find which items hang together by pairs with |x_i - x_j|^2 <= sq_radius, exactly.

    The pairs are never listed, so there may be any number of them.

    Parameters
    ----------
    items
        uint8 or finite float (N, ...); may be mapped from a file.
    rows
        int64 (n,), ascending: the items that count.
    sq_radius
        Squared L2 radius, in squared units of the values, >= 0.
    kin
        int64 (n,): the part of each of the rows, such as a patient, within which pairs do not count: two
        rows of one part hang together through others alone. None: all pairs count.

    Returns
    -------
    ndarray
        int64 (n,): number of the connected component of each of the rows, from 0 without gaps.

    Raises
    ------
    ConfigError
        If the radius is negative or not a number.
    DataError
        If the items cannot be searched.

    >>> images = np.array([[0, 0], [9, 9], [3, 4]], dtype=np.uint8)
    >>> found = components_within(images, np.arange(3), 25)
    >>> bool(found[0] == found[2]), bool(found[0] == found[1])
    (True, False)
    """
    _check_radius(sq_radius)
    check_search(items, items, 1)
    flat = items.reshape(len(items), -1)
    few = not is_long(items) and _few_pairs(flat.shape[1], len(rows))
    if few or not is_scalable(flat):
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        i, j, _ = brute_force_pairs(flat[rows], sq_radius)
        if kin is not None:
            counts = kin[i] != kin[j]
            i, j = i[counts], j[counts]
        edges = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(rows), len(rows)))
        return connected_components(edges, directed=False)[1].astype(np.int64)
    from rote.neighbors.radius.search import block_components  # numba takes a moment to import

    return block_components(items, rows, sq_radius, kin=kin)


def _check_radius(sq_radius: float) -> None:
    if not sq_radius >= 0:
        raise ConfigError(f"the squared radius is {sq_radius}; it must be a number from 0 on")


def _few_pairs(dimension: int, count: int) -> bool:
    """Say whether all pairs are so few that they may be looked at one by one, and listed."""
    return count <= PAIRS_LISTED and dimension * count**2 < PAIRS_INDEX_FROM


def check_search(queries: npt.NDArray[Any], references: npt.NDArray[Any], k: int) -> None:
    """Refuse what cannot be searched; errors as `nearest_neighbors` raises them."""
    if not len(queries) or not len(references):
        side = "queries" if not len(queries) else "references"
        raise DataError(f"there are no {side} to search; both sides need at least one item")
    if queries.shape[1:] != references.shape[1:]:
        raise DataError(
            f"queries have items of shape {queries.shape[1:]}, references of {references.shape[1:]}; "
            "bring both to one size and channel count (`resolution`, `channels`)"
        )
    if (queries.dtype == np.uint8) != (references.dtype == np.uint8):
        raise DataError(
            f"queries are {queries.dtype} and references {references.dtype}; their value ranges "
            "cannot be compared: convert both to uint8 in [0, 255]"
        )
    if not 1 <= k <= len(references):
        raise ConfigError(
            f"k is {k}, but there are {len(references)} references; choose 1 to {len(references)}"
        )
    for name, items in (("queries", queries), ("references", references)):
        size = 0.0 if items.dtype == np.uint8 else largest(items)
        if not np.isfinite(size):
            raise DataError(f"{name} hold NaN or infinity; remove those items")
        if size > LARGEST:
            raise DataError(
                f"{name} hold values beyond {LARGEST:g}; scale them, their squares overflow"
            )


def index_pays(queries: npt.NDArray[Any], references: npt.NDArray[Any]) -> bool:
    """Say whether a search is large enough for an index, and its values in the range of it."""
    return queries.size * len(references) >= INDEX_FROM and is_scalable(references)
