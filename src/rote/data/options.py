"""How the images of a source become items: sizes, channels, transparency, turns, frames, value ranges.

Trainers differ in all of these, and a copy that was prepared otherwise than its original is not found.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from rote.core.errors import DataError
from rote.data.messages import shown

Resize = Literal["crop", "squeeze", "pad"]
Alpha = Literal["white", "black", "drop"]
Exif = Literal["apply", "ignore"]
Frames = Literal["first", "all", "volume"]
Range = tuple[float, float]
Slices = tuple[Literal["D", "H", "W"], int | None, int | None]
_CHOICES = {"resize": Resize, "alpha": Alpha, "exif": Exif, "frames": Frames}


@dataclass(frozen=True)
class ReadOptions:
    """How the images of a source are read.

    Attributes
    ----------
    resolution
        Scale to this many pixels a side; None keeps the size.
    channels
        1 (grey) or 3 (RGB): convert all images; None keeps them.
    skip_unreadable
        Leave out files that cannot be read, and count them.
    include, exclude
        Patterns such as ``*.png`` or ``masks/*``: of the files of a folder or an archive only those that
        match one of ``include`` (if there are any) and none of ``exclude`` are read. A pattern
        without "/"
        is of the name, one with "/" of the whole relative path.
    resize
        What becomes of pictures that are not square: their centered square is cut out ("crop"), they are
        squeezed to a square, or black bars are added ("pad").
    alpha
        What lies under transparent pixels: white, black, or the hidden color ("drop").
    exif
        Whether the turn that a camera noted is applied.
    frames
        Of an animation or a file of several pages: the first, or all as items of their own. "volume":
        the pages of a TIFF file are one volume, and its bands are channels.
    window
        (low, high): the values of 16-bit, 32-bit and floating-point pixels that become black and white.
        "percentile" takes those that 0.5 % and 99.5 % of all values lie below. None takes the number of
        bits that a source of 16-bit files uses, and refuses all else.
    axes
        The order of an array's axes, such as "NHWC", "NCHW", "CHW" or "HWN", of volumes "NDHW" or
        "NDHWC"; None tells it by the shape and asks where that can be read in two ways.
    spacing
        Of volumes: millimeters between voxels along depth, height and width that all are brought to; one
        number for all three. None keeps them.
    crop
        Of volumes: voxels along depth, height and width that are kept around the middle; what is
        missing there is black. One number for all three. None keeps all.
    slices
        Of volumes: an axis (D, H or W) with the first and the last slice (exclusive, None: to the end)
        that become images of their own.
    seconds
        Of sound: so long are all clips; what is longer is cut at the end, what is shorter silent there.

    Raises
    ------
    DataError
        If a value is none of these.

    >>> ReadOptions(resize="fit")
    Traceback (most recent call last):
        ...
    rote.core.errors.DataError: `resize` is 'fit'; choose crop, squeeze or pad
    """

    resolution: int | None = None
    channels: int | None = None
    skip_unreadable: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    resize: Resize = "crop"
    alpha: Alpha = "white"
    exif: Exif = "apply"
    frames: Frames = "first"
    window: Range | Literal["percentile"] | None = None
    axes: str | None = None
    spacing: tuple[float, float, float] | None = None
    crop: tuple[int, int, int] | None = None
    slices: Slices | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        resolution, channels = self.resolution, self.channels
        if resolution is not None and not (type(resolution) is int and resolution >= 1):
            raise DataError(f"`resolution` is {resolution!r}; give a whole number of pixels from 1")
        if channels not in (None, 1, 3):
            raise DataError(f"`channels` is {channels!r}; give 1 (grey) or 3 (RGB)")
        for name, choices in _CHOICES.items():
            *first, last = get_args(choices)
            if getattr(self, name) not in (*first, last):
                raise DataError(
                    f"`{name}` is {getattr(self, name)!r}; choose {', '.join(first)} or {last}"
                )
        for name in ("include", "exclude"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, (getattr(self, name),))
        if self.window not in (None, "percentile"):
            object.__setattr__(self, "window", _checked_window(self.window))
        if self.axes is not None:
            axes = str(self.axes).upper()
            if len(set(axes)) != len(axes) or not {"H", "W"} <= set(axes) <= set("NDHWC"):
                raise DataError(
                    f"`axes` is {shown(self.axes)!r}; give the axes of the array in their order, N "
                    "for the items, D for the depth of volumes, H for the height, W for the width and "
                    "C for the channels, such as NHWC, CHW or NDHW"
                )
            object.__setattr__(self, "axes", axes)
        for name in ("spacing", "crop"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _three(getattr(self, name), name))
        if self.seconds is not None:
            object.__setattr__(self, "seconds", _checked_seconds(self.seconds))
        if self.slices is not None:
            object.__setattr__(self, "slices", _checked_slices(self.slices))

    @property
    def of_volumes(self) -> str:
        """The first option given that is for volumes alone, or nothing."""
        names = (name for name in ("spacing", "crop", "slices") if getattr(self, name) is not None)
        return next(names, "")

    @property
    def pixels(self) -> str:
        """What an image becomes depends on these; part of the key of decoded images."""
        ways = (field.name for field in fields(self) if field.name not in ("include", "exclude"))
        return " ".join(f"{name}={getattr(self, name)}" for name in ways)

    def with_window(self, window: Range | None) -> ReadOptions:
        """Return the options for another side of the same audit: with the training side's window.

        >>> ReadOptions(window="percentile").with_window((0, 4095)).window
        (0.0, 4095.0)
        """
        if window is None or self.window not in (None, "percentile"):
            return self
        return replace(self, window=window)


def parse_window(text: str) -> Range | Literal["percentile"]:
    """Read a window as people type it.

    Raises
    ------
    DataError
        If it is neither two numbers nor "percentile".

    >>> parse_window("-1024, 3071")
    (-1024.0, 3071.0)
    """
    return "percentile" if text == "percentile" else _checked_window(re.split(r"[\s,:]+", text))


def parse_three(text: str) -> tuple[str, ...]:
    """Take the numbers of ``spacing`` or ``crop`` apart, as people type them.

    >>> ReadOptions(crop=parse_three("8,16,16")).crop, ReadOptions(spacing=parse_three("1.5")).spacing
    ((8, 16, 16), (1.5, 1.5, 1.5))
    """
    return tuple(re.split(r"[\s,x]+", text.strip()))


def parse_slices(text: str) -> tuple[str | None, ...]:
    """Take ``AXIS:FIRST:LAST`` apart; what is empty is None.

    >>> ReadOptions(slices=parse_slices("d:20:")).slices
    ('D', 20, None)
    """
    return tuple(part.strip() or None for part in text.split(":"))


def _three(value: object, name: str) -> tuple[float, ...]:
    """Return three numbers above 0, whole ones of a crop, given three or one."""
    whole = name == "crop"
    try:
        given = value if isinstance(value, list | tuple) else (value,)
        found = tuple(int(str(one)) if whole else float(one) for one in given)
    except (TypeError, ValueError):
        found = ()
    found = found * 3 if len(found) == 1 else found
    if len(found) != 3 or not all(math.isfinite(one) and one > 0 for one in found):
        what = "whole numbers of voxels" if whole else "numbers of millimeters"
        raise DataError(
            f"`{name}` is {shown(value)}; give three {what} above 0, along depth, height and width, or "
            "one for all"
        )
    return found


def _checked_seconds(value: object) -> float:
    try:
        found = float(cast("Any", value))
    except (TypeError, ValueError):
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise DataError(f"`seconds` is {shown(value)}; give a number above 0, such as 2.5")
    return found


def _checked_slices(value: object) -> Slices:
    """Return an axis and two numbers of slices."""
    axis, first, last = (*cast("Any", value), None, None)[:3] if value else (None, None, None)
    try:
        low, high = (None if end is None else int(end) for end in (first, last))
    except ValueError:
        low, high = -1, -1
    if len(cast("Any", value)) > 3 or str(axis).upper() not in ("D", "H", "W") or (low or 0) < 0:
        axis = None
    if axis is None or (high is not None and high <= (low or 0)):
        raise DataError(
            f"`slices` is {shown(value)}; give an axis (D, H or W) with the first slice and the one "
            "after the last, from 0, such as D:40:60, or D for all"
        )
    return cast("Any", str(axis).upper()), low, high


def with_options(
    options: ReadOptions | None,
    *,
    resolution: int | None,
    channels: int | None,
    skip_unreadable: bool,
) -> ReadOptions:
    """Return the options with those that are given beside them."""
    options = options or ReadOptions()
    return replace(
        options,
        resolution=options.resolution if resolution is None else resolution,
        channels=options.channels if channels is None else channels,
        skip_unreadable=options.skip_unreadable or skip_unreadable,
    )


def _checked_window(window: object) -> Range:
    try:
        low, high = (float(value) for value in cast("Any", window))
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        given = " ".join(map(str, window)) if isinstance(window, list | tuple) else window
        raise DataError(
            f"`window` is {shown(given)}; give the two values that become black and white, the smaller "
            "first, or 'percentile'"
        )
    return low, high
