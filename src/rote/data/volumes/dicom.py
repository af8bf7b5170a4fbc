"""DICOM files: their headers, and the values of their pixels, read by pydicom.

Slope, intercept and tables of values are applied. What is stored the other way round (MONOCHROME1: the
largest number is black) is turned back before that, in the range of its bits, so that a file holds the
same values as its twin that is not.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from rote.core.errors import first_line
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.faults import stop_if_machine_fails
from rote.data.volumes.nifti import content_of
from rote.data.volumes.volume import Values, check_claim, needs

_DIGITS = 3
"""Of directions, within which two slices lie alike."""


class NoPixelsError(UnreadableImageError):
    """A DICOM file that holds no picture: an index, a report, a structure set."""


@dataclass(frozen=True)
class Picture:
    """One file, or one frame of a file, before its pixels are decoded.

    Attributes
    ----------
    entry, position, frame
        Where it lies: the file, its position among those of the source, its frame.
    series
        What it shares with the other slices of its volume.
    place
        Position in the patient (mm, to left, back and head); None where it is not told.
    directions
        Of a row and of a column in the patient, six numbers; None where they are not told.
    step
        Millimeters between rows and between columns, and from slice to slice; None: not told.
    order
        What tells the order where no position does.
    form
        (rows, columns, channels).
    """

    entry: Entry
    position: int
    frame: int
    series: tuple[Any, ...]
    place: tuple[float, ...] | None
    directions: tuple[float, ...] | None
    step: tuple[float | None, float | None, float | None]
    order: tuple[int, ...]
    form: tuple[int, int, int]
    patient: str
    modality: str
    inverted: bool


def pictures_of(entry: Entry, content: bytes, position: int) -> list[Picture]:
    """Return the frames of a file, given its content and its position among the source's files.

    Raises
    ------
    NoPixelsError
        If it holds no picture.
    UnreadableImageError
        If it is no DICOM file or is damaged.
    """
    found = _read(content)
    if "FloatPixelData" not in found and "DoubleFloatPixelData" not in found:
        if "DirectoryRecordSequence" in found:
            raise NoPixelsError("an index of DICOM files")
        if "PixelData" not in found and "SOPClassUID" not in found:
            raise UnreadableImageError("not a DICOM file")
        if "PixelData" not in found:
            raise NoPixelsError(f"DICOM without pixels{_told(found, 'Modality')}")
    rows, columns, channels = (
        int(_number(found, name, other))
        for name, other in (("Rows", 0), ("Columns", 0), ("SamplesPerPixel", 1))
    )
    if str(found.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
        channels = 3
    frames = int(_number(found, "NumberOfFrames", 1))
    check_claim(
        (frames, rows, columns, channels), max(1, int(_number(found, "BitsAllocated", 8)) // 8)
    )
    shared = _first(found.get("SharedFunctionalGroupsSequence"))
    each = found.get("PerFrameFunctionalGroupsSequence") or []
    series = tuple(
        str(found.get(name, ""))
        for name in (
            "PatientID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "PhotometricInterpretation",
        )
    )
    pictures = []
    for frame in range(frames):
        groups = [each[frame]] if frame < len(each) else []
        place = _numbers(
            _within(groups, shared, found, "PlanePositionSequence", "ImagePositionPatient"), 3
        )
        directions = _numbers(
            _within(groups, shared, found, "PlaneOrientationSequence", "ImageOrientationPatient"), 6
        )
        gaps = _numbers(_within(groups, shared, found, "PixelMeasuresSequence", "PixelSpacing"), 2)
        thick = _numbers(
            [_within(groups, shared, found, "PixelMeasuresSequence", "SliceThickness")], 1
        )
        if frames > 1 and not groups:
            place = None  # of the first frame alone
        pictures.append(
            Picture(
                entry=entry,
                position=position,
                frame=frame,
                series=(*series, rows, columns, channels, _rounded(directions)),
                place=place,
                directions=directions,
                step=(*(gaps or (None, None)), thick[0] if thick else None),
                order=(
                    int(_number(found, "AcquisitionNumber", 0)),
                    int(_number(found, "InstanceNumber", 0)),
                    position,
                    frame,
                ),
                form=(rows, columns, channels),
                patient=str(found.get("PatientID", "") or ""),
                modality=str(found.get("Modality", "") or ""),
                inverted=series[3] == "MONOCHROME1",
            )
        )
    return pictures


def stacked(pictures: Sequence[Picture]) -> Values:
    """Return the values (D, H, W, C) of slices; each file is decoded once where its frames follow.

    Raises
    ------
    UnreadableImageError
        If one cannot be decoded; it is named.
    """
    found: list[Values] = []
    for _, group in groupby(pictures, key=lambda one: one.position):
        frames = list(group)
        try:
            decoded = _decoded(frames[0])
        except UnreadableImageError as error:
            if len(frames) == len(pictures):
                raise
            raise UnreadableImageError(f"{frames[0].entry.name}: {error}") from None
        found += [decoded[one.frame] for one in frames]
    return np.stack(found)


def _decoded(picture: Picture) -> Values:
    """Return the values of all frames of a file, (frames, H, W, C)."""
    try:
        from pydicom.pixels.processing import apply_modality_lut
        from pydicom.pixels.utils import pixel_array
    except ImportError:
        raise needs("pydicom") from None
    found = _read(content_of(picture.entry))
    try:
        values = np.asarray(pixel_array(found))
        if picture.inverted:
            bits, signed = int(found.BitsStored), bool(found.PixelRepresentation)
            values = (-1 if signed else 2**bits - 1) - values.astype(np.int64)
        if str(found.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
            values = _colors(values, found)
        elif picture.form[2] == 1:
            values = _small(apply_modality_lut(values, found))
    except UnreadableImageError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders answer broken bytes with nearly all of them
        stop_if_machine_fails(error)
        raise UnreadableImageError(f"broken: {first_line(error)}") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnreadableImageError("it holds NaN or infinity")
    return values.reshape(-1, *picture.form)


def _colors(values: Values, found: Any) -> Values:
    from pydicom.pixels.processing import apply_color_lut

    colors = np.asarray(apply_color_lut(values, found))[..., :3]
    return colors if colors.dtype == np.uint8 else (colors >> 8).astype(np.uint8)


def _small(values: Values) -> Values:
    """Return values of float64 as they fit: whole ones in int32, others in float32."""
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 4:
        return values
    whole = bool((values == np.rint(values)).all()) and bool((np.abs(values) < 2**31).all())
    return values.astype(np.int32 if whole else np.float32)


def _read(content: bytes) -> Any:
    try:
        import pydicom
    except ImportError:
        raise needs("pydicom") from None
    try:
        return pydicom.dcmread(io.BytesIO(content), force=True)
    except Exception as error:  # noqa: BLE001 - as in `_decoded`
        stop_if_machine_fails(error)
        raise UnreadableImageError(f"not a DICOM file, or broken: {first_line(error)}") from None


def _told(found: Any, name: str) -> str:
    value = str(found.get(name, "") or "")
    return f" ({value})" if value else ""


def _number(found: Any, name: str, other: int) -> float:
    value = found.get(name)
    try:
        return float(other if value in (None, "") else value)
    except (TypeError, ValueError):
        raise UnreadableImageError(f"broken: its {name} is no number") from None


def _first(sequence: Any) -> list[Any]:
    return [sequence[0]] if sequence else []


def _within(groups: list[Any], shared: list[Any], found: Any, sequence: str, name: str) -> Any:
    """Return a value of a frame: its own, one that all frames share, or that of the file."""
    for holder in (*groups, *shared):
        for item in _first(holder.get(sequence)):
            if name in item:
                return item.get(name)
    return found.get(name)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None


def _rounded(numbers: tuple[float, ...] | None) -> tuple[float, ...] | None:
    return None if numbers is None else tuple(round(one, _DIGITS) for one in numbers)
