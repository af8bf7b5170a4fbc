"""All squared distances between two sets, for statistics that need every pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def all_sq_distances(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return squared L2 distances float64 (N, M) of (N, D) and (M, D), never below 0.

    Exact for 8-bit items (integers below 2^53); of floats good to about 1e-13 of the squared norms.

    >>> all_sq_distances(np.array([[0, 0]], np.uint8), np.array([[3, 4]], np.uint8)).tolist()
    [[25.0]]
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    sq = np.square(a).sum(1)[:, None] + np.square(b).sum(1)
    sq -= 2 * a @ b.T
    return np.maximum(sq, 0, out=sq)
