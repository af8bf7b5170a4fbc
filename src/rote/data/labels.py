"""Labels: from sub-folders, from EDM's ``dataset.json``, or from an array.

Whatever the source calls its classes, labels are int64 in [0, C) and the original values become
class names. Numbers that are exactly 0, 1, ... C - 1 therefore stay what they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.messages import first_few, shown, storable

Labels = tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]
NO_LABELS: Labels = (None, ())


def labels_of_files(
    names: Sequence[str], sidecar: bytes | None, *, where: str, below: str = ""
) -> Labels:
    r"""Label files by ``dataset.json`` if it speaks of labels, else by their first folder.

    Parameters
    ----------
    names
        Relative names, "/" or "\" between folders.
    sidecar
        Content of ``dataset.json``, or None.
    where
        The source, for messages.
    below
        The folder of ``dataset.json``, with "/"; its names are relative to that.

    Raises
    ------
    DataError
        If ``dataset.json`` is broken or leaves an image without a label.
    """
    names = [name.replace("\\", "/") for name in names]
    if sidecar is not None:
        content = _parse(sidecar, where=where)
        if isinstance(content, dict) and "labels" in content:
            relative = [name.removeprefix(below) for name in names]
            return _labels_of_sidecar(relative, content["labels"], where=where)
    if not all("/" in name.strip("/") for name in names):
        return NO_LABELS
    return _compact([storable(name.strip("/").split("/")[0]) for name in names])


def _parse(sidecar: bytes, *, where: str) -> Any:
    try:
        return json.loads(sidecar)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else shown(error)
        raise DataError(
            f"{where}: dataset.json is not valid JSON ({reason}); write it again or remove it"
        ) from None


def _labels_of_sidecar(names: Sequence[str], pairs: Any, *, where: str) -> Labels:
    if pairs is None:
        return NO_LABELS
    try:
        table = {str(name).replace("\\", "/"): label for name, label in pairs}
    except (TypeError, ValueError):
        table = {"": None}
    if not all(type(label) is int and label >= 0 for label in table.values()):
        raise DataError(
            f"{where}: the labels of dataset.json are not pairs of a file name and a class number; "
            'expected is {"labels": [["00000/img00000000.png", 6], ...]}; write it so or remove it'
        )
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(
            f"{where}: dataset.json gives no label for {len(missing):,} of {len(names):,} images "
            f"({first_few(missing)}); label every image or remove dataset.json"
        )
    return _compact([table[name] for name in names])


def looks_like_labels(array: object, *, count: int) -> bool:
    """Say whether an array is one whole number >= 0 or one text per item, or one-hot rows of that.

    >>> looks_like_labels(np.array([3, 0, 3]), count=3), looks_like_labels(np.ones((3, 2)), count=3)
    (True, False)
    """
    if not isinstance(array, np.ndarray) or array.shape[:1] != (count,):
        return False
    if array.shape in ((count,), (count, 1)):
        return array.dtype.kind == "U" or (
            array.dtype.kind in "iu" and bool(array.min(initial=0) >= 0)
        )
    return _is_one_hot(array)


def _is_one_hot(array: npt.NDArray[Any]) -> bool:
    """Say whether every row has a single 1 among zeros, in two columns or more."""
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())


def labels_of_array(
    labels: npt.NDArray[Any], classes: npt.NDArray[Any] | None, *, count: int, where: str
) -> Labels:
    """Check an array of labels: one integer, or one text, per item.

    Parameters
    ----------
    labels
        Integers >= 0 or text, shape (N,) or (N, 1), or one-hot rows (N, C).
    classes
        Class names (C,); labels are then integers in [0, C). None takes the labels as names.
    count
        N, the number of items.
    where
        The source, for messages.

    Raises
    ------
    DataError
        If the labels have another shape, type or range.
    """
    if labels.ndim == 2 and len(labels) == count and _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(
            f"{where}: labels have shape {labels.shape} for {count:,} items; expected is one "
            f"integer per item, shape ({count},) (of one-hot rows take labels.argmax(axis=1))"
        )
    if labels.dtype.kind == "U" and classes is None:
        return _compact([storable(str(label)) for label in labels])
    if labels.dtype.kind not in "iu" or int(labels.min(initial=0)) < 0:
        raise DataError(
            f"{where}: labels are {labels.dtype} from {shown(labels.min())} to "
            f"{shown(labels.max())}; integers from 0 are expected (leave labels out if there are "
            "none)"
            if labels.dtype.kind in "iuf"
            else f"{where}: labels are {labels.dtype}; integers from 0 are expected"
        )
    if classes is None:
        return _compact([int(label) for label in labels])
    if classes.ndim != 1 or classes.dtype.kind not in "iuU" or labels.max() >= len(classes):
        raise DataError(
            f"{where}: labels go up to {labels.max()} and classes is {classes.dtype} of shape "
            f"{classes.shape}; expected is one name per class, more than the largest label"
        )
    return labels.astype(np.int64), tuple(storable(str(name)) for name in classes)


def _compact(values: Sequence[Any]) -> Labels:
    """Number the distinct values in sorted order; they become the class names."""
    distinct = sorted(set(values))
    number = {value: i for i, value in enumerate(distinct)}
    labels = np.array([number[value] for value in values], dtype=np.int64)
    return labels, tuple(str(value) for value in distinct)
