"""Precision, recall, density and coverage: is what is generated like the real data, and all of it?

A real set's manifold is the union of balls around its items, each reaching to the item's k-th nearest
other item of the set.

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
only is this quality. Interval: `rote.stats.jackknife`, over the draw of both sets at these counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.metrics.distances import all_sq_distances
from rote.stats.jackknife import GROUPS, Estimate, Rows, group_jackknife

PRECISION_K, DENSITY_K = 3, 5
LEAST = 4 * GROUPS
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
        If a side is too small.
    """
    if min(len(generated), len(real)) < LEAST:
        raise DataError(
            f"quality has {len(generated)} generated and {len(real)} real items; give {LEAST} and more "
            "of each"
        )
    statistic = _statistic(generated, real)
    estimates = group_jackknife(
        statistic,
        (len(generated), len(real)),
        seed=child_seed(seed, "bootstrap", 6),
        confidence=confidence,
    )
    return Manifold(*(_in_range(e, i) for i, e in enumerate(estimates)))


def _statistic(
    generated: npt.NDArray[Any], real: npt.NDArray[Any]
) -> Callable[[Rows, Rows], Floats]:
    among_generated = all_sq_distances(generated, generated)
    among_real = all_sq_distances(real, real)
    between = all_sq_distances(generated, real)
    for square in (among_generated, among_real):
        np.fill_diagonal(square, 0)  # exactly, so that an item is its own nearest

    def statistic(rows: Rows, others: Rows) -> Floats:
        cross = between[np.ix_(rows, others)]
        real_small, real_large = _radii(among_real, others, PRECISION_K, DENSITY_K)
        made_small = _radii(among_generated, rows, PRECISION_K)[0]
        inside = cross <= real_large
        return np.array(
            [
                (cross <= real_small).any(axis=1).mean(),
                (cross <= made_small[:, None]).any(axis=0).mean(),
                inside.sum() / (DENSITY_K * len(rows)),
                inside.any(axis=0).mean(),
            ]
        )

    return statistic


def _radii(square: Floats, rows: Rows, *ks: int) -> list[Floats]:
    """Return the squared distance of each kept item to its k-th nearest other one, for each k."""
    kept = square[np.ix_(rows, rows)]
    ordered = np.partition(kept, ks, axis=1)  # column 0 would be the item itself
    return [ordered[:, k] for k in ks]


def _in_range(found: Estimate, place: int) -> Estimate:
    """Cut the interval of a share to [0, 1]; density has no upper end."""
    high = found.high if place == 2 else min(found.high, 1.0)
    return Estimate(found.value, max(found.low, 0.0), high, found.confidence, found.method)
