"""The Mann-Whitney statistic of items that may be repeated.

U = #{(q, p): q > p} + ties / 2 over m and n items, z = (U - m n / 2) / sqrt(m n (m + n + 1) / 12), with
the variance corrected for ties. Items of one group, as repeats of one item or samples of one caption
are, are one draw: they keep their weight in U, and in the variance of U / (m n) stand the numbers of
independent items that weigh as much, m' = m^2 / sum of c^2 over groups of c items (Kish), with ties
counted between different items. Without groups m' = m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """What falls on each of the ascending values of one side, float64 (V,).

    Attributes
    ----------
    items, draws
        How many items, and how many different ones.
    squares
        The sum over the groups of their squared weights.
    """

    items: Floats
    draws: Floats
    squares: float

    @staticmethod
    def of(place: Places, weight: Floats, drawn: Floats, group: Places, *, size: int) -> Counts:
        """Count different items by their place among ``size`` values.

        Each has a weight, and is so often drawn as all of its group are.
        """
        return Counts(
            np.bincount(place, weights=drawn * weight, minlength=size).astype(np.float64),
            np.bincount(place, weights=drawn, minlength=size).astype(np.float64),
            float(drawn @ (weight * np.bincount(group, weights=weight)[group])),
        )


def mann_whitney(
    first: npt.NDArray[Any],
    second: npt.NDArray[Any],
    *,
    weights: tuple[Floats, Floats] | None = None,
    groups: tuple[Places, Places] | None = None,
) -> tuple[float, float]:
    """Return P(first < second) + ties / 2, and z of U = #{first > second}.

    z is 0 where all values are equal.

    Parameters
    ----------
    first, second
        Values (m,) and (n,) of different items.
    weights
        How many equal items each is; None: one.
    groups
        int64 (m,) and (n,): which of them are one draw; None: each is its own.

    >>> mann_whitney(np.array([1, 2]), np.array([3, 4]))[0]
    1.0
    """
    _, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    size = int(place.max()) + 1
    sides = (place[: len(first)], place[len(first) :])
    one, other = (
        Counts.of(
            at,
            np.ones(len(at)) if weights is None else weights[n],
            np.ones(len(at)),
            np.arange(len(at)) if groups is None else groups[n],
            size=size,
        )
        for n, at in enumerate(sides)
    )
    return compared(one, other)


def compared(first: Counts, second: Counts) -> tuple[float, float]:
    """Return what `mann_whitney` does, from what falls on each value."""
    m, n = float(first.items.sum()), float(second.items.sum())
    m_alone, n_alone = m * m / first.squares, n * n / second.squares
    above = float(first.items @ (np.cumsum(second.items) - second.items / 2))
    ties = first.draws + second.draws
    total, alone = float(ties.sum()), m_alone + n_alone
    tied = float((ties**3 - ties).sum()) / (total * (total - 1)) * ((alone + 1) / (total + 1))
    variance = m * n / 12 * (alone + 1 - tied) * (m * n / (m_alone * n_alone))
    # All values equal leave a rest of rounding, of either sign.
    z = (above - m * n / 2) / variance**0.5 if variance > 1e-9 * m * n else 0.0
    return 1 - above / (m * n), z
