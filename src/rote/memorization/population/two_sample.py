"""The 1-nearest-neighbor two-sample test: can the nearest neighbor tell generated items from real ones?

Both sets are put together; each item is classified as its nearest other item is. The accuracy is

    0.5   the two sets cannot be told apart,
    1     they lie apart: the generated ones are not like the real ones,
    < 0.5 generated items lie *at* real ones: each has a real one for its neighbor. Copying, if the real
          set is the training set.

Items with several nearest ones count by the share of their own kind among these, so the order of the
items changes nothing.

Source: Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (ICLR 2017), section 5 with the
nearest neighbor; Xu et al., "An empirical study on evaluation metrics of generative adversarial networks"
(2018), whose accuracies of either side apart are `on_generated` and `on_real`.

Direction: symmetric in the two sets but for those two. Both sets must be equally large, else the larger
one is every item's neighbor: unequal ones are refused. A training set may therefore have to be sampled,
and then copies of the rest look like fresh items: the result says how many of how many were used, and the
three-sample test needs no such sample.

Control: held-out items in place of generated ones, the same number. Interval: `rote.core.jackknife`.

What it misses: copying and poor quality cancel; 0.5 can be half copies and half noise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.jackknife import GROUPS, Estimate, Rows, group_jackknife
from rote.core.seeds import child_seed
from rote.memorization.neighbors import nearest_neighbors

DEPTH = 24
"""Neighbors held of each item: leaving out a tenth of one side reaches the nearest that remains."""


@dataclass(frozen=True)
class NearestAccuracy:
    """Accuracies of leave-one-out nearest-neighbor classification; ``count`` items of either set."""

    accuracy: Estimate
    on_generated: Estimate
    on_real: Estimate
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return the accuracies as plain types."""
        return asdict(self)


def nearest_accuracy(
    generated: npt.NDArray[Any],
    real: npt.NDArray[Any],
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> NearestAccuracy:
    """Return how well the nearest neighbor tells generated from real items.

    Parameters
    ----------
    generated, real
        uint8 or float (N, ...), equally many, of one item shape.
    seed
        Of the groups of the jackknife.
    confidence
        Of the intervals.

    Raises
    ------
    DataError
        If the sets differ in size, or have fewer than 20 items.
    """
    count = len(generated)
    if count != len(real):
        raise DataError(
            f"the nearest-neighbor test has {count} generated and {len(real)} real items; give equally "
            "many, else the larger set is everyone's neighbor"
        )
    if count < 2 * GROUPS:
        raise DataError(f"the nearest-neighbor test has {count} items; give at least {2 * GROUPS}")
    pooled = np.concatenate([s.reshape(len(s), -1) for s in (generated, real)])
    found = nearest_neighbors(pooled, pooled, k=min(DEPTH, 2 * count))
    index, sq = found.indices, found.sq_distances

    def statistic(rows: Rows, others: Rows) -> npt.NDArray[np.float64]:
        kept = np.zeros(2 * count, bool)
        kept[rows] = kept[count + others] = True
        own = _own_share(index, sq, kept, count)
        own = _looked_up(own, pooled, kept, count)
        first, second = own[rows].mean(), own[count + others].mean()
        total = len(rows) + len(others)
        pooled_mean = (first * len(rows) + second * len(others)) / total
        return np.array([pooled_mean, first, second])

    accuracy, on_generated, on_real = group_jackknife(
        statistic, (count, count), seed=child_seed(seed, "bootstrap", 5), confidence=confidence
    )
    return NearestAccuracy(accuracy, on_generated, on_real, count)


def _own_share(
    index: npt.NDArray[np.int64],
    sq: npt.NDArray[Any],
    kept: npt.NDArray[np.bool_],
    count: int,
) -> npt.NDArray[np.float64]:
    """Return the share of an item's own kind among its nearest kept others (N,); nan where none is."""
    usable = kept[index] & (index != np.arange(len(index))[:, None])
    shown = np.where(usable, sq.astype(np.float64), np.inf)
    nearest = shown.min(axis=1, keepdims=True)
    tied = usable & (shown == nearest)
    own = (index < count) == (np.arange(len(index)) < count)[:, None]
    with np.errstate(invalid="ignore"):
        return (tied & own).sum(axis=1) / tied.sum(axis=1)


def _looked_up(
    own: npt.NDArray[np.float64],
    pooled: npt.NDArray[Any],
    kept: npt.NDArray[np.bool_],
    count: int,
) -> npt.NDArray[np.float64]:
    """Fill in the kept items of which all listed neighbors were left out, by another search."""
    for item in np.flatnonzero(np.isnan(own) & kept):
        rest = np.flatnonzero(kept & (np.arange(len(kept)) != item))
        sq = nearest_neighbors(pooled[[item]], pooled[rest], k=len(rest)).sq_distances[0]
        tied = rest[sq == sq.min()]
        own[item] = ((tied < count) == (item < count)).mean()
    return own
