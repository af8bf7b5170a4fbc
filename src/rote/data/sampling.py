"""An order of items that depends on what they hold, not on where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.item_digests import LONG, item_digests


def drawn_by_content(
    items: npt.NDArray[Any],
    positions: npt.NDArray[np.int64],
    *,
    seed: int,
    repeats_apart: bool = False,
) -> npt.NDArray[np.int64]:
    """Return the positions in a random order that a shuffle of the items does not change.

    Items are ordered by SHA-256 of the seed and their bytes; equal items by position. So the same
    images are drawn from a data set however its files are ordered. The SHA-256 of a long item stands for
    its bytes: that is read once for all draws.

    Parameters
    ----------
    items
        (N, ...) of any dtype.
    positions
        int64: which of them.
    seed
        Of the order, in [0, 2^64).
    repeats_apart
        Whether equal items lie anywhere in the order, so that a part of it holds each as often as the
        whole does on average; else they lie side by side.

    >>> items = np.arange(5, dtype=np.uint8)[:, None]
    >>> order = drawn_by_content(items, np.arange(5), seed=0)
    >>> bool((items[::-1][drawn_by_content(items[::-1], np.arange(5), seed=0)] == items[order]).all())
    True
    """
    keys, seen = [], dict[bytes, int]()
    for digest in keyed_digests(items, positions, seed=seed):
        if repeats_apart:
            number = seen[digest] = seen.get(digest, -1) + 1
            if number:
                digest = hashlib.sha256(digest + number.to_bytes(8, "little")).digest()
        keys.append(digest)
    order = sorted(range(len(positions)), key=lambda n: (keys[n], positions[n]))
    return positions[np.array(order, np.int64)]


def keyed_digests(
    items: npt.NDArray[Any], positions: Iterable[int], *, seed: int
) -> Iterator[bytes]:
    """Yield the SHA-256 of the seed and each item, by which `drawn_by_content` orders them."""
    root = hashlib.sha256(seed.to_bytes(8, "little"))
    read = item_digests(items) if items[:1].nbytes >= LONG else items
    for position in positions:
        key = root.copy()
        key.update(read[position].tobytes())
        yield key.digest()
