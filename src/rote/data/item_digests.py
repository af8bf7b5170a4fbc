"""SHA-256 of each item: what tells large items apart, and draws them, without reading them again."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.progress.work import counted_results
from rote.data.known import known
from rote.data.resample import workers

DIGEST_BYTES = 32
BLOCK_BYTES = 16 * 2**20
LONG = 2**16
"""Bytes of an item that is worth a thread, and is drawn by its digest."""
NAME = "digests"
"""Under which they are known."""


def item_digests(items: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of the bytes of each item of (N, ...), uint8 (N, 32).

    >>> digests = item_digests(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint8))
    >>> bool((digests[0] == digests[2]).all()), bool((digests[0] == digests[1]).all())
    (True, False)
    """
    return known(items, NAME, lambda: _digests(items))


def _digests(items: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    found = np.empty((len(items), DIGEST_BYTES), np.uint8)
    rows = max(1, BLOCK_BYTES // max(1, items[:1].nbytes))

    def fill(start: int) -> None:
        for row in range(start, min(start + rows, len(items))):
            digest = hashlib.sha256(np.ascontiguousarray(items[row]).data).digest()
            found[row] = np.frombuffer(digest, np.uint8)
        release_pages(items)

    # Threads gain nothing over short items, which the interpreter takes longer for than the hash.
    with ThreadPoolExecutor(workers() if items[:1].nbytes >= LONG else 1) as pool:
        starts = range(0, len(items), rows)
        counted_results(pool.map(fill, starts), "blocks of items hashed", len(starts))
    return found
