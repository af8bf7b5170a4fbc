"""NIfTI files, `.nii` and `.nii.gz`: read by nibabel, never unpacked beyond what they claim."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.faults import stop_if_machine_fails
from rote.data.options import ReadOptions
from rote.data.volumes.volume import (
    MOST_BYTES,
    Values,
    Volumes,
    check_claim,
    needs,
    scaled,
    turn_of,
    turned,
    turned_sizes,
)

_HEADER = 2**20
"""Bytes that hold any header, with the extensions that people put behind it."""
_GZIP = b"\x1f\x8b"


def plan_nifti(entry: Entry, content: bytes, position: int, options: ReadOptions) -> Volumes:
    """Return what a file holds, given its content and its position among the source's files.

    Raises
    ------
    UnreadableImageError
        If it is no NIfTI file, or holds no volumes of numbers or colors.
    """
    image = _opened(_unpacked(content, _HEADER))
    sizes = [int(side) for side in image.header.get_data_shape()]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > 4 or len(sizes) < 2:
        raise UnreadableImageError(f"it has {len(sizes)} dimensions; 3, or 4 with time, are read")
    sizes += [1] * (3 - len(sizes))
    times = sizes[3] if len(sizes) == 4 else 1
    dtype = image.header.get_data_dtype()
    check_claim(tuple(sizes), dtype.itemsize)
    color = dtype.names is not None
    if dtype.kind == "c" or (color and dtype.names[:3] != ("R", "G", "B")):
        raise UnreadableImageError(f"its values are {dtype}; numbers or colors are read")
    placed = int(image.header["qform_code"]) > 0 or int(image.header["sform_code"]) > 0
    turn = turn_of(np.asarray(image.affine, np.float64))
    zooms = tuple(abs(float(zoom)) for zoom in image.header.get_zooms()[:3])
    spacing = turned_sizes((*zooms, 1.0, 1.0)[:3], turn)
    depth, height, width = turned_sizes(tuple(sizes[:3]), turn)
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    taken = times if options.frames == "all" else 1
    names: tuple[str, ...] = (entry.name,)
    if taken > 1:
        names = tuple(f"{entry.name}#{n + 1}" for n in range(times))

    def read() -> Iterator[Values]:
        values = _values(content_of(entry)).reshape(*sizes[:3], times)
        for time in range(taken):
            found = turned(values[..., time], turn)
            if color:
                yield np.stack([found[name] for name in "RGB"], axis=-1)
            else:
                yield scaled(found, slope, intercept)[..., None]

    return Volumes(
        names=names,
        files=(position,),
        shape=(depth, height, width, 3 if color else 1),
        spacing=spacing if all(side > 0 for side in spacing) else None,
        read=read,
        facts=() if placed else ("unplaced",),
        unread=times - taken,
    )


def content_of(entry: Entry) -> bytes:
    """Return the bytes of a file; a volume may be larger than an image."""
    return entry.stored(most=MOST_BYTES)


def _opened(content: bytes) -> Any:
    try:
        import nibabel
    except ImportError:
        raise needs("nibabel") from None
    kinds = (nibabel.Nifti1Image, nibabel.Nifti2Image)
    for kind in kinds:
        try:
            return kind.from_bytes(content)
        except Exception as error:  # noqa: BLE001 - nibabel answers broken headers with many of them
            stop_if_machine_fails(error)
            reason = error
    raise UnreadableImageError(f"not a NIfTI file: {reason}")


def _unpacked(content: bytes, most: int) -> bytes:
    """Return at most so many bytes of a file, unpacked where it is gzip."""
    if not content.startswith(_GZIP):
        return content[:most]
    try:
        return zlib.decompressobj(wbits=31).decompress(content, most)
    except zlib.error as error:
        raise UnreadableImageError(f"broken: {error}") from None


def _values(content: bytes) -> Values:
    """Return the numbers of a file as they are stored, all of its dimensions."""
    image = _opened(_unpacked(content, _HEADER))
    size = int(image.dataobj.offset) + image.header.get_data_dtype().itemsize * int(
        np.prod(image.header.get_data_shape(), dtype=np.int64)
    )
    image = _opened(_unpacked(content, size))
    try:
        values = np.asarray(image.dataobj.get_unscaled())
    except Exception as error:  # noqa: BLE001 - cut files: of nibabel, numpy and the system
        stop_if_machine_fails(error)
        raise UnreadableImageError(f"broken: {error}") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnreadableImageError("it holds NaN or infinity")
    return values
