"""Precision, recall, density and coverage: is what is generated like the real data, and all of it?

A real set's manifold is the union of balls around its items, each reaching to the item's k-th nearest
other item of the set. Equal items are one item here, with their number as its weight: a repeat is no
neighbor, else a set that holds each item more than k times would have balls of radius 0.

    precision  share of generated items inside the real manifold          fidelity
    recall     share of real items inside the generated manifold          diversity
    density    balls of real items that a generated item lies in, over k  fidelity, outliers count less
    coverage   share of real items with a generated item inside their own ball   diversity

Precision and recall are Kynkaanniemi et al. (2019), k = 3; density and coverage Naeem et al. (2020),
k = 5. Swapping the sets swaps precision and recall; density and coverage have no such twin. All lie in
[0, 1] but density, which may exceed 1. For equal distributions the mean of density is 1 and that of
coverage

    1 - (n - 1) ... (n - k) / ((m + n - 1) ... (m + n - k)),    m generated, n real,

(Naeem et al., theorem; 0.97 for k = 5 and m = n large), which the control shows for precision and recall,
too: real items in place of generated ones. All depend on the counts: compare at equal ones only.

A model that copies the training set scores *well* here against the training set: against held-out items
only is this quality. Interval: `rote.stats.jackknife`, over the draw of both sets at these counts, with
equal items as one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.duplicates import DuplicateGroups, exact_duplicates
from rote.metrics.distances import all_sq_distances
from rote.stats.clustered import joined_groups
from rote.stats.jackknife import GROUPS, Estimate, Rows, group_jackknife

PRECISION_K, DENSITY_K = 3, 5
LEAST = 4 * GROUPS
LEAST_DISTINCT = DENSITY_K + 2
"""So that all have a k-th neighbor also where one is left out."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Manifold:
    """The four numbers, each with its interval."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return asdict(self)


def expected_coverage(generated: int, real: int, k: int = DENSITY_K) -> float:
    """Return the mean coverage of two samples of one continuous distribution (Naeem et al. 2020).

    >>> round(expected_coverage(10**6, 10**6), 5)
    0.96875
    """
    missed = 1.0
    for step in range(1, k + 1):
        missed *= (real - step) / (generated + real - step)
    return 1 - missed


def manifold_statistics(
    generated: npt.NDArray[Any],
    real: npt.NDArray[Any],
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> Manifold:
    """Return precision, recall, density and coverage of generated items against real ones.

    Parameters
    ----------
    generated, real
        (N, D) and (M, D), at least 40 of each. All N x M distances are held in memory.
    seed
        Of the groups of the jackknife.
    confidence
        Of the intervals.

    Raises
    ------
    DataError
        If a side is too small, or has too few different items.
    """
    if min(len(generated), len(real)) < LEAST:
        raise DataError(
            f"quality has {len(generated)} generated and {len(real)} real items; give {LEAST} and more "
            "of each"
        )
    made, true = exact_duplicates(generated), exact_duplicates(real)
    if min(len(made), len(true)) < LEAST_DISTINCT:
        raise DataError(
            f"quality has {len(made)} distinct generated and {len(true)} distinct real items; distances "
            f"to neighbors need {LEAST_DISTINCT} and more of each"
        )
    precision, recall, density, coverage = group_jackknife(
        _statistic(generated, real, made, true),
        (made.group, true.group),
        seed=child_seed(seed, "bootstrap", 6),
        shares=(len(made), len(true), None, len(true)),
        confidence=confidence,
    )
    return Manifold(precision, recall, replace(density, low=max(density.low, 0.0)), coverage)


@dataclass(frozen=True)
class Paired:
    """One number of two generated sets against the same real one, and before - after."""

    before: Estimate
    after: Estimate
    loss: Estimate


def paired_manifolds(
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    real: npt.NDArray[Any],
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Paired]:
    """Return the four numbers of two sets whose items belong together, and what is lost.

    Item i of one set and item i of the other are left out together, and both sets are held against the
    same real items: what chance does to both alike is no part of the interval of the loss.

    Parameters
    ----------
    before, after
        (N, D) each, at least 40; of too few different items ``after`` has all four at 0.
    real
        (M, D), at least 40.
    seed, confidence
        As `manifold_statistics` takes them.

    Raises
    ------
    DataError
        If a set is too small, or ``before`` or ``real`` has too few different items.
    """
    names = ("precision", "recall", "density", "coverage")
    mine = manifold_statistics(before, real, seed=seed, confidence=confidence)
    sets, true = [exact_duplicates(side) for side in (before, after)], exact_duplicates(real)
    if len(sets[1]) < LEAST_DISTINCT:
        none = Estimate(0.0, 0.0, 0.0, confidence, "too few different items")
        return {name: Paired(getattr(mine, name), none, getattr(mine, name)) for name in names}
    theirs = manifold_statistics(after, real, seed=seed, confidence=confidence)
    first, second = (
        _statistic(side, real, own, true) for side, own in zip((before, after), sets, strict=True)
    )
    losses = group_jackknife(
        lambda rows, others: first(rows, others) - second(rows, others),
        (joined_groups(sets[0].group, sets[1].group), true.group),
        seed=child_seed(seed, "bootstrap", 6),
        confidence=confidence,
    )
    return {
        name: Paired(getattr(mine, name), getattr(theirs, name), loss)
        for name, loss in zip(names, losses, strict=True)
    }


def _statistic(
    generated: npt.NDArray[Any],
    real: npt.NDArray[Any],
    made: DuplicateGroups,
    true: DuplicateGroups,
) -> Callable[[Rows, Rows], Floats]:
    generated, real = generated[made.representative], real[true.representative]
    among_generated = all_sq_distances(generated, generated)
    among_real = all_sq_distances(real, real)
    between = all_sq_distances(generated, real)
    for square in (among_generated, among_real):
        np.fill_diagonal(square, 0)  # exactly, so that an item is its own nearest

    def statistic(rows: Rows, others: Rows) -> Floats:
        mine, my_number = np.unique(made.group[rows], return_counts=True)
        theirs, their_number = np.unique(true.group[others], return_counts=True)
        usual = len(others) / len(theirs)  # a ball's weight in the density
        cross = between[np.ix_(mine, theirs)]
        real_small, real_large = _radii(among_real, theirs, PRECISION_K, DENSITY_K)
        made_small = _radii(among_generated, mine, PRECISION_K)[0]
        inside = cross <= real_large
        return np.array(
            [
                my_number @ (cross <= real_small).any(axis=1) / len(rows),
                their_number @ (cross <= made_small[:, None]).any(axis=0) / len(others),
                my_number @ inside @ their_number / (usual * DENSITY_K * len(rows)),
                their_number @ inside.any(axis=0) / len(others),
            ]
        )

    return statistic


def _radii(square: Floats, rows: Rows, *ks: int) -> list[Floats]:
    """Return the squared distance of each kept item to its k-th nearest other one, for each k."""
    kept = square[np.ix_(rows, rows)]
    ordered = np.partition(kept, ks, axis=1)  # column 0 would be the item itself
    return [ordered[:, k] for k in ks]
