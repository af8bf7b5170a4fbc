"""Sides of one audit: where one of them misses values of a column, all have a place for that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.data.tables.schema import Column, Schema


def aligned(training: Dataset, *others: Dataset) -> tuple[Dataset, ...]:
    """Return tables in own units, read by the schema of the first, with one schema.

    A side that misses values where the training side has them all brings a wider schema; all are then
    encoded in it. What stands in the place of a missing number is the mean of the training side.
    """
    schema = training.schema
    if schema is None or all(side.schema == schema for side in others):
        return (training, *others)
    columns = []
    for number, (column, part) in enumerate(schema.parts()):
        gaps = any(side.schema and side.schema.columns[number].gaps for side in others)
        mean = np.float32(training.items[:, part.start].mean(dtype=np.float64))
        columns.append(column.with_gaps(float(mean)) if gaps else column)
    wide = replace(schema, columns=tuple(columns))
    return tuple(_widened(side, wide) for side in (training, *others))


def _widened(side: Dataset, schema: Schema) -> Dataset:
    assert side.schema is not None
    blocks = [
        _block(side.items[:, part], old, new)
        for (old, part), new in zip(side.schema.parts(), schema.columns, strict=True)
    ]
    return replace(side, items=np.concatenate(blocks, axis=1), schema=schema)


def _block(block: npt.NDArray[np.float32], old: Column, new: Column) -> npt.NDArray[np.float32]:
    """Return the numbers of one column (N, width) with a place for missing values, if it lacks one."""
    if new.width > old.width:
        none = np.zeros((len(block), 1), np.float32)
        return np.hstack([none, block] if new.kind == "categorical" else [block, none])
    if new.missing:
        value = np.where(old.empty(block), np.float32(new.fill), block[:, 0])
        return np.stack([value, block[:, 1]], axis=1)
    return block
