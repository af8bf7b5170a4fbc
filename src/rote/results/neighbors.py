"""`neighbors.npz` of an audit: distances, verdicts and groups, one row per item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError
from rote.results.arrays import read_arrays
from rote.stats.rates import Rate

NONE = -1
COLUMNS = ("nn1_index", "training_group", "generated_group", "label", "nn1_label")


@dataclass(frozen=True)
class Distances:
    """To the nearest training item, and its ratio to the second nearest; float64 (N,) each."""

    ratios: NDArray[np.float64]
    nearest: NDArray[np.float64]


@dataclass(frozen=True)
class Neighbors:
    """One entry per generated item; integers are int64 (N,), and -1 where the audit did not say.

    Attributes
    ----------
    ratios, nearest
        float64 (N,): nn1 / nn2, and nn1.
    memorized
        bool (N,): the verdict by the ratio.
    index, group
        The nearest training item and its duplicate group.
    twin
        The group of the item among the generated ones.
    label, kind
        The label that was asked for, and the class of the nearest training item.
    held_out, within
        The same distances of held-out items, and of training items to the others of them.
    """

    ratios: NDArray[np.float64]
    nearest: NDArray[np.float64]
    memorized: NDArray[np.bool_]
    index: NDArray[np.int64]
    group: NDArray[np.int64]
    twin: NDArray[np.int64]
    label: NDArray[np.int64]
    kind: NDArray[np.int64]
    held_out: Distances | None
    within: Distances | None

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Which items have a near double among the generated ones."""
        _, inverse, counts = np.unique(self.twin, return_inverse=True, return_counts=True)
        return np.asarray((counts[inverse] > 1) & (self.twin != NONE), np.bool_)


def read_neighbors(path: Path, rate: Rate) -> Neighbors:
    """Read the arrays of an audit that found ``rate``.

    Raises
    ------
    RunError
        If an array is missing, has another length or impossible values, or if the verdicts are not
        those of the rate.
    """
    others = [f"{side}_nn{k}_sq" for side in ("holdout", "training") for k in (1, 2)]
    arrays = read_arrays(path, ("nn1_sq", "nn2_sq", "memorized"), (*COLUMNS, *others))
    found = _distances(path, arrays, "", rate.total)
    memorized = arrays["memorized"].astype(bool)
    if memorized.shape != (rate.total,) or memorized.sum() != rate.count:
        raise RunError(f"{path} does not belong to the audit.json beside it; run again")

    def column(name: str) -> NDArray[np.int64]:
        values = arrays.get(name)
        if values is None:
            return np.full(rate.total, NONE, np.int64)
        if values.shape != (rate.total,) or values.dtype.kind not in "iu" or (values < NONE).any():
            raise RunError(f"{path} is damaged: {name} does not have {rate.total} rows; run again")
        return values.astype(np.int64)

    def side(name: str) -> Distances | None:
        total = len(arrays.get(f"{name}_nn1_sq", ()))
        return _distances(path, arrays, f"{name}_", total) if total else None

    return Neighbors(
        ratios=found.ratios,
        nearest=found.nearest,
        memorized=memorized,
        index=column("nn1_index"),
        group=column("training_group"),
        twin=column("generated_group"),
        label=column("label"),
        kind=column("nn1_label"),
        held_out=side("holdout"),
        within=side("training"),
    )


def _distances(path: Path, arrays: dict[str, NDArray[Any]], side: str, rows: int) -> Distances:
    """Return nn1 / nn2 and nn1; 0/0 is 0, for such an item is a copy."""
    nn1, nn2 = (np.asarray(arrays[f"{side}nn{k}_sq"], dtype=np.float64) for k in (1, 2))
    if not nn1.shape == nn2.shape == (rows,):
        raise RunError(f"{path} is damaged: it does not have {rows} rows; run again")
    if not (np.isfinite(nn1).all() and np.isfinite(nn2).all() and (nn1 >= 0).all()):
        raise RunError(f"{path} is damaged: a distance is negative or not finite; run again")
    ratios = np.sqrt(np.divide(nn1, nn2, out=np.zeros_like(nn1), where=nn2 > 0))
    return Distances(ratios, np.sqrt(nn1))
