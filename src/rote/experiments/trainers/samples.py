"""What a sampler gave, as items that can be held against the training set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import DataError, RunError
from rote.data.dataset import Dataset
from rote.memorization.monitor.references import at_rest
from rote.memorization.monitor.value_range import Levels, RangeGuard, ValueRange

_FORMS = {
    "volume": "uint8 (num, depth, height, width, channels)",
    "vector": "floats (num, columns), in the units of the training set",
    "series": "floats (num, times, channels), in the units of the training set",
}


def as_samples(
    given: Any, num: int, *, like: Dataset, value_range: ValueRange | None, who: str
) -> Dataset:
    """Return samples as a data set in the units of ``like``, the training set.

    Parameters
    ----------
    given
        What the sampler returned.
    num
        How many samples were asked for.
    like
        The training set, in model units.
    value_range
        What floating-point images mean.
    who
        The sampler, for messages.

    Raises
    ------
    RunError
        If they are fewer or more, of another shape, or not finite.
    """
    if isinstance(given, Dataset):
        given = given.items
    try:
        given = _stacked(given)
        if like.kind == "image":
            items = at_rest(given, value_range=value_range, name="samples")
            guard = RangeGuard(Levels.of(like.items))
            guard.see(given, value_range, "samples")
            guard.judge("samples")
        else:
            items = _array(given, like)
    except DataError as error:
        raise RunError(f"{who}: {error}") from None
    if len(items) != num:
        raise RunError(f"{who}: {len(items)} samples where {num} were asked for")
    if items.shape[1:] != like.items.shape[1:]:
        raise RunError(
            f"{who}: samples have shape {items.shape[1:]}, the training items "
            f"{like.items.shape[1:]}; make them alike"
        )
    found = Dataset(items, schema=like.schema)
    if like.scaling is None:
        return found
    scaled = like.scaling.scaled(
        items if like.schema is None else like.schema.snapped(items.astype(np.float64))
    )
    return replace(found, items=scaled, scaling=like.scaling)


def _stacked(given: Any) -> Any:
    """Return a list of arrays or tensors as one; all else as it is."""
    if not (isinstance(given, list | tuple) and given and all(hasattr(x, "shape") for x in given)):
        return given
    shapes = sorted({tuple(one.shape) for one in given})
    if len(shapes) > 1:
        raise DataError(f"samples have shapes {shapes[0]} and {shapes[1]}; make them alike")
    return torch.stack(list(given)) if torch.is_tensor(given[0]) else np.stack(given)


def _array(given: Any, like: Dataset) -> npt.NDArray[Any]:
    try:
        array = given.detach().cpu().numpy() if torch.is_tensor(given) else np.asarray(given)
    except ValueError:  # lists of several lengths
        raise DataError(f"samples are no array; {_FORMS[like.kind]} are expected") from None
    if array.ndim != like.items.ndim or not (
        array.dtype == np.uint8 if like.in_levels else array.dtype.kind in "fiu"
    ):
        raise DataError(
            f"samples are {array.dtype} of shape {array.shape}; {_FORMS[like.kind]} are expected"
        )
    values = array.astype(like.items.dtype)
    if not np.isfinite(values).all():
        broken = int((~np.isfinite(values)).reshape(len(values), -1).any(1).sum())
        raise DataError(f"{broken} of {len(values)} samples hold NaN or infinity")
    return values
