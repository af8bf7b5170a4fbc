"""C_T, the three-sample test: are generated items nearer to the training set than fresh ones?

Distances to the nearest training item are taken of generated items (L(Q), m of them) and held-out items
(L(P), n), in each of k cells of the training set apart, and compared by the Mann-Whitney statistic:

    U = #{(q, p): L(q) > L(p)} + ties / 2,   z = (U - m n / 2) / sqrt(m n (m + n + 1) / 12),
    C_T = sum over cells of P(cell) z(cell) / sum of P(cell),

over the cells that hold at least a share tau of the generated items; P is the held-out share. C_T far
below 0: copying; far above 0: underfitting; 0: as near as held-out items. Under the null each z is a
standard normal, which gives `p_value`, one-sided for copying. Ties, which integer distances have, are
corrected for in the variance.

Items of one side that are equal, or of one group of near-duplicates or one caption, are one draw: a
model that repeats itself is no more evidence. They keep their weight in U; in its variance m and n are
the numbers of independent items that weigh as much, m' = m^2 / sum of c^2 over groups of c items
(Kish). Without repeats m' = m. Groups in several cells make their z rise and fall together: the
variance of C_T counts the correlation that their weights have. Where items are equal by chance, or
samples of a caption differ, this is careful: it may miss copying, and does not see it where none is.

Source: Meehan, Chaudhuri and Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative
Models" (AISTATS 2020), equations 1 to 3. The cells are k-means' of the training set; distances in a cell
are to the training items of that cell, as there. A cell without held-out items is left out and
counted, where their code stops.

Direction: both distances are to the training set. Swapping generated and held-out items turns the sign;
swapping training and held-out items asks another question. The training side is never sampled: on a part
of it copies of the rest look fresh.

Control: one half of the held-out items scored as if generated, against the other half; near 0.

Interval: of C_T, and of `nearer` = P(L(q) < L(p)) + ties / 2 (0.5: no copying), both with the cells as
they are. C_T grows with the root of the sample size where there is any copying: compare `nearer`.

What it misses: copies beside an equal amount of underfitting in the same cell, and a rare copy, as it
compares whole distributions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.duplicates import DuplicateGroups, exact_duplicates
from rote.data.sampling import drawn_by_content
from rote.neighbors.search import nearest_neighbors
from rote.stats.clustered import joined_groups
from rote.stats.jackknife import Estimate
from rote.stats.mann_whitney import Counts, compared, mann_whitney
from rote.stats.roc import auc_interval

CELLS = 5
LEAST_SHARE = 0.01
MOST_FITTED = 5000
"""Training items that k-means sees; all of them are measured."""
REPLICATES = 400
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VoronoiCell:
    """One cell: how many items of each side, and z (None where it was left out)."""

    generated: int
    training: int
    holdout: int
    z: float | None


@dataclass(frozen=True)
class ThreeSample:
    """The test's answer.

    Attributes
    ----------
    statistic
        C_T; its interval is a percentile bootstrap of the distances.
    p_value
        One-sided, for copying.
    nearer
        Probability that a generated item lies nearer to the training set than a held-out one, over all
        of the training set (no cells).
    z
        Of the whole set as one cell.
    control
        C_T of one half of the held-out items against the other; None where a half has too few.
    draws
        How many independent generated and held-out items weigh as much as those there are.
    """

    statistic: Estimate
    p_value: float
    nearer: Estimate
    z: float
    cells: tuple[VoronoiCell, ...]
    control: float | None
    draws: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain types."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Sample:
    """Distances of one side, equal items once: (U,) each.

    Attributes
    ----------
    near, cell
        Of each different item.
    weight
        How many items equal it.
    group
        Which of them are one draw, numbered from 0 among ``groups``.
    """

    near: Floats
    cell: Places
    weight: Floats
    group: Places
    groups: int

    @staticmethod
    def of(near: Floats, cell: Places, items: DuplicateGroups, group: Places | None) -> _Sample:
        """Take the different items of a side."""
        once = items.representative
        draw = items.group if group is None else joined_groups(items.group, group)
        sizes = items.sizes.astype(np.float64)
        return _Sample(near[once], cell[once], sizes, draw[once], int(draw.max()) + 1)

    def __len__(self) -> int:
        return len(self.near)

    def take(self, rows: npt.NDArray[Any]) -> _Sample:
        """Return some of the items."""
        near, cell, weight, group = self.near, self.cell, self.weight, self.group
        return _Sample(near[rows], cell[rows], weight[rows], group[rows], self.groups)

    @property
    def items(self) -> int:
        """How many items there are, repeats counted."""
        return int(self.weight.sum())

    @property
    def shares(self) -> Floats:
        """The share of the items that each group holds, float64 (groups,)."""
        held = np.bincount(self.group, weights=self.weight, minlength=self.groups)
        return np.asarray(held / held.sum(), np.float64)

    @property
    def effective(self) -> float:
        """How many independent items weigh as much (Kish)."""
        return 1 / float(np.square(self.shares).sum())


def _compared(first: _Sample, second: _Sample) -> tuple[float, float]:
    weights, groups = (first.weight, second.weight), (first.group, second.group)
    return mann_whitney(first.near, second.near, weights=weights, groups=groups)


def three_sample_test(
    generated: npt.NDArray[Any],
    training: npt.NDArray[Any],
    holdout: npt.NDArray[Any],
    *,
    cells: int = CELLS,
    least_share: float = LEAST_SHARE,
    groups: tuple[Places | None, Places | None] = (None, None),
    seed: int = 0,
    confidence: float = 0.95,
) -> ThreeSample:
    """Test whether generated items lie nearer to the training set than held-out ones.

    Parameters
    ----------
    generated, training, holdout
        uint8 or float (N, ...) of one item shape; the whole training set, and items outside it.
    cells
        k of k-means; 1: no cells.
    least_share
        tau: cells with a smaller share of the generated items are left out.
    groups
        int64 (N,) of the generated and of the held-out items: which are one draw, near-duplicates or
        samples of one caption; None: equal items alone.
    seed
        Of k-means, of the halves of the control and of the bootstrap.
    confidence
        Of both intervals.

    Raises
    ------
    DataError
        If a side is too small, or no cell is left.
    """
    sides = [np.ascontiguousarray(s.reshape(len(s), -1)) for s in (generated, training, holdout)]
    generated, training, holdout = sides
    if len(training) < cells or min(len(generated), len(holdout)) < 4:
        raise DataError(
            f"C_T has {len(generated)} generated, {len(training)} training and {len(holdout)} held-out "
            f"items; it needs 4 and more of the first and last, and a training item for each of {cells} "
            "cells"
        )
    places = _cells(sides, cells, child_seed(seed, "bootstrap", 1))
    once = [exact_duplicates(side) for side in (generated, holdout)]
    mine, theirs = (
        _Sample.of(_within(sides[n], training, places[n], places[1]), places[n], equal, group)
        for n, equal, group in zip((0, 2), once, groups, strict=True)
    )
    training_cells = np.bincount(places[1], minlength=cells)
    found = _statistic(mine, theirs, training_cells, least_share)
    if found is None:
        raise DataError(
            "C_T finds no cell with training, held-out and generated items; take fewer cells"
        )
    value, null_deviation, table = found
    low, high = _bootstrap(
        mine, theirs, table, seed=child_seed(seed, "bootstrap", 3), tail=confidence
    )
    whole = [
        replace(side, near=_nearest(items[equal.representative], training))
        for side, items, equal in zip((mine, theirs), (generated, holdout), once, strict=True)
    ]
    nearer, z = _compared(whole[0], whole[1])
    ends = auc_interval(nearer, mine.effective, theirs.effective, confidence=confidence)
    from scipy.special import ndtr

    halves = np.random.default_rng(child_seed(seed, "bootstrap", 2)).permutation(theirs.groups) % 2
    a, b = (theirs.take(halves[theirs.group] == side) for side in (0, 1))
    control = _statistic(a, b, training_cells, least_share)
    return ThreeSample(
        statistic=Estimate(value, low, high, confidence, "percentile bootstrap of the distances"),
        p_value=float(ndtr(value / null_deviation)),
        nearer=Estimate(nearer, *ends, confidence, "newcombe (2006), method 5"),
        z=z,
        cells=table,
        control=None if control is None else control[0],
        draws=(mine.effective, theirs.effective),
    )


def _cells(sides: list[npt.NDArray[Any]], cells: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Return the cell of every item of the three sides: the nearest center of the training set."""
    if cells == 1:
        return [np.zeros(len(side), np.int64) for side in sides]
    from sklearn.cluster import KMeans

    fitted = KMeans(cells, n_init=2, max_iter=50, random_state=seed % 2**32)
    training = sides[1]
    if len(training) > MOST_FITTED:
        # The cells are any partition; some of the training items are enough to draw its borders.
        drawn = drawn_by_content(training, np.arange(len(training), dtype=np.int64), seed=seed)
        training = training[np.sort(drawn[:MOST_FITTED])]
    fitted.fit(training.astype(np.float32))
    return [fitted.predict(side.astype(np.float32)).astype(np.int64) for side in sides]


def _nearest(items: npt.NDArray[Any], training: npt.NDArray[Any]) -> Floats:
    """Return the squared distance (N,) to the nearest training item."""
    found = nearest_neighbors(items, training, k=1).sq_distances[:, 0]
    return np.asarray(found, np.float64)


def _within(
    items: npt.NDArray[Any],
    training: npt.NDArray[Any],
    place: npt.NDArray[np.int64],
    training_place: npt.NDArray[np.int64],
) -> Floats:
    """Return the squared distance (N,) to the nearest training item of the own cell; inf without one."""
    found = np.full(len(items), np.inf)
    for cell in np.unique(place):
        rows, own = place == cell, training[training_place == cell]
        if len(own):
            found[rows] = _nearest(items[rows], own)
    return found


def _statistic(
    generated: _Sample, holdout: _Sample, training: Places, least_share: float
) -> tuple[float, float, tuple[VoronoiCell, ...]] | None:
    """Return C_T, its standard deviation under the null, and the cells; None without a cell."""
    table, weights, zs = [], [], []
    shares: list[list[Floats]] = [[], []]
    for cell, count in enumerate(training.tolist()):
        mine, theirs = generated.take(generated.cell == cell), holdout.take(holdout.cell == cell)
        z = None
        if mine.items and theirs.items and count and mine.items >= least_share * generated.items:
            z = _compared(mine, theirs)[1]
            weights.append(theirs.items)
            zs.append(z)
            for side, own in zip(shares, (mine, theirs), strict=True):
                side.append(own.shares)
        table.append(VoronoiCell(mine.items, count, theirs.items, z))
    if not zs:
        return None
    share = np.array(weights) / sum(weights)
    together = sum(np.stack(side) @ np.stack(side).T for side in shares)
    scale = np.sqrt(np.diagonal(together))
    deviation = float(np.sqrt(share @ (together / np.outer(scale, scale)) @ share))
    return float(share @ np.array(zs)), deviation, tuple(table)


def _bootstrap(
    generated: _Sample,
    holdout: _Sample,
    table: tuple[VoronoiCell, ...],
    *,
    seed: int,
    tail: float,
) -> tuple[float, float]:
    """Return the percentile interval of C_T over the cells that took part.

    A resample is how often each group is drawn, so nothing is sorted again.
    """
    rng = np.random.default_rng(seed)
    _, value = np.unique(np.concatenate([generated.near, holdout.near]), return_inverse=True)
    values = int(value.max()) + 1
    sides = ((generated, value[: len(generated)]), (holdout, value[len(generated) :]))
    cells = [
        [(side.cell == number, at, side.weight, side.group) for side, at in sides]
        for number, cell in enumerate(table)
        if cell.z is not None
    ]
    found = []
    for _ in range(REPLICATES):
        drawn = [
            np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
            for n in (generated.groups, holdout.groups)
        ]
        weights, zs = [], []
        for cell in cells:
            first, second = (
                Counts.of(at[own], weight[own], times[group[own]], group[own], size=values)
                for (own, at, weight, group), times in zip(cell, drawn, strict=True)
            )
            if first.squares and second.squares:
                weights.append(second.items.sum())
                zs.append(compared(first, second)[1])
        if zs:
            found.append(float(np.average(zs, weights=weights)))
    low, high = np.quantile(found, [(1 - tail) / 2, (1 + tail) / 2])
    return float(low), float(high)
