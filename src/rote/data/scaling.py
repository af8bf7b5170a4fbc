"""Vectors and series in units of each column's spread, and back.

Each numeric column (of a series: each channel, over all its times) is shifted and scaled to mean 0 and
standard deviation 0.5 over the *full* source (0.5 is EDM's sigma_data, and near the standard deviation of
natural images in [-1, 1]), so that distances mean the same for every subset size. The one-hot numbers of
a categorical column share one scale, such that they have together the variance that a numeric column has:
a column counts as a column, however many categories it has. Where cells of a numeric column have no
value, its mean and spread are those of the others, and the number that says so is 0 or 0.5: a cell
without a value is then as far from a value as two values are from each other, in the mean (decision 19).
Columns that do not vary, or by rounding alone, tell no items apart: their scale is 0, which leaves them
out of every distance; a model's samples hold their mean (decision 18).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.tables.schema import Schema

VECTOR_STD = 0.5
ROUNDING = 1e-6
"""Spread of a column, as a share of its largest value, up to which it is constant: some float32 steps."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Shift and scale of each number of a vector, or channel of a series; float64 (D,) or (C,).

    With a schema, `invert` returns what a table can hold: one category a column, whole numbers whole.
    """

    shift: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    schema: Schema | None = None

    @staticmethod
    def fit(items: npt.NDArray[np.float32], schema: Schema | None = None) -> Scaling:
        """Measure vectors, float32 (N, D), or series, float32 (N, T, C)."""
        values = items.astype(np.float64).reshape(-1, items.shape[-1])
        variance = values.var(axis=0)
        for column, part in schema.parts() if schema else ():
            if column.kind == "categorical":
                variance[part] = variance[part].sum()
            elif column.missing:
                known = values[~column.empty(values[:, part]), part.start]
                variance[part] = known.var() if len(known) else 0.0, 1.0
        deviation = np.sqrt(variance)
        varying = deviation > ROUNDING * np.abs(values).max(axis=0, initial=1e-300)
        scale = np.where(varying, VECTOR_STD / np.where(varying, deviation, 1.0), 0.0)
        return Scaling(shift=values.mean(axis=0), scale=scale, schema=schema)

    @property
    def constant(self) -> npt.NDArray[np.int64]:
        """Positions of the columns, or channels, that do not vary and count in no distance."""
        return np.flatnonzero(self.scale == 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain types for a checkpoint."""
        value: dict[str, Any] = {"shift": self.shift.tolist(), "scale": self.scale.tolist()}
        return value if self.schema is None else value | {"schema": self.schema.to_json()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Scaling:
        """Read back what `to_json` wrote."""
        schema = Schema.from_json(data["schema"]) if data.get("schema") else None
        return Scaling(np.array(data["shift"]), np.array(data["scale"]), schema)

    def invert(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return scaled float32 vectors or series in their own units."""
        spread = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale != 0)
        values = items.astype(np.float64) * spread + self.shift
        return values.astype(np.float32) if self.schema is None else self.schema.snapped(values)

    def snapped(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return scaled items as what a table can hold, still scaled; others as they are.

        What rounding to 8 bits is to images: a sample is scored as what would be written of it.
        """
        if self.schema is None or not self.schema.gridded:
            return items
        return self.scaled(self.invert(items))

    def scaled(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return float32 vectors or series in units of each column's spread."""
        return ((items.astype(np.float64) - self.shift) * self.scale).astype(np.float32)
