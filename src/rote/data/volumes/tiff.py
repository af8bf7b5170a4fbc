"""TIFF files as volumes: pages become depth, bands become channels; read by tifffile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.faults import stop_if_machine_fails
from rote.data.volumes.nifti import content_of
from rote.data.volumes.volume import Values, Volumes, check_claim, needs

_DEPTH, _CHANNELS = "ZQI", "SC"
"""What tifffile calls axes of pages, and of bands."""


def plan_tiff(entry: Entry, content: bytes, position: int) -> Volumes:
    """Return what a file holds: a stack of pages, or one page of several bands.

    Raises
    ------
    UnreadableImageError
        If it is no TIFF file, or has pages of several forms, or a time.
    """
    shape, axes, dtype = _form(content)
    depth = [axis for axis in axes if axis in _DEPTH]
    bands = [axis for axis in axes if axis in _CHANNELS]
    others = set(axes) - {"Y", "X", *depth, *bands}
    if others or len(depth) > 1 or len(bands) > 1 or not {"Y", "X"} <= set(axes):
        raise UnreadableImageError(
            f"its axes are {axes} (of {'x'.join(map(str, shape))}); pages, rows, columns and bands "
            "are read"
        )
    check_claim(shape, dtype.itemsize)
    if dtype.kind not in "uif":
        raise UnreadableImageError(f"its values are {dtype}; numbers are read")
    size = dict(zip(axes, shape, strict=True))
    order = [axes.index(axis) for axis in (*depth, "Y", "X", *bands)]
    form = (
        size[depth[0]] if depth else 1,
        size["Y"],
        size["X"],
        size[bands[0]] if bands else 1,
    )

    def read() -> Iterator[Values]:
        values = _values(content_of(entry))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UnreadableImageError("it holds NaN or infinity")
        yield values.transpose(order).reshape(form)

    return Volumes((entry.name,), (position,), form, None, read)


def _form(content: bytes) -> tuple[tuple[int, ...], str, np.dtype[Any]]:
    """Return the shape, the axes and the type of the one series of a file."""

    def form(file: Any) -> tuple[tuple[int, ...], str, np.dtype[Any]]:
        series = file.series
        if len(series) != 1:
            raise UnreadableImageError(
                f"it holds pages of {len(series)} forms; pages of one form are read"
            )
        return tuple(series[0].shape), str(series[0].axes), np.dtype(series[0].dtype)

    return _of(content, form)


def _values(content: bytes) -> Values:
    return np.asarray(_of(content, lambda file: file.series[0].asarray()))


def _of(content: bytes, what: Any) -> Any:
    try:
        import tifffile
    except ImportError:
        raise needs("tifffile") from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            return what(file)
    except UnreadableImageError:
        raise
    except Exception as error:  # noqa: BLE001 - tifffile and its codecs answer with many of them
        stop_if_machine_fails(error)
        raise UnreadableImageError(f"broken: {error or type(error).__name__}") from None
