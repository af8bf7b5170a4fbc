"""DICOM files that are no plain series: said, split or refused."""

import numpy as np
import pydicom
import pytest
from phantoms import WINDOW, eight_bit, phantoms, write_dicom

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.options import ReadOptions

SCANS = phantoms(2)


def changed(folder, change):
    for number, path in enumerate(sorted(folder.iterdir())):
        found = pydicom.dcmread(path)
        change(found, number)
        found.save_as(path)
    return folder


def load(path, **options):
    return load_images(str(path), options=ReadOptions(window=WINDOW, **options))


def test_slices_without_positions_come_in_the_order_of_their_numbers(tmp_path):
    def change(found, number):
        found.InstanceNumber = 100 - number
        del found.ImagePositionPatient

    found = load(changed(write_dicom(tmp_path / "s", SCANS), change))
    assert np.array_equal(found.items, eight_bit(SCANS)[:, ::-1])
    assert any("without positions" in part for part in found.account.parts())


def test_several_times_are_several_volumes(tmp_path):
    def change(found, number):
        found.SeriesInstanceUID, found.PatientID = "1.2.3.1", "one"
        found.AcquisitionNumber = 2 - number // 6

    path = changed(write_dicom(tmp_path / "s", SCANS), change)
    assert np.array_equal(load(path).items, eight_bit(SCANS)[1:])
    assert any("of several volumes (1 after" in part for part in load(path).account.parts())
    assert np.array_equal(load(path, frames="all").items, eight_bit(SCANS)[::-1])


def test_a_series_with_a_slice_twice_is_refused(tmp_path):
    path = write_dicom(tmp_path / "s", SCANS)
    (path / "twice.dcm").write_bytes((path / "p00_002.dcm").read_bytes())
    with pytest.raises(DataError, match="1 slices at some positions and 2 at others"):
        load(path)


def test_a_missing_slice_is_said(tmp_path):
    path = write_dicom(tmp_path / "s", SCANS[:1])
    (path / "p00_002.dcm").unlink()
    assert any("unevenly apart" in part for part in load(path).account.parts())


def test_a_turned_acquisition_is_turned_back(tmp_path):
    """The same scan cut from the front to the back, its rows from the head to the feet."""
    coronal = np.ascontiguousarray(SCANS[:1].transpose(0, 2, 1, 3)[:, :, ::-1])

    def change(found, number):
        found.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        found.ImagePositionPatient = [0, 1.5 * number, 0]
        found.PixelSpacing = [3, 2]

    found = load(changed(write_dicom(tmp_path / "s", coronal), change))
    assert np.array_equal(found.items, eight_bit(SCANS[:1]))


def test_single_slices_are_images_and_reports_are_left_out(tmp_path):
    path = write_dicom(tmp_path / "s", SCANS[:, :1])
    report = pydicom.dcmread(path / "p00_000.dcm")
    del report.PixelData
    report.Modality = "SR"
    report.save_as(path / "report.dcm")
    found = load(path)
    assert found.kind == "image"
    assert np.array_equal(found.items, eight_bit(SCANS)[:, 0])
    assert found.account.parts()[0] == (
        "1 of 3 files not read: .dcm (1, DICOM without pixels (SR), such as report.dcm)"
    )
