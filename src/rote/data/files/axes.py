"""Which axis of an array is which: told by the shape, or asked for where that has two readings."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from rote.core.errors import DataError

_WORDS = {
    "NHW": "{0} grey images of {1}x{2}",
    "HWC": "one image of {0}x{1} with {2} channels",
    "CHW": "one image of {1}x{2} with {0} channels",
    "HWN": "{2} grey images of {0}x{1}",
    "NHWC": "{0} images of {1}x{2} with {3} channels",
    "NCHW": "{0} images of {2}x{3} with {1} channels",
    "HWCN": "{3} images of {0}x{1} with {2} channels",
    "NDHWC": "{0} volumes of {1}x{2}x{3} with {4} channels",
    "NCDHW": "{0} volumes of {2}x{3}x{4} with {1} channels",
}


def axes_of(shape: tuple[int, ...], asked: str | None, *, where: str) -> str:
    """Return the order of the axes of images, such as "NHWC".

    Parameters
    ----------
    shape
        Of the whole array, never of a part of it.
    asked
        What a person says; for arrays of as many axes.
    where
        The source, for messages.

    Raises
    ------
    DataError
        If the shape is no one of images, or can be read in two ways.

    >>> axes_of((9, 32, 32, 3), None, where="x"), axes_of((3, 32, 32), "CHW", where="x")
    ('NHWC', 'CHW')
    """
    if asked is not None and len(asked) == len(shape):
        return asked
    readings = () if 0 in shape else _readings(shape)
    if len(readings) == 1:
        return readings[0]
    hint = "give it that shape"
    if readings:
        ways = " or ".join(f"{axes} for {_WORDS[axes].format(*shape)}" for axes in readings)
        hint = f"give `axes` {ways}"
        if len(shape) == 3:
            hint += "; series (N, times, channels) go into an npz file under the name 'series'"
        raise DataError(
            f"{where}: an array of shape {shape} can be read in {len(readings)} ways, which axis is "
            "which? "
            f"{hint}"
        )
    if len(shape) == 4 and shape[3] == 4:
        hint = (
            "drop the alpha channel with x[..., :3], or say with `axes` which axis is which, such as "
            "NDHW of volumes"
        )
    elif len(shape) == 4:
        hint = "give `axes` NDHW if these are volumes (or name the array 'volumes' in an npz file)"
    elif len(shape) in (3, 5):
        hint = "say with `axes` which axis is which, such as NHWC, or give it that shape"
    raise DataError(
        f"{where}: an array of shape {shape} is not understood; expected are images (N, height, "
        f"width, channels) with 1 or 3 channels, or grey (N, height, width), volumes (N, depth, height, "
        f"width, channels), or vectors (N, D); {hint}"
    )


def _readings(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return what the axes of an array might be, the likeliest first."""
    if len(shape) == 3:
        first, second, third = shape
        if third in (1, 3, 4):
            return ("HWC", "NHW")
        if first in (3, 4):
            return ("CHW", "NHW")
        # (H, W, N), as stacks of slices are kept, where the first two are a square and all three are not.
        return ("NHW", "HWN") if first == second and first > 1 else ("NHW",)
    if len(shape) == 4:
        last, second = shape[3] in (1, 3), shape[1] in (1, 3)
        if last and second and shape[1:] != (1, 1, 1):
            return ("NHWC", "NCHW")
        if shape[2] == 3 and shape[3] == 1:
            return ("HWCN", "NHWC")
        if last:
            return ("NHWC",)
        if second and shape[3] != 4:
            return ("NCHW",)
    if len(shape) == 5:
        found = [axes for axes in ("NDHWC", "NCDHW") if shape[axes.index("C")] in (1, 3)]
        return tuple(found[:1]) if shape[1:] == (1,) * 4 else tuple(found)
    return ()


def channels_last(array: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """Return images of any order of axes as a view (N, H, W, C), volumes as (N, D, H, W, C)."""
    order = [axes.index(axis) for axis in "NDHWC" if axis in axes]
    turned = array.transpose(order)
    if "N" not in axes:
        turned = turned[None]
    return turned if "C" in axes else turned[..., None]
