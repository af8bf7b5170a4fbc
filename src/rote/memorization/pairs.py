"""All pairs of items within a radius, exactly: the search behind duplicate groups.

The same screening as the nearest-neighbor cascade (`bounds`), with a limit that is the same for all
queries and known from the start, over the upper triangle only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import DataError
from rote.memorization import kernels
from rote.memorization.bounds import UNIT32
from rote.memorization.cascade import QUERY_BLOCK, REFERENCE_BLOCK, Cascade, parts_of

MOST_PAIRS = 50_000_000
FIRST_CAPACITY = 4096


def cascade_pairs(
    flat: npt.NDArray[Any], sq_radius: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return what `rote.memorization.neighbors.pairs_within` does, for (N, D) items."""
    kind = np.int64 if flat.dtype == np.uint8 else np.float64
    flat = np.ascontiguousarray(flat)
    cascade = Cascade(flat, threads=torch.get_num_threads())
    with cascade.pool() as pool:
        screen = cascade.screen or cascade.item_screen().rows(slice(None))
        slip, sq_length = 2 * screen.slip, (2 * screen.length) ** 2

        def limit(features: npt.NDArray[np.float32]) -> float:
            error = (features.shape[1] + 8) * UNIT32 * sq_length
            return float(kernels.limit_of(float(sq_radius), cascade.scale, slip, error))

        def search(rows: slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
            own = torch.from_numpy(screen.coarse[rows])
            capacity, count = FIRST_CAPACITY, 0
            while True:
                pairs, sq = np.empty((capacity, 2), np.int64), np.empty(capacity, kind)
                count = 0
                for part in parts_of(len(flat), REFERENCE_BLOCK):
                    if part.stop <= rows.start:
                        continue
                    products = (own @ torch.from_numpy(screen.coarse[part]).T).numpy()
                    count = kernels.within(
                        products,
                        screen.coarse_sq[part],
                        rows.start,
                        part.start,
                        flat,
                        screen.coarse_sq,
                        screen.fine,
                        limit(screen.coarse),
                        limit(screen.fine),
                        sq_radius,
                        pairs,
                        sq,
                        count,
                    )
                if count > MOST_PAIRS:
                    raise DataError(
                        f"more than {MOST_PAIRS:,} pairs lie within the radius; choose a smaller one"
                    )
                if count <= capacity:
                    order = np.lexsort((pairs[:count, 1], pairs[:count, 0]))
                    return pairs[order], sq[order]
                capacity = count

        found = list(pool.map(search, parts_of(len(flat), QUERY_BLOCK)))
    pairs = np.concatenate([part[0] for part in found])
    sq = np.concatenate([part[1] for part in found])
    return pairs[:, 0].copy(), pairs[:, 1].copy(), sq
