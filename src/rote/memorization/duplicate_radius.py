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
FEWEST = 20
"""Fewer distinct images than this are measured as a whole: there is no law to be seen in them."""


def spacing_of(
    items: npt.NDArray[Any], positions: npt.NDArray[np.int64], *, seed: int = 0
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

    Returns
    -------
    float or None
        Root-mean-square difference per value, in the items' units; None of a single item.
    """
    if len(positions) < 2:
        return None
    told = f"spacing {seed} {digest_of(positions)}"
    found = known(items, told, lambda: np.array(_spacing(items, positions, seed=seed)))
    return float(found)


def _spacing(items: npt.NDArray[Any], positions: npt.NDArray[np.int64], *, seed: int) -> float:
    count = len(positions)
    drawn = drawn_by_content(items, positions, seed=child_seed(seed, "spacing"))
    if count < FEWEST:
        return _median_nearest(items, drawn, drawn, itself=True)
    part = min(count // PARTS, MOST)
    queries = drawn[part : part + most_looked_at(items[:1].nbytes)]
    sizes = [part, part // 2, max(part // 4, 1)]
    spacings = [_median_nearest(items, queries, drawn[:size]) for size in sizes]
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
    *,
    itself: bool = False,
) -> float:
    """Return the median RMS distance to the nearest reference; ``itself``: to the nearest other one."""
    k, step = 2 if itself else 1, max(1, TOGETHER // items[:1].nbytes)
    parts = []
    for start in range(0, len(queries), step):
        some = items[queries[start : start + step]]
        release_pages(items)
        parts.append(nearest_among(some, items, np.sort(references), k=k).sq_distances[:, -1])
    return float(np.median(np.sqrt(np.concatenate(parts) / math.prod(items.shape[1:]))))
