"""NIfTI files of time, of slopes and of colors, and what is none."""

import nibabel
import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.options import ReadOptions

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
VALUES = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # to left, back and head


def write(path, values, affine=LPS, **header):
    image = nibabel.Nifti1Image(values, affine)
    for name, value in header.items():
        getattr(image.header, name)(*value)
    nibabel.save(image, path)
    return str(path)


def test_slope_and_intercept_are_applied(tmp_path):
    path = write(tmp_path / "a.nii", VALUES, set_slope_inter=(2, -10))
    found = load_images(path, options=ReadOptions(window=(-10, 245)))
    assert np.array_equal(found.items[0, ..., 0], (VALUES * 2).transpose(2, 1, 0))


def test_of_several_times_the_first_is_read_or_all(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.stack([VALUES, VALUES + 30], axis=3))
    first = load_images(path, options=ReadOptions(window=(0, 255)))
    assert np.array_equal(first.items[0, ..., 0], VALUES.transpose(2, 1, 0))
    both = load_images(path, options=ReadOptions(window=(0, 255), frames="all"))
    assert np.array_equal(both.items[1, ..., 0], VALUES.transpose(2, 1, 0) + 30)
    assert both.names == ("a.nii.gz#1", "a.nii.gz#2")


def test_colors_are_channels(tmp_path):
    colors = np.zeros((2, 3, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colors["G"] = VALUES
    found = load_images(write(tmp_path / "a.nii", colors))
    assert found.shape == (3, 4, 3, 2)
    assert np.array_equal(found.items[0, ..., 1], VALUES.transpose(2, 1, 0))


def test_a_file_without_an_orientation_is_told(tmp_path):
    path = write(tmp_path / "a.nii", VALUES, affine=None)
    found = load_images(path, options=ReadOptions(window=(0, 255)))
    assert any("without an orientation" in part for part in found.account.parts())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no scan at all", "not a NIfTI file"),
        (b"", "not a NIfTI file"),
        (b"\x1f\x8b broken", "broken"),
    ],
)
def test_what_is_no_scan_is_refused_by_name(tmp_path, content, reason):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.nii\.gz: {reason}") as caught:
        load_images(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_claim_beyond_reason_takes_no_memory(tmp_path):
    path = write(tmp_path / "a.nii", VALUES)
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(DataError, match="claims to hold"):
        load_images(path)


def test_nan_is_refused(tmp_path):
    values = VALUES.astype(np.float32)
    values[0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"a\.nii: it holds NaN"):
        load_images(write(tmp_path / "a.nii", values), options=ReadOptions(window=(0, 255)))
