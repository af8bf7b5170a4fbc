"""Small scans of known content, written in every form in which people keep them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SIZE = (6, 10, 8)
SPACING = (3.0, 1.5, 2.0)
WINDOW = (0.0, 4095.0)


def phantoms(count: int, *, seed: int = 0) -> np.ndarray:
    """Return scans (N, D, H, W) of 12 bits, to head, back and left: smooth, no two alike."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0, 4095, (count, 3, 4, 3))
    from scipy.ndimage import zoom

    fine = zoom(coarse, (1, *(n / c for n, c in zip(SIZE, (3, 4, 3), strict=True))), order=1)
    return np.clip(fine + generator.normal(0, 90, fine.shape), 0, 4095).astype(np.uint16)


def eight_bit(scans: np.ndarray) -> np.ndarray:
    """Return scans through `WINDOW`, (N, D, H, W, 1), by integers: the oracle."""
    return ((scans.astype(np.int64) * 510 + 4095) // 8190).astype(np.uint8)[..., None]


def write_nifti(folder: Path, scans: np.ndarray, *, flipped: bool = False) -> Path:
    """Write scans as `.nii.gz`, axes to the right, front and head; or with two of them the other way."""
    folder.mkdir(parents=True)
    for number, scan in enumerate(scans):
        values = scan.transpose(2, 1, 0)[::-1, ::-1]  # L, P, S -> R, A, S
        signs = (1, 1, 1)
        if flipped:
            values, signs = values[::-1, :, ::-1], (-1, 1, -1)
        affine = np.diag([*(s * d for s, d in zip(signs, SPACING[::-1], strict=True)), 1.0])
        image = nibabel.Nifti1Image(values.astype(np.int16), affine)
        nibabel.save(image, folder / f"scan{number:02}.nii.gz")
    return folder


def write_dicom(
    folder: Path,
    scans: np.ndarray,
    *,
    suffix: str = ".dcm",
    shuffled: bool = False,
    inverted: bool = False,
    slope: float = 1.0,
) -> Path:
    """Write scans as series of one file a slice; shuffled: names and numbers tell no order."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True)
    for number, scan in enumerate(scans):
        order = generator.permutation(len(scan)) if shuffled else np.arange(len(scan))
        for depth, place in enumerate(order):
            stored = 4095 - scan[depth] if inverted else scan[depth]
            found = _slice(stored, number, depth, int(place))
            found.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
            found.RescaleSlope, found.RescaleIntercept = slope, 0
            found.save_as(folder / f"p{number:02}_{place:03}{suffix}", enforce_file_format=True)
    return folder


def _slice(stored: np.ndarray, number: int, depth: int, place: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}.{depth + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    found.PatientID, found.Modality = f"patient {number}", "CT"
    found.StudyInstanceUID, found.SeriesInstanceUID = "1.2.3", f"1.2.3.{number + 1}"
    found.InstanceNumber = place + 1
    found.ImagePositionPatient = [-7.0, -6.0, 40.0 + SPACING[0] * depth]
    found.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    found.PixelSpacing, found.SliceThickness = list(SPACING[1:]), SPACING[0]
    found.Rows, found.Columns, found.SamplesPerPixel = *stored.shape, 1
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    found.PixelData = np.ascontiguousarray(stored.astype("<u2")).tobytes()
    return found


def read_back(path: Path) -> pydicom.Dataset:
    """Return a file that was written here, to be changed."""
    return pydicom.dcmread(path)
