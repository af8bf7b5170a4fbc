"""References in boxes of their features: whole boxes are ruled out at once, near ones are searched first.

The references are halved along the direction in which their features vary most, again and again, down
to leaves of some hundred. A leaf's box holds the features of all its references, so none of them is
nearer to a query's features than the box is. That is the bound of `rote.neighbors.cpu.projection` once
more: what is farther than a query's limit needs no product.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

LEADING = 8
"""Directions that are looked at for a cut: they are sorted by variance."""


@dataclass(frozen=True, eq=False)
class Leaves:
    """References in the order of their leaves, ready to be multiplied.

    Attributes
    ----------
    ids
        int32 (N,): the references, leaf by leaf.
    parts
        Where each leaf lies in that order.
    lifted
        float32 (N, m + 2): features and squared lengths, for `lifted_queries`.
    fine
        float32 (N, f): all features.
    low, high
        float32 (leaves, m + 1): the box of each leaf.
    """

    ids: npt.NDArray[np.int32]
    parts: list[slice]
    lifted: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]

    @property
    def widest(self) -> int:
        """How many references the largest leaf has."""
        return max(part.stop - part.start for part in self.parts)


def build_leaves(
    features: npt.NDArray[np.float32],
    sq_norms: npt.NDArray[np.float32],
    fine: npt.NDArray[np.float32],
    *,
    size: int,
) -> Leaves:
    """Cut features (N, m + 1) into leaves of at most ``size`` references, and at least two."""
    found: list[npt.NDArray[np.int32]] = []

    def cut(ids: npt.NDArray[np.int32]) -> None:
        if len(ids) <= max(size, 3):
            found.append(np.sort(ids))
            return
        leading = features[ids, :LEADING]
        axis = int(leading.var(axis=0).argmax())
        half = len(ids) // 2
        order = np.argpartition(leading[:, axis], half)
        cut(ids[order[:half]])
        cut(ids[order[half:]])

    cut(np.arange(len(features), dtype=np.int32))
    ends = np.cumsum([0, *map(len, found)])
    parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    ids = np.concatenate(found)
    lifted = np.empty((len(features), features.shape[1] + 1), np.float32)
    low = np.empty((len(parts), features.shape[1]), np.float32)
    high = np.empty_like(low)
    for number, part in enumerate(parts):
        own = features[ids[part]]
        low[number], high[number] = own.min(axis=0), own.max(axis=0)
        lifted[part, :-1] = own
        lifted[part, -1] = sq_norms[ids[part]]
    return Leaves(ids, parts, lifted, fine[ids], low, high)


def lifted_queries(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (-2 a, 1): its product with (b, |b|^2) is |b|^2 - 2 a.b, the filter value less |a|^2."""
    out = np.empty((len(features), features.shape[1] + 1), np.float32)
    np.multiply(features, np.float32(-2), out=out[:, :-1])
    out[:, -1] = 1
    return out


@numba.njit(nogil=True, cache=True)
def box_values(features: Any, low: Any, high: Any, values: Any) -> None:
    """Write the squared distance of each item's features to each box, (boxes, items)."""
    for i in range(len(features)):
        for box in range(len(low)):
            total = 0.0
            for d in range(features.shape[1]):
                outside = max(low[box, d] - features[i, d], features[i, d] - high[box, d])
                outside = max(outside, np.float32(0))
                total += np.float64(outside) * np.float64(outside)
            values[box, i] = total
