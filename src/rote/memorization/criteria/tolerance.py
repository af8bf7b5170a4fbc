"""The tolerance of the ratio: how far from its source a copy may lie and still count, in closed form.

A copy x of the training item y lies at y + e u, u a random direction. Any other item z then lies at

    |x - z|^2 = |y - z|^2 + e^2 - 2 e u (y - z),

and in many dimensions the last term is small beside the others: a random direction is nearly at right
angles to every other. So x has y at distance e and the nearest of another group at sqrt(d^2 + e^2), d
being the distance of y itself to that. The ratio flags x where e < c sqrt(d^2 + e^2), which is

    e < c / sqrt(1 - c^2) d        (0.354 d for c = 1/3).

What the ratio sees of copies with a known error is the share of sources with 0.354 d above it: known
before any copy is made. It belongs to the training set, its size and its resolution as much as to the
rule. `docs/concepts/memorization.md` has what follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.invariances import Invariances
from rote.spaces.space import Space

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the sources whose tolerance lies below the quantiles that are told."""


@dataclass(frozen=True)
class Tolerance:
    """Over training items, the error up to which a copy counts.

    Attributes
    ----------
    quantiles
        At `SHARES` of the sources.
    unit
        "levels" or "spreads" (root mean square per value), or "distance" in a space of features.
    sources
        Training items that were looked at.
    """

    quantiles: tuple[float, ...]
    unit: str
    sources: int

    @property
    def median(self) -> float:
        """Of the sources."""
        return self.quantiles[SHARES.index(0.5)]

    def to_json(self) -> dict[str, Any]:
        """Return the tolerance as plain types."""
        quantiles = {
            f"{share:g}": value for share, value in zip(SHARES, self.quantiles, strict=True)
        }
        return {
            "median": self.median,
            "quantiles": quantiles,
            "unit": self.unit,
            "sources": self.sources,
        }


def reach_of(ratio_threshold: float) -> float:
    """Return c / sqrt(1 - c^2), infinite for c = 1: the tolerance as a share of the source's own d.

    >>> round(reach_of(1 / 3), 4)
    0.3536
    """
    c = ratio_threshold
    return math.inf if c >= 1 else c / math.sqrt(1 - c * c)


def has_tolerance(space: Space, invariances: Invariances) -> bool:
    """Say whether errors and distances to others add up as squares do: what a tolerance rests on.

    Under the invariance to tone each item has units of its own.
    """
    tone = invariances.tone and space.kind == "images"
    return space.metric != "gower" and space.kind != "pairs" and not tone


def tolerance_of(
    other_sq: npt.NDArray[Any] | None,
    space: Space,
    invariances: Invariances,
    *,
    shape: tuple[int, ...],
    ratio_threshold: float,
) -> Tolerance | None:
    """Return the tolerance of the ratio over some sources; None where it has none.

    Parameters
    ----------
    other_sq
        (n,): squared distance of each source to the nearest training item of another group.
    space, invariances
        Where and how that was measured.
    shape
        Of one item.
    ratio_threshold
        c.

    >>> from rote.spaces.space import PIXEL
    >>> sq = np.array([8, 8, 800])
    >>> found = tolerance_of(sq, PIXEL, Invariances(), shape=(1, 1, 1), ratio_threshold=1 / 3)
    >>> round(found.median, 9), found.unit
    (1.0, 'levels')
    """
    reach = reach_of(ratio_threshold)
    if other_sq is None or math.isinf(reach) or not has_tolerance(space, invariances):
        return None
    values, unit = math.prod(shape), "levels" if space.takes == "images" else "spreads"
    if space.kind == "rows":
        values, unit = 1, "distance"
    error = reach * np.sqrt(other_sq.astype(np.float64) / values)
    return Tolerance(tuple(np.quantile(error, SHARES).tolist()), unit, len(error))


def threshold_for(tolerance: float, other_sq: npt.NDArray[Any], *, values: int) -> float:
    """Return the ratio threshold whose median tolerance is a given one: t / sqrt(t^2 + d^2).

    Parameters
    ----------
    tolerance
        Root mean square per value, above 0.
    other_sq, values
        As `tolerance_of` takes them, ``values`` the numbers of an item.

    >>> round(threshold_for(1.0, np.array([8, 8, 800]), values=1), 9)
    0.333333333
    """
    d = float(np.median(np.sqrt(other_sq.astype(np.float64) / values)))
    return tolerance / math.hypot(tolerance, d)


def within_tolerance(
    error_sq: npt.NDArray[Any], other_sq: npt.NDArray[Any], *, ratio_threshold: float
) -> npt.NDArray[np.bool_]:
    """Return which copies (N,) the ratio should flag, from their errors and their sources' d, squared.

    >>> within_tolerance(np.array([0.9, 1.1]), np.array([8, 8]), ratio_threshold=1 / 3).tolist()
    [True, False]
    """
    c_sq = ratio_threshold**2
    found: npt.NDArray[np.bool_] = error_sq * (1 - c_sq) < c_sq * other_sq
    return found
