"""The radius of near-duplicates, from the spacing of the data themselves.

Near-duplicates are images that lie far nearer to each other than different images of this set do. How
near different ones come depends on the data: a typical CIFAR-10 image has its nearest other at 43 grey
levels (root mean square), a faint galaxy on black at 2. So the radius is a share of that **spacing**, and
not a number of grey levels.

The spacing must not be fooled by the very duplicates that are looked for: with a twin of every image, the
nearest other image is the twin. So it is measured in a random part of the set, a fifth at the most, in
which few images have their twin, and carried over to the whole set by the law of nearest neighbors: in n
images of intrinsic dimension d the spacing falls as n^(-1/d). The slope comes from parts of three sizes.

A share of 0.23 of the spacing keeps chance away: where images fill d dimensions, a share of about
0.7 * 0.23^d of them has another one that near, 4 % in two dimensions, 0.8 % in three, 0.05 % in five.

Of items in groups, such as the slices of patients, the nearest different one is the nearest of another
group: the spacing is then that between patients, and not that between slices of one (decision 46).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.seeds import child_seed
from rote.data.known import digest_of, known
from rote.data.sampling import drawn_by_content
from rote.neighbors.search import nearest_among

SHARE_OF_SPACING = 0.23
MOST = 1000
"""Images of the part whose spacing is measured, and images that are measured in it."""
MOST_BYTES, FEWEST_LONG = 2**28, 200
"""Of the images that are measured, unless these are fewer then."""
TOGETHER = 2**26
"""Bytes of those that are in memory together."""
PARTS = 5
"""The part is at most one image in so many: a twin of each image is then rarely in it."""
WIDTHS = (1, 4, 16, 64)
"""Neighbors among which one of another group is sought, before each group is left out by itself."""
FEWEST = 20
"""Fewer distinct images than this are measured as a whole: there is no law to be seen in them."""


def spacing_of(
    items: npt.NDArray[Any],
    positions: npt.NDArray[np.int64],
    *,
    seed: int = 0,
    kin: npt.NDArray[np.int64] | None = None,
) -> float | None:
    """Return the median distance of an image to the nearest different one of its set.

    Parameters
    ----------
    items
        uint8 (N, H, W, C) images or float32 (N, D) vectors.
    positions
        int64: which of them, exact duplicates once.
    seed
        Of the parts, which depend on what the images hold and not on their order.
    kin
        int64 (N,): the group of each item, such as its patient; the nearest of another group is then
        meant. None: of all others.

    Returns
    -------
    float or None
        Root-mean-square difference per value, in the items' units; None of a single item or group.
    """
    own = np.arange(len(items)) if kin is None else kin
    if len(np.unique(own[positions])) < 2:
        return None
    told = f"spacing {seed} {digest_of(positions)}"
    if kin is not None:
        told += f" {digest_of(kin)}"
    found = known(items, told, lambda: np.array(_spacing(items, positions, own, seed=seed)))
    return float(found)


def _spacing(
    items: npt.NDArray[Any],
    positions: npt.NDArray[np.int64],
    own: npt.NDArray[np.int64],
    *,
    seed: int,
) -> float:
    count = len(positions)
    drawn = drawn_by_content(items, positions, seed=child_seed(seed, "spacing"))
    if count < FEWEST:
        return _median_nearest(items, drawn, drawn, own)
    part = min(count // PARTS, MOST)
    queries = drawn[part : part + most_looked_at(items[:1].nbytes)]
    sizes = [part, part // 2, max(part // 4, 1)]
    spacings = [_median_nearest(items, queries, drawn[:size], own) for size in sizes]
    if not math.isfinite(spacings[-1]):  # nearly all items are of one group
        return _median_nearest(items, queries, drawn, own)
    slope = math.log(spacings[0] / spacings[-1]) / math.log(sizes[0] / sizes[-1])
    return spacings[0] * (count / part) ** min(slope, 0.0)


def most_looked_at(item_bytes: int) -> int:
    """Return how many items of so many bytes stand for all of a side.

    >>> most_looked_at(32 * 32 * 3), most_looked_at(512 * 512 * 3), most_looked_at(1024 * 1024 * 3)
    (1000, 341, 200)
    """
    return min(MOST, max(FEWEST_LONG, MOST_BYTES // max(1, item_bytes)))


def duplicate_radius(spacing: float | None) -> float:
    """Return the radius of near-duplicates: `SHARE_OF_SPACING` of `spacing_of`, to two digits.

    >>> duplicate_radius(43.0), duplicate_radius(2.15), duplicate_radius(None)
    (9.9, 0.49, 0.0)
    """
    return float(f"{SHARE_OF_SPACING * spacing:.2g}") if spacing else 0.0


def _median_nearest(
    items: npt.NDArray[Any],
    queries: npt.NDArray[np.int64],
    references: npt.NDArray[np.int64],
    own: npt.NDArray[np.int64],
) -> float:
    """Return the median RMS distance to the nearest reference of another group."""
    rows, step = np.sort(references), max(1, TOGETHER // items[:1].nbytes)
    sq = np.full(len(queries), np.inf)

    def search(some: npt.NDArray[np.int64], among: npt.NDArray[np.int64], k: int) -> None:
        for start in range(0, len(some), step):
            part = some[start : start + step]
            found = nearest_among(items[queries[part]], items, among, k=min(k, len(among)))
            release_pages(items)
            other = own[among[found.indices]] != own[queries[part]][:, None]
            done, first = other.any(axis=1), other.argmax(axis=1)
            sq[part[done]] = found.sq_distances[done, first[done]]

    for k in WIDTHS:
        search(np.flatnonzero(np.isinf(sq)), rows, k)
    left = np.flatnonzero(np.isinf(sq))
    for one in np.unique(own[queries[left]]):  # groups so large that they fill up the nearest
        among = rows[own[rows] != one]
        if len(among):
            search(left[own[queries[left]] == one], among, 1)
    return float(np.median(np.sqrt(sq / math.prod(items.shape[1:]))))
