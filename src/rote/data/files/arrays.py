"""Arrays to items at rest: .npz and .npy files, and arrays given directly.

A wrong value range is the error that nobody notices: images in [0, 1] compared with images in
[0, 255] give 0 % copies and no message. So nothing is rescaled by guess. Numbers that already are
whole and lie in 0..255 are converted exactly; everything else is refused with its measured range.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import is_mapped
from rote.data.dataset import Dataset, Kind
from rote.data.files.decoded_cache import keep_array
from rote.data.files.mapped import MAPPED_FROM, blocks_of, map_member, npy_header, unpacked
from rote.data.labels import NO_LABELS, labels_of_array
from rote.data.messages import first_few, shown
from rote.data.tables.schema import Schema

SERIES = "series"
# In this order; the first key that is present is taken, with the labels beside it if there are any.
_KEYS = (
    (SERIES, "labels"),
    ("images", "labels"),
    ("x_train", "y_train"),
    ("x_test", "y_test"),
    ("data", "labels"),
    ("arr_0", "labels"),
)
ITEM_KEYS = tuple(items for items, _ in _KEYS)

Keep = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
"""Turns accepted images (N, H, W, C) of whole numbers into uint8 in C order."""


def load_array_file(path: Path, *, decoded: Path | None = None) -> Dataset:
    """Read a .npy or .npz file, or map its images if they are large; never a pickle.

    Parameters
    ----------
    path
        The file.
    decoded
        Folder of decoded images (`rote.data.files.decoded_cache`), for large images that do not rest in
        the file as they are needed; None takes those into memory.

    Raises
    ------
    DataError
        If the file is broken, holds Python objects or no known key, or its array is refused by
        `dataset_of_array`.
    """
    where = shown(path)
    try:
        with path.open("rb") as handle:
            large = path.stat().st_size >= MAPPED_FROM and handle.read(2) == b"\x93N"
            handle.seek(0)
            loaded = np.load(path if large else handle, "r" if large else None, allow_pickle=False)
            arrays = (
                {"array": loaded}
                if isinstance(loaded, np.ndarray)
                else _known(loaded, path, decoded, where)
            )
    except MemoryError:
        raise DataError(f"{where} is larger than the memory; give `source` fewer items") from None
    except DataError:
        raise
    # numpy answers broken headers with nearly every exception, down to those of Python's tokenizer.
    except Exception as error:  # noqa: BLE001
        raise DataError(
            f"{where} cannot be read as a NumPy file ({shown(error)}); write it again with "
            "numpy.savez, without Python objects"
        ) from None
    name, items = next(iter(arrays.items()))

    def keep(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        fits = images.dtype == np.uint8 and images.flags.c_contiguous
        if fits or decoded is None or not is_mapped(images):
            return np.asarray(images, dtype=np.uint8, order="C")
        blocks = (block.astype(np.uint8) for block in blocks_of(images))
        return keep_array(blocks, images.shape, path=path, options="array", folder=decoded)

    dataset = dataset_of_array(
        items,
        labels=arrays.get("labels"),
        classes=arrays.get("classes"),
        where=where,
        keep=keep,
        series=name == SERIES,
    )
    if "schema" in arrays:
        dataset = replace(dataset, schema=_schema(arrays["schema"], dataset, where=where))
    seeds = arrays.get("seeds")
    # Anything else under that name is not what `rote sample` writes, and nothing depends on it.
    if seeds is not None and seeds.dtype == np.int64 and seeds.shape == (len(dataset),):
        return replace(dataset, seeds=seeds)
    return dataset


def _known(
    loaded: Any, path: Path, decoded: Path | None, where: str
) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays that are meant of an open npz file, the items first."""
    found = [pair for pair in _KEYS if pair[0] in loaded.files]
    if not found:
        keys = first_few(list(loaded.files)) or "none"
        raise DataError(
            f"{where} holds the arrays {keys}; one named 'images' is expected (with 'labels' and "
            "'classes' if there are any), or 'x_train', 'x_test', 'data' or 'arr_0'"
        )
    items, labels = found[0]
    arrays = {
        SERIES if items == SERIES else "items": _member(loaded, items, path, decoded),
    }
    if labels in loaded.files:
        arrays["labels"] = loaded[labels]
    if labels == "labels" and "classes" in loaded.files:
        arrays["classes"] = loaded["classes"]
    if items in ("images", SERIES) and "seeds" in loaded.files:
        arrays["seeds"] = loaded["seeds"]
    if items == "images" and "schema" in loaded.files:
        arrays["schema"] = loaded["schema"]
    # numpy hands out the bytes of a member that is no array.
    if any(not isinstance(array, np.ndarray) for array in arrays.values()):
        raise DataError(
            f"{where} has members that are no NumPy arrays; write it again with numpy.savez"
        )
    return arrays


def _member(loaded: Any, key: str, path: Path, decoded: Path | None) -> npt.NDArray[Any]:
    """Read one array of an open npz file, or map it if it is large."""
    name = f"{key}.npy"
    if name not in loaded.zip.namelist() or loaded.zip.getinfo(name).file_size < MAPPED_FROM:
        return loaded[key]
    with loaded.zip.open(name) as member:
        header = npy_header(member)
    if header is None:
        return loaded[key]
    found = map_member(path, name)
    shape, dtype = header
    ready = dtype == np.uint8 and len(shape) == 4 and shape[3] in (1, 3)
    if found is None and ready and decoded is not None:
        found = keep_array(unpacked(path, name), shape, path=path, options=name, folder=decoded)
    return loaded[key] if found is None else found


def item_key(kind: Kind) -> str:
    """Return the name under which an npz file of ours holds items."""
    return SERIES if kind == "series" else "images"


def arrays_of(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    """Return a data set as the arrays of an npz file, from which `load_array_file` reads it back."""
    arrays = {item_key(dataset.kind): dataset.items}
    for name, array in (("seeds", dataset.seeds), ("labels", dataset.labels)):
        if array is not None:
            arrays[name] = array
    if dataset.schema is not None:
        arrays["schema"] = np.array(json.dumps(dataset.schema.to_json()))
    return arrays


def _schema(text: npt.NDArray[Any], dataset: Dataset, *, where: str) -> Schema | None:
    """Read what the columns of a table's samples are, as `rote sample` writes it."""
    try:
        schema = Schema.from_json(json.loads(str(text[()])))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where} has an array 'schema' that rote did not write ({shown(error)}); remove it"
        ) from None
    if dataset.shape != (schema.width,):
        raise DataError(
            f"{where} holds items of shape {dataset.shape} and a schema of {schema.width} numbers; "
            "sample it again"
        )
    return schema


def _copied(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    # Also of uint8: the digest must not change when the caller's array does.
    return np.array(images, dtype=np.uint8, order="C")


def dataset_of_array(
    array: npt.NDArray[Any],
    *,
    labels: npt.NDArray[Any] | None = None,
    classes: npt.NDArray[Any] | None = None,
    where: str,
    keep: Keep = _copied,
    series: bool = False,
) -> Dataset:
    """Convert an array to a data set.

    Parameters
    ----------
    array
        Images: (N, H, W, C), (N, C, H, W) or grey (N, H, W), C = 1 or 3, whole numbers in 0..255 of
        any type. Vectors: finite floating-point (N, D). Series: finite floating-point (N, T, C).
    labels, classes
        As `rote.data.labels.labels_of_array` takes them.
    where
        The source, for messages.
    keep
        Where images go; a copy in memory by default.
    series
        Whether the array holds series: (N, T, C) is told from grey images by being asked for alone.

    Raises
    ------
    DataError
        If shape, type or range is none of these.

    >>> dataset_of_array(np.full((2, 3, 8, 8), 200, dtype=np.uint8), where="example").shape
    (3, 8, 8)
    """
    if array.ndim and len(array) == 0:
        raise DataError(f"{where}: an array of shape {array.shape} has no items; give some")
    items: npt.NDArray[Any]
    if series:
        items = _series(array, where=where)
    elif array.ndim == 2:
        items = _vectors(array, where=where)
    else:
        items = _images(array, keep, where=where)
    found = NO_LABELS
    if labels is not None:
        found = labels_of_array(labels, classes, count=len(items), where=where)
    return Dataset(items=items, labels=found[0], classes=found[1], source=where)


def _vectors(array: npt.NDArray[Any], *, where: str) -> npt.NDArray[np.float32]:
    if array.dtype.kind != "f" or array.shape[1] == 0:
        raise DataError(
            f"{where}: a 2-D array of {array.dtype} with shape {array.shape} is neither vectors "
            "(floating-point (N, D)) nor images (uint8 (N, height, width, channels)); convert it "
            "with .astype('float32'), or reshape it to images"
        )
    return _finite(array, where=where, what="vectors")


def _series(array: npt.NDArray[Any], *, where: str) -> npt.NDArray[np.float32]:
    if array.dtype.kind not in "fiu" or array.ndim != 3 or 0 in array.shape:
        hint = "add the channels with x[..., None]" if array.ndim == 2 else "give it that shape"
        raise DataError(
            f"{where}: series of {array.dtype} with shape {array.shape}; numbers of shape (N, times, "
            f"channels) are expected: {hint}"
        )
    return _finite(array, where=where, what="series")


def _finite(array: npt.NDArray[Any], *, where: str, what: str) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is refused as such
        items = np.array(array, dtype=np.float32, order="C")
    broken = int((~np.isfinite(items.reshape(len(items), -1))).any(axis=1).sum())
    if broken:
        raise DataError(
            f"{where}: {broken:,} of {len(items):,} {what} hold NaN, infinity or numbers beyond "
            "float32; remove or repair those rows"
        )
    return items


def _images(array: npt.NDArray[Any], keep: Keep, *, where: str) -> npt.NDArray[np.uint8]:
    images = _channels_last(array, where=where)
    if images.dtype.kind not in "uif":
        hint = "; convert it with x.astype('uint8') * 255" if images.dtype.kind == "b" else ""
        raise DataError(
            f"{where}: images of type {images.dtype} have no pixel values; uint8 from 0 to 255 is "
            f"expected{hint}"
        )
    if images.dtype != np.uint8:
        _check_range(images, where=where)
    return keep(images)


def _channels_last(array: npt.NDArray[Any], *, where: str) -> npt.NDArray[Any]:
    shape = array.shape
    if 0 not in shape:
        if array.ndim == 3 and shape[2] not in (1, 3, 4):
            return array[:, :, :, None]
        if array.ndim == 4 and shape[3] in (1, 3):
            return array
        if array.ndim == 4 and shape[3] != 4 and shape[1] in (1, 3):
            return array.transpose(0, 2, 3, 1)
    hint = "give it that shape"
    if array.ndim == 3 and shape[2] in (1, 3, 4):
        hint = (
            "for one image add an axis with x[None], for narrow grey images with x[..., None]; series "
            "(N, times, channels) go into an npz file under the name 'series'"
        )
    elif array.ndim == 4 and shape[3] == 4:
        hint = "drop the alpha channel with x[..., :3], or move channels to the last axis"
    raise DataError(
        f"{where}: an array of shape {shape} is not understood; expected are images (N, height, "
        f"width, channels) with 1 or 3 channels, or grey (N, height, width), or vectors (N, D); "
        f"{hint}"
    )


def _check_range(images: npt.NDArray[Any], *, where: str) -> None:
    """Refuse values that are not whole numbers in 0..255 with at least one above 1."""
    floating = images.dtype.kind == "f"
    if floating:
        broken = sum(
            int((~np.isfinite(chunk)).any(axis=(1, 2, 3)).sum()) for chunk in blocks_of(images)
        )
        if broken:
            raise DataError(
                f"{where}: {broken:,} of {len(images):,} images hold NaN or infinity; uint8 from 0 "
                "to 255 is expected: remove or repair them"
            )
    ends = [(block.min(), block.max()) for block in blocks_of(images)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    whole = not floating or all(
        bool((chunk == np.rint(chunk)).all()) for chunk in blocks_of(images)
    )
    if whole and low >= 0 and 1 < high <= 255:
        return
    raise DataError(
        f"{where}: {images.dtype} images with values from {low:.6g} to {high:.6g}"
        f"{'' if whole else ', not all whole'}; whole numbers from 0 to 255 are expected, because "
        "with a wrong range no copy would ever be found: " + _range_advice(float(low), float(high))
    )


def _range_advice(low: float, high: float) -> str:
    if low >= 0 and high <= 1:
        return "convert with (x * 255).round().astype('uint8')"
    if low >= -1 and high <= 1:
        return "convert with ((x + 1) * 127.5).round().astype('uint8') if -1 is black"
    if low >= 0 and high <= 255:
        return "convert with x.round().astype('uint8')"
    return (
        "scale them to 0..255 and convert with .round().astype('uint8') (series (N, times, channels) go "
        "into an npz file under the name 'series')"
    )


def check_brightness(images: npt.NDArray[Any], *, where: str) -> None:
    """Refuse several images whose largest value is 0 or 1: a [0, 1] array cast to uint8.

    One image may be black; a whole set of such images is a mistake.
    """
    largest = 0
    for block in blocks_of(images):
        largest = max(largest, int(block.max()))
        if largest > 1:
            break
    if len(images) > 1 and largest <= 1:
        raise DataError(
            f"{where}: the largest pixel value of all {len(images):,} images is "
            f"{largest}; values from 0 to 255 are expected (were images in [0, 1] cast "
            "to uint8? convert with (x * 255).round().astype('uint8') instead)"
        )
