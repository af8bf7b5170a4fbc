"""What `neighbors.npz` knows of every generated image beside its ratio: nearest, groups, classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError
from rote.report.arrays import read_optional

NONE = -1


@dataclass(frozen=True)
class Rows:
    """One entry per generated image, all int64 (N,); -1 where the audit did not say.

    Attributes
    ----------
    nearest, group
        The nearest training image and its duplicate group.
    twin
        The group of the image among the generated ones.
    label, kind
        The label that was asked for, and the class of the nearest training image.
    """

    nearest: NDArray[np.int64]
    group: NDArray[np.int64]
    twin: NDArray[np.int64]
    label: NDArray[np.int64]
    kind: NDArray[np.int64]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Which images have a near double among the generated ones."""
        _, inverse, counts = np.unique(self.twin, return_inverse=True, return_counts=True)
        return np.asarray((counts[inverse] > 1) & (self.twin != NONE), np.bool_)


def read_rows(path: Path, total: int) -> Rows:
    """Read the rows of ``total`` generated images.

    Raises
    ------
    RunError
        If an array has another length or holds what cannot be a position.
    """

    def column(name: str) -> NDArray[np.int64]:
        arrays = read_optional(path, name)
        if arrays is None:
            return np.full(total, NONE, np.int64)
        (values,) = arrays
        if values.shape != (total,) or values.dtype.kind not in "iu" or (values < NONE).any():
            raise RunError(f"{path} is damaged: {name} does not have {total} rows; run again")
        return values.astype(np.int64)

    names = ("nn1_index", "training_group", "generated_group", "label", "nn1_label")
    return Rows(*(column(name) for name in names))
