"""Arrays to items at rest.

A wrong value range is the error that nobody notices: images in [0, 1] compared with images in
[0, 255] give 0 % copies and no message. So nothing is rescaled by guess. Numbers that already are
whole and lie in 0..255 are converted exactly; everything else is refused with its measured range, unless
a window says which values are black and white.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.account import Account, Treated
from rote.data.dataset import Dataset, Kind
from rote.data.files.axes import axes_of, channels_last
from rote.data.files.decode import has_two_levels
from rote.data.files.mapped import blocks_of
from rote.data.files.window import measure, percentile_window, to_uint8
from rote.data.labels import NO_LABELS, labels_of_array
from rote.data.options import Range, ReadOptions

SERIES, VOLUMES = "series", "volumes"
_DARK = 32
"""Images of 8 bits that all stay below this use 5 bits at most, which is said."""

Convert = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
Keep = Callable[[npt.NDArray[Any], Convert], npt.NDArray[np.uint8]]
"""Turns accepted images (N, H, W, C), or volumes, into uint8 in C order, with what converts a block."""


def _copied(images: npt.NDArray[Any], convert: Convert) -> npt.NDArray[np.uint8]:
    # Also of uint8: the digest must not change when the caller's array does.
    copied = np.empty(images.shape, np.uint8)
    done = 0
    for block in blocks_of(images):
        copied[done : done + len(block)] = convert(block)
        done += len(block)
    return copied


def dataset_of_array(
    array: npt.NDArray[Any],
    *,
    labels: npt.NDArray[Any] | None = None,
    classes: npt.NDArray[Any] | None = None,
    where: str,
    options: ReadOptions | None = None,
    keep: Keep = _copied,
    named: str = "",
) -> Dataset:
    """Convert an array to a data set.

    Parameters
    ----------
    array
        Images: (N, H, W, C), (N, C, H, W) or grey (N, H, W), C = 1 or 3, whole numbers in 0..255 of
        any type, or any numbers with a window. Volumes of such numbers: (N, D, H, W, C). Vectors:
        finite floating-point (N, D). Series: finite floating-point (N, T, C).
    labels, classes
        As `rote.data.labels.labels_of_array` takes them.
    where
        The source, for messages.
    options
        The order of the axes and the window; all else is left to the caller.
    keep
        Where images go; a copy in memory by default.
    named
        What a file calls the array. `SERIES`, (N, T, C), and `VOLUMES` of four axes, (N, D, H, W),
        are told from images by that alone.

    Raises
    ------
    DataError
        If shape, type or range is none of these.

    >>> dataset_of_array(np.full((2, 3, 8, 8), 200, dtype=np.uint8), where="example").shape
    (3, 8, 8)
    """
    options = options or ReadOptions()
    if array.ndim and len(array) == 0:
        raise DataError(f"{where}: an array of shape {array.shape} has no items; give some")
    items: npt.NDArray[Any]
    window, account = None, None
    if named == SERIES:
        items = _series(array, where=where)
    elif array.ndim == 2 and options.axes not in ("HW", "WH"):
        items = _vectors(array, where=where)
    else:
        asked = options.axes
        if named == VOLUMES and asked is None and array.ndim == 4:
            asked = "NDHW"
        images = channels_last(array, axes_of(array.shape, asked, where=where))
        if images.ndim == 4 and images.shape[3] not in (1, 3):
            raise DataError(
                f"{where}: images of an array of shape {array.shape} have {images.shape[3]} "
                "channels; 1 (grey) "
                "or 3 (RGB) are expected: drop an alpha channel with x[..., :3], or say with `axes` "
                "which axis "
                "is which"
            )
        window, account = window_of_array(images, options, where=where)
        items = keep(images, converter(window))
    found = NO_LABELS
    if labels is not None:
        found = labels_of_array(labels, classes, count=len(items), where=where)
    return Dataset(
        items=items, labels=found[0], classes=found[1], source=where, account=account, window=window
    )


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


def converter(window: Range | None) -> Convert:
    """Return what turns a block of accepted images into uint8."""
    if window is None:
        return lambda block: block.astype(np.uint8)
    return lambda block: to_uint8(block, window)


def window_of_array(
    images: npt.NDArray[Any], options: ReadOptions, *, where: str
) -> tuple[Range | None, Account | None]:
    """Return what becomes black and white in an array (N, H, W, C), and words about it; None of 0..255.

    Raises
    ------
    DataError
        If the type or the range is none of images and no window is given.
    """
    if images.dtype.kind not in "uif":
        hint = "; convert it with x.astype('uint8') * 255" if images.dtype.kind == "b" else ""
        raise DataError(
            f"{where}: images of type {images.dtype} have no pixel values; uint8 from 0 to 255 is "
            f"expected{hint}"
        )
    if images.dtype == np.uint8:
        return None, None
    _check_finite(images, where=where)
    if options.window is None:
        _check_range(images, where=where)
        return None, None
    found = measure(lambda: blocks_of(images))
    asked = options.window
    window = percentile_window(found, where=where) if asked == "percentile" else asked
    done = (
        f"values from {found.low:g} to {found.high:g}; {window[0]:g} is black, {window[1]:g} white"
    )
    told = Treated(f"of {images.dtype}", len(images), done, (), option="window")
    return window, Account(1, 1, treated=(told,), unit="arrays")


def _check_finite(images: npt.NDArray[Any], *, where: str) -> None:
    if images.dtype.kind != "f":
        return
    broken = sum(
        int((~np.isfinite(chunk)).reshape(len(chunk), -1).any(axis=1).sum())
        for chunk in blocks_of(images)
    )
    if broken:
        raise DataError(
            f"{where}: {broken:,} of {len(images):,} images hold NaN or infinity; uint8 from 0 "
            "to 255 is expected: remove or repair them"
        )


def _check_range(images: npt.NDArray[Any], *, where: str) -> None:
    """Refuse values that are not whole numbers in 0..255 with at least one above 1."""
    floating = images.dtype.kind == "f"
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
    end = high if low < 0 or high != int(high) else 2 ** int(high).bit_length() - 1
    return (
        "scale them to 0..255 and convert with .round().astype('uint8'), or give the values that "
        "become black "
        f"and white with `window`, such as `window` {low:g},{end:g}, or 'percentile' (series (N, times, "
        "channels) go into an npz file under the name 'series')"
    )


def check_brightness(images: npt.NDArray[Any], *, where: str) -> str | None:
    """Refuse several images whose largest value is 0 or 1; return words about others that are all dark.

    One image may be black; a whole set of such images is a [0, 1] array cast to uint8.
    """
    largest = 0
    for block in blocks_of(images):
        largest = max(largest, int(block.max()))
        if largest >= _DARK:
            return None
    if len(images) > 1 and largest <= 1:
        raise DataError(
            f"{where}: the largest pixel value of all {len(images):,} images is "
            f"{largest}; values from 0 to 255 are expected (were images in [0, 1] cast "
            "to uint8? convert with (x * 255).round().astype('uint8') instead)"
        )
    if len(images) == 1:
        return None
    return f"the largest pixel value of all {len(images):,} images is {largest} of 255"


def two_levels(images: npt.NDArray[np.uint8]) -> list[int]:
    """Return the positions of the images (N, H, W, C) that hold at most two levels of grey."""
    found: list[int] = []
    first = 0
    for block in blocks_of(images):
        row = block[:, block.shape[1] // 2].reshape(len(block), -1)[:, :64]
        low, high = row.min(axis=1, keepdims=True), row.max(axis=1, keepdims=True)
        few = ((row == low) | (row == high)).all(axis=1)  # nearly all images end here
        found += [first + int(n) for n in np.flatnonzero(few) if has_two_levels(block[n])]
        first += len(block)
    return found


def item_key(kind: Kind) -> str:
    """Return the name under which an npz file of ours holds items."""
    return {"series": SERIES, "volume": VOLUMES}.get(kind, "images")


def arrays_of(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    """Return a data set as the arrays of an npz file, from which `load_array_file` reads it back."""
    arrays = {item_key(dataset.kind): dataset.items}
    for name, array in (("seeds", dataset.seeds), ("labels", dataset.labels)):
        if array is not None:
            arrays[name] = array
    if dataset.captions:
        arrays["captions"] = np.array(dataset.texts)
        if None in dataset.captions:
            arrays["captioned"] = np.array([text is not None for text in dataset.captions])
    if dataset.repeats is not None:
        arrays["repeats"] = dataset.repeats
    if dataset.groups is not None:
        arrays["groups"] = np.array(dataset.groups)
    if dataset.sample_rate is not None:
        arrays["sample_rate"] = np.array(dataset.sample_rate)
    if dataset.schema is not None:
        arrays["schema"] = np.array(json.dumps(dataset.schema.to_json()))
    return arrays
