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

Control: held-out items in place of generated ones, the same number. Interval: `rote.stats.jackknife`,
with equal items as one unit.

What it misses: copying and poor quality cancel; 0.5 can be half copies and half noise. An item that its
own set holds twice has its repeat for a neighbor, which is of its kind: repeats draw the accuracy to 1,
whatever the items are. How many items differ stands beside it; the three-sample test takes repeats as
one draw.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.duplicates import exact_duplicates
from rote.neighbors.search import nearest_neighbors
from rote.stats.jackknife import GROUPS, Estimate, Rows, group_jackknife

DEPTH = 24
"""Neighbors held of each distinct item: enough for the groups of a jackknife to be left out."""


@dataclass(frozen=True)
class NearestAccuracy:
    """Accuracies of leave-one-out nearest-neighbor classification.

    Attributes
    ----------
    count
        Items of either set.
    distinct
        Different items among them (generated, real).
    """

    accuracy: Estimate
    on_generated: Estimate
    on_real: Estimate
    count: int
    distinct: tuple[int, int]

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
    pool = _Pool.of(pooled, count)

    def statistic(rows: Rows, others: Rows) -> npt.NDArray[np.float64]:
        kept = np.zeros(2 * count, bool)
        kept[rows] = kept[count + others] = True
        own = pool.own_shares(kept)
        first, second = own[rows].mean(), own[count + others].mean()
        total = len(rows) + len(others)
        pooled_mean = (first * len(rows) + second * len(others)) / total
        return np.array([pooled_mean, first, second])

    units = [exact_duplicates(side) for side in (generated, real)]
    m, n = len(units[0]), len(units[1])
    accuracy, on_generated, on_real = group_jackknife(
        statistic,
        (units[0].group, units[1].group),
        seed=child_seed(seed, "bootstrap", 5),
        shares=(round(4 * m * n / (m + n)), m, n),  # of a mean of two shares
        confidence=confidence,
    )
    return NearestAccuracy(accuracy, on_generated, on_real, count, (m, n))


@dataclass(frozen=True, eq=False)
class _Pool:
    """Both sets together, equal items once, each with its nearest others.

    Tables and blank images have many equal items: as rows of their own they would fill every list of
    neighbors, and whatever came behind them would count as farther than it is.
    """

    distinct: npt.NDArray[Any]
    place: npt.NDArray[np.int64]
    """Which distinct item each item is, (N,)."""
    kind: npt.NDArray[np.int64]
    """0 for generated items, 1 for real ones, (N,)."""
    index: npt.NDArray[np.int64]
    sq: npt.NDArray[Any]

    @staticmethod
    def of(items: npt.NDArray[Any], count: int) -> _Pool:
        """Prepare items of which the first ``count`` are generated."""
        groups = exact_duplicates(items)
        distinct = items[groups.representative]
        found = nearest_neighbors(distinct, distinct, k=min(DEPTH, len(distinct)))
        kind = (np.arange(len(items)) >= count).astype(np.int64)
        return _Pool(distinct, groups.group, kind, found.indices, found.sq_distances)

    def own_shares(self, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Return the share of a kept item's own kind among its nearest kept others, (N,)."""
        size = len(self.distinct)
        members = np.stack(
            [np.bincount(self.place[kept & (self.kind == k)], minlength=size) for k in (0, 1)]
        )
        total = members.sum(axis=0)
        itself = np.arange(size)[:, None]
        usable = (self.index != itself) & (total[self.index] > 0)
        shown = np.where(usable, self.sq.astype(np.float64), np.inf)
        nearest = shown.min(axis=1)
        tied = usable & (shown == nearest[:, None])
        ties = np.stack([(members[k][self.index] * tied).sum(axis=1) for k in (0, 1)])
        # Behind a full list there may be more as near as its last one.
        unsure = ~usable.any(axis=1)
        if self.index.shape[1] < size:
            unsure |= nearest == self.sq[:, -1]
        for row in np.flatnonzero(unsure & (total == 1)):
            ties[:, row] = self._all_ties(int(row), members, total)
        own = np.full(len(self.place), np.nan)
        at, kind = self.place[kept], self.kind[kept]
        alone = total[at] == 1
        with np.errstate(invalid="ignore", divide="ignore"):
            beside = (members[kind, at] - 1) / (total[at] - 1)
            around = ties[kind, at] / ties.sum(axis=0)[at]
        own[kept] = np.where(alone, around, beside)
        return own

    def _all_ties(
        self, row: int, members: npt.NDArray[np.int64], total: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the nearest kept others of a distinct item by kind, (2,), by a search of all."""
        rest = np.flatnonzero((total > 0) & (np.arange(len(total)) != row))
        found = nearest_neighbors(self.distinct[[row]], self.distinct[rest], k=len(rest))
        sq = found.sq_distances[0]
        tied = rest[found.indices[0][sq == sq[0]]]
        ties: npt.NDArray[np.int64] = members[:, tied].sum(axis=1)
        return ties
