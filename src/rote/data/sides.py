"""The sides of an audit as data sets, whatever they are given as."""

from __future__ import annotations

from typing import Any

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.options import ReadOptions
from rote.data.tables.encode import adopt
from rote.data.tables.table import Reading


def as_dataset(
    source: Any, *, options: ReadOptions | None = None, reading: Reading | None = None
) -> Dataset:
    """Return a data set as it is, and anything else as `load_images` takes it; errors as there.

    >>> import numpy as np
    >>> as_dataset("digits").shape, as_dataset([np.full((8, 8, 3), 200, np.uint8)] * 2).shape
    ((1, 8, 8), (3, 8, 8))
    """
    if isinstance(source, Dataset):
        return source
    return load_images(source, options=options, reading=reading)


def as_sides(
    generated: Any, training: Any, holdout: Any = None
) -> tuple[Dataset, Dataset, Dataset | None]:
    """Return the sides of an audit as data sets, read as the training side was.

    Deep images of all are seen through its window, and tables have its columns.

    Parameters and errors are those of `as_dataset`.

    Raises
    ------
    DataError
        Also if two of them were read with different windows.
    """
    references = as_dataset(training)
    options = ReadOptions().with_window(references.window)
    schema = references.schema
    given = {"generated": generated} | ({} if holdout is None else {"holdout": holdout})
    sides = {}
    for name, source in given.items():
        side = as_dataset(source, options=options, reading=Reading(schema=schema))
        if schema is not None and side.scaling is None and references.scaling is None:
            side = adopt(side, schema)
        sides[name] = side
        if references.window is not None and side.window not in (None, references.window):
            raise DataError(
                f"`{name}` was read with {side.window} as black and white and `training` with "
                f"{references.window}, so no copy would be found; read both with one `window`"
            )
    return sides["generated"], references, sides.get("holdout")
