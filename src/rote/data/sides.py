"""The sides of an audit as data sets, whatever they are given as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.groups.words import column_of
from rote.data.labels import labels_of_array
from rote.data.load import load_images
from rote.data.messages import first_few
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
    generated: Any,
    training: Any,
    holdout: Any = None,
    *,
    group_by: str | None = None,
    cluster_by: str | None = None,
) -> tuple[Dataset, Dataset, Dataset | None]:
    """Return the sides of an audit as data sets, read as the training side was.

    Deep images of all are seen through its window, and tables have its columns.

    Parameters
    ----------
    generated, training, holdout
        As `as_dataset` takes them.
    group_by, cluster_by
        Rules (`rote.data.groups.rules`): the columns of tables that tell the groups of the real sides and
        of the generated one.

    Raises
    ------
    DataError
        Also if two of them were read with different windows.
    """
    own, made = column_of(group_by), column_of(cluster_by)
    references = as_dataset(training, reading=Reading(group=own))
    options = ReadOptions().with_window(references.window)
    schema = references.schema
    given = {"generated": generated} | ({} if holdout is None else {"holdout": holdout})
    sides = {}
    for name, source in given.items():
        # A column of groups on the training side is one of nothing on the generated side.
        reading = Reading(schema=schema, group=own if name == "holdout" else made)
        if name == "generated" and own and own != made:
            reading = replace(reading, ignore=(own,))
        side = as_dataset(source, options=options, reading=reading if schema else Reading())
        if schema is not None and side.scaling is None and references.scaling is None:
            side = adopt(side, schema)
        sides[name] = side
        if references.window is not None and side.window not in (None, references.window):
            raise DataError(
                f"`{name}` was read with {side.window} as black and white and `training` with "
                f"{references.window}, so no copy would be found; read both with one `window`"
            )
    return sides["generated"], references, sides.get("holdout")


def with_labels(dataset: Dataset, labels: Any, *, classes: Sequence[str] = ()) -> Dataset:
    """Return a data set with other labels.

    Parameters
    ----------
    dataset
        Of N items.
    labels
        Integers or text (N,).
    classes
        What the labels are names or places of; none: they name their classes themselves.

    Raises
    ------
    DataError
        If they are of another number, or no class is of that name or place.

    >>> digits = load_images("digits")
    >>> with_labels(digits.take(np.arange(2)), ["7", "3"], classes=digits.classes).labels.tolist()
    [7, 3]
    """
    given = np.asarray(labels)
    if classes and given.dtype.kind == "U":
        places = {name: place for place, name in enumerate(classes)}
        if unknown := sorted({str(name) for name in given.flat} - set(places)):
            raise DataError(
                f"labels: {first_few(unknown)} are no classes of the training side, which has "
                f"{first_few(list(classes))}"
            )
        given = np.array([places[str(name)] for name in given.flat]).reshape(given.shape)
    names = np.array(classes) if classes else None
    found, told = labels_of_array(given, names, count=len(dataset), where="labels")
    return replace(dataset, labels=found, classes=told)
