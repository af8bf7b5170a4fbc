"""Features of all long items of an array that cannot change: made once for all searches in it.

An audit searches its training side several times (its spacing, its near-duplicates, the neighbors of
generated items, those within the side itself). Directions among sketches are fitted once, also for
another array of such items: which are taken changes the speed and never the answer.
"""

from __future__ import annotations

import weakref
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.known import Arrays, known_together
from rote.neighbors.cpu.long_items import (
    SAMPLE,
    LongItems,
    SketchProjection,
    fit_sketch_projection,
)
from rote.neighbors.cpu.projection import Features, packed, unpacked
from rote.neighbors.cpu.sketch import Sketch

COARSE, FINE = 64, 512
FEWEST = 32
"""Items from which directions are fitted."""
NAME = f"directions among sketches, 1 {COARSE} {FINE}"

_fitted: dict[int, tuple[weakref.ref[npt.NDArray[Any]], SketchProjection, Features]] = {}


def side_features(
    items: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64] | None, pool: Executor
) -> tuple[SketchProjection, Features]:
    """Return directions, and the features of some rows of an array (N, ...) of at least `FEWEST` items.

    Where the array may be written to, they are made of these rows alone, each time.
    """
    if items.flags.writeable:
        some = LongItems(items, rows)
        projection = fit_sketch_projection(some, directions=FINE, coarse=COARSE)
        return projection, projection.features(some, pool)
    projection, features = _of_whole(items, pool)
    if rows is None or len(rows) == len(items):
        return projection, features
    return projection, Features(
        features.values[rows],
        features.coarse_residual[rows],
        length=features.length,
        rounding_error=features.rounding_error,
    )


def _of_whole(items: npt.NDArray[np.uint8], pool: Executor) -> tuple[SketchProjection, Features]:
    key = id(items)
    held = _fitted.get(key)
    if held is not None and held[0]() is items:
        return held[1:]
    projection = _of_another(items)
    if projection is not None:
        features = projection.features(LongItems(items), pool)
    else:
        inner, features = unpacked(known_together(items, NAME, lambda: _packed(items, pool)))
        projection = SketchProjection(Sketch.of(items.shape[1:]), inner)
    _fitted[key] = weakref.ref(items, lambda _: _fitted.pop(key, None)), projection, features
    return projection, features


def _of_another(items: npt.NDArray[np.uint8]) -> SketchProjection | None:
    """Return the directions of an array of such items that are as good a sample."""
    for other, projection, _ in list(_fitted.values()):
        array = other()
        alike = array is not None and array.shape[1:] == items.shape[1:]
        if array is not None and alike and len(array) >= min(SAMPLE, len(items)):
            return projection
    return None


def _packed(items: npt.NDArray[np.uint8], pool: Executor) -> Arrays:
    whole = LongItems(items)
    found = fit_sketch_projection(whole, directions=FINE, coarse=COARSE)
    return packed(found.projection, found.features(whole, pool))
