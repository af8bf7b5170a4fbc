"""One volume on its way to an item: values (D, H, W, C), turned as all others are.

The axes are those of an axial slice of a scanner as it is looked at: D from the feet to the head, H from
the front to the back, W from the patient's right to the left. So files of one scan that lie differently
become the same item. What has no place in space, such as a TIFF stack, stays as it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.files.decode import UnreadableImageError
from rote.data.options import ReadOptions

MOST_BYTES = 2**32
"""Of one file, and of the values that it claims to hold."""
_AXES = ("D", "H", "W")

Values = npt.NDArray[Any]
Spacing = tuple[float, float, float]
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Volumes:
    """What one file, or one series of files, holds, before its values are read.

    Attributes
    ----------
    names
        Of each volume; untrusted text.
    files
        Positions of the files among those of the source, the first names it.
    shape
        (D, H, W, C) of each volume, turned.
    spacing
        Millimeters between voxels along D, H and W; None where they are not known.
    read
        Gives the values of each volume, turned.
    patient
        Whose they are, where files tell.
    facts
        What was special, as `rote.data.volumes.told` says it.
    unread
        Further volumes of these files that were not asked for.
    """

    names: tuple[str, ...]
    files: tuple[int, ...]
    shape: Shape
    spacing: Spacing | None
    read: Callable[[], Iterator[Values]]
    patient: str = ""
    facts: tuple[str, ...] = ()
    unread: int = 0


def needs(package: str) -> DataError:
    """Return the error where what reads a format is not installed."""
    return DataError(
        f"this source needs {package} to be read; pip install 'rote-memorization[medical]'"
    )


def check_claim(shape: tuple[int, ...], item_bytes: int) -> None:
    """Refuse a file that claims more values than any honest one has, before memory is taken.

    Raises
    ------
    UnreadableImageError
        If it does, or if it claims none.
    """
    size = item_bytes
    for side in shape:
        size *= int(side)
    if size > MOST_BYTES:
        raise UnreadableImageError(f"it claims to hold {size / 2**30:.1f} GiB, more than are read")
    if size <= 0:
        raise UnreadableImageError(f"it holds no values (shape {tuple(map(int, shape))})")


def turn_of(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return nibabel's orientation that turns voxels of an affine (to right, front, head) our way.

    Raises
    ------
    UnreadableImageError
        If the affine gives no directions.
    """
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    try:
        own = io_orientation(affine)
    except Exception as error:  # noqa: BLE001 - of linear algebra: NaN, or no convergence
        raise UnreadableImageError(f"its orientation is broken: {error}") from None
    if np.isnan(own).any():
        raise UnreadableImageError("its orientation is broken: an axis has no direction")
    return ornt_transform(own, axcodes2ornt(("S", "P", "L")))


def turned(values: Values, turn: npt.NDArray[np.float64]) -> Values:
    """Return values (three axes, ...) turned; a view."""
    from nibabel.orientations import apply_orientation

    return np.asarray(apply_orientation(values, turn))


def turned_sizes(sizes: tuple[Any, ...], turn: npt.NDArray[np.float64]) -> tuple[Any, ...]:
    """Return what belongs to each of three axes in the order of the turned ones."""
    found: list[Any] = [None] * 3
    for own, (axis, _) in enumerate(turn):
        found[int(axis)] = sizes[own]
    return tuple(found)


def scaled(values: Values, slope: float, intercept: float) -> Values:
    """Return slope * values + intercept: exact in int32 where all are whole, else float32.

    >>> scaled(np.array([0, 1024], np.uint16), 1.0, -1024.0).tolist()
    [-1024, 0]
    """
    if slope == 1 and intercept == 0:
        return values
    whole = values.dtype.kind in "iu" and values.dtype.itemsize <= 2
    if whole and slope == int(slope) and intercept == int(intercept) and abs(slope) < 2**14:
        return values.astype(np.int32) * int(slope) + int(intercept)
    return (values.astype(np.float64) * slope + intercept).astype(np.float32)


def form_of(volumes: Volumes, options: ReadOptions) -> tuple[int, ...]:
    """Return the shape of a volume under the options: (D, H, W, C), before slices are taken.

    Raises
    ------
    UnreadableImageError
        If a spacing is asked for and the file has none.
    """
    sizes: tuple[int, ...] = volumes.shape[:3]
    if options.spacing is not None and max(sizes) > 1:
        if volumes.spacing is None:
            raise UnreadableImageError("it does not say how far its voxels lie apart (`spacing`)")
        sizes = tuple(
            _resampled(size, own, wanted)
            for size, own, wanted in zip(sizes, volumes.spacing, options.spacing, strict=True)
        )
    if options.crop is not None:
        sizes = options.crop
    return (*sizes, volumes.shape[3])


def _resampled(size: int, own: float, wanted: float) -> int:
    return 1 if size == 1 else max(1, round(size * own / wanted))


def resampled(values: Values, volumes: Volumes, options: ReadOptions) -> Values:
    """Return values (D, H, W, C) at the spacing that is asked for, linear between voxels."""
    if options.spacing is None or volumes.spacing is None:
        return values
    sizes = form_of(volumes, ReadOptions(spacing=options.spacing))[:3]
    if sizes == values.shape[:3]:
        return values
    from scipy.ndimage import zoom

    factors = [new / old for new, old in zip(sizes, values.shape[:3], strict=True)]
    single = values.astype(np.float32)
    return np.asarray(zoom(single, (*factors, 1), order=1, mode="nearest", grid_mode=True))


def cropped(values: npt.NDArray[np.uint8], crop: tuple[int, ...] | None) -> npt.NDArray[np.uint8]:
    """Return the middle of a volume (D, H, W, C), black where there is none of it.

    >>> cropped(np.full((1, 2, 4, 1), 9, np.uint8), (1, 4, 2))[0, :, :, 0].tolist()
    [[0, 0], [9, 9], [9, 9], [0, 0]]
    """
    if crop is None or crop == values.shape[:3]:
        return values
    found = np.zeros((*crop, values.shape[3]), np.uint8)
    ours, theirs = [], []
    for new, old in zip(crop, values.shape[:3], strict=True):
        kept = min(new, old)
        ours.append(slice((new - kept) // 2, (new - kept) // 2 + kept))
        theirs.append(slice((old - kept) // 2, (old - kept) // 2 + kept))
    found[tuple(ours)] = values[tuple(theirs)]
    return found


def sliced(values: npt.NDArray[np.uint8], options: ReadOptions) -> npt.NDArray[np.uint8]:
    """Return the slices of a volume (D, H, W, C) that are asked for, as images (n, H, W, C)."""
    assert options.slices is not None
    axis, first, last = options.slices
    return np.moveaxis(values, _AXES.index(axis), 0)[first:last]


def slice_numbers(form: tuple[int, ...], options: ReadOptions) -> range:
    """Return which slices of a volume (D, H, W, C) are asked for."""
    assert options.slices is not None
    axis, first, last = options.slices
    return range(form[_AXES.index(axis)])[first:last]
