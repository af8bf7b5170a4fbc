"""Corruptions of vectors, rows of tables and series: what a model's copies may look like.

All is in units of each column's own spread in training (of a series: of each channel's), so that a
strength means the same whatever the units of the file. Each function takes one item, a strength and a
generator, and returns the spoiled values; what a table can hold of them is found afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.data.scaling import VECTOR_STD

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Numbers:
    """One vector (D,) or series (T, C) of the training side.

    Attributes
    ----------
    values
        In units of each column's spread, around its mean.
    other
        Those of another training item.
    column
        int64 (D,): to which column each number of a vector belongs; without columns each is one.
    measured
        bool (D,) or (C,): numbers that are measurements and vary; no categories, no marks of missing
        ones.
    """

    values: Values
    other: Values
    column: npt.NDArray[np.int64]
    measured: npt.NDArray[np.bool_]


def noise(item: Numbers, spreads: float, generator: np.random.Generator) -> Values:
    """Add Gaussian noise of so many spreads to every measurement."""
    drawn = spreads * generator.standard_normal(item.values.shape)
    return item.values + np.where(item.measured, drawn, 0)


def cells(item: Numbers, share: float, generator: np.random.Generator) -> Values:
    """Exchange each cell, with a chance of ``share``, for that of another training row."""
    taken = generator.random(item.column[-1] + 1) < share
    return np.where(taken[item.column], item.other, item.values)


def offset(item: Numbers, spreads: float, generator: np.random.Generator) -> Values:
    """Move each channel of a series up or down by so many spreads."""
    signs = generator.choice((-1.0, 1.0), item.measured.shape)
    return item.values + np.where(item.measured, spreads * signs, 0)


def gain(item: Numbers, share: float, generator: np.random.Generator) -> Values:
    """Stretch or press each channel of a series about its mean by a share."""
    signs = generator.choice((-1.0, 1.0), item.measured.shape)
    return item.values * (1 + share * signs)


def delay(item: Numbers, times: float, generator: np.random.Generator) -> Values:
    """Move a series along its times, to either side; the end is repeated into the gap."""
    by = int(times) * int(generator.choice((-1, 1)))
    places = np.arange(len(item.values)) - by
    return item.values[np.clip(places, 0, len(item.values) - 1)]


def polarity(item: Numbers, times: float, generator: np.random.Generator) -> Values:
    """Exchange above and below the mean of each channel."""
    return -item.values


def measured_columns(
    training: Dataset,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return ``column`` and ``measured`` of `Numbers` for vectors or series that were scaled."""
    assert training.scaling is not None
    measured = training.scaling.scale != 0
    column = np.arange(training.items.shape[-1])
    for number, (one, part) in enumerate(training.schema.parts() if training.schema else ()):
        column[part] = number
        measured[part if one.kind == "categorical" else slice(part.start + 1, part.stop)] = False
    return column, measured


def numbers_of(training: Dataset, chosen: npt.NDArray[np.int64]) -> list[Numbers]:
    """Return training items as corruptions take them, each beside the next one of those chosen.

    Parameters
    ----------
    training
        Vectors or series in units of each column's spread.
    chosen
        int64: at least two positions.
    """
    column, measured = measured_columns(training)
    values = training.items[chosen].astype(np.float64) / VECTOR_STD
    others = np.roll(values, -1, axis=0)
    return [Numbers(*pair, column, measured) for pair in zip(values, others, strict=True)]


def items_of(values: Values, training: Dataset) -> npt.NDArray[Any]:
    """Return spoiled values (N, ...) as items of the training side: scaled, and what a table can hold."""
    assert training.scaling is not None
    return training.scaling.snapped((values * VECTOR_STD).astype(np.float32))
