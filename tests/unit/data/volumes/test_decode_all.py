"""Scans in every form in which people keep them become the same items, or are refused in one line."""

import gzip

import numpy as np
import pytest
from phantoms import SIZE, WINDOW, eight_bit, phantoms, write_dicom, write_nifti

from rote.core.errors import DataError
from rote.data.files import decoded_cache
from rote.data.load import load_images
from rote.data.options import ReadOptions

SCANS = phantoms(3)
ASKED = ReadOptions(window=WINDOW)


def load(path, **options):
    return load_images(str(path), options=ReadOptions(**({"window": WINDOW} | options)))


@pytest.mark.parametrize(
    "write",
    [
        write_nifti,
        lambda at, scans: write_nifti(at, scans, flipped=True),
        write_dicom,
        lambda at, scans: write_dicom(at, scans, suffix=""),
        lambda at, scans: write_dicom(at, scans, shuffled=True),
        lambda at, scans: write_dicom(at, scans, inverted=True),
    ],
    ids=["nifti", "nifti flipped", "dicom", "no suffix", "shuffled", "MONOCHROME1"],
)
def test_every_form_gives_the_values_by_integers(tmp_path, write):
    found = load(write(tmp_path / "scans", SCANS))
    assert found.kind == "volume"
    assert found.shape == (1, *SIZE)
    assert np.array_equal(found.items, eight_bit(SCANS))


def test_an_array_of_volumes_is_the_same_set(tmp_path):
    np.savez(tmp_path / "scans.npz", volumes=SCANS)
    assert load(tmp_path / "scans.npz").digest == load(write_nifti(tmp_path / "n", SCANS)).digest
    by_axes = load_images(
        SCANS.transpose(0, 2, 3, 1), options=ReadOptions(window=WINDOW, axes="NHWD")
    )
    assert np.array_equal(by_axes.items, eight_bit(SCANS))


def test_patients_are_groups(tmp_path):
    found = load(write_dicom(tmp_path / "scans", SCANS))
    assert found.groups == ("patient 0", "patient 1", "patient 2")
    assert load(write_nifti(tmp_path / "n", SCANS)).groups is None


def test_slices_are_images_that_keep_the_patient(tmp_path):
    found = load(write_dicom(tmp_path / "scans", SCANS), slices=("H", 2, 4))
    assert found.kind == "image"
    assert np.array_equal(
        found.items, eight_bit(SCANS)[:, :, 2:4].swapaxes(1, 2).reshape(6, 6, 8, 1)
    )
    assert found.groups == tuple(f"patient {n}" for n in (0, 0, 1, 1, 2, 2))
    assert found.names[:2] == ("p00_000.dcm#H2", "p00_000.dcm#H3")
    apart = load(write_nifti(tmp_path / "n", SCANS), slices=("H", 2, 4))
    volumes = [f"{tmp_path}/n/{name.rpartition('#')[0]}" for name in apart.names]
    assert list(apart.groups) == volumes and len(set(volumes)) == 3
    with pytest.raises(DataError, match=f"its {SIZE[1]} slices along H end before `slices`"):
        load(tmp_path / "scans", slices=("H", 99, None))


def test_a_crop_keeps_the_middle_and_pads_with_black(tmp_path):
    found = load(write_nifti(tmp_path / "n", SCANS), crop=(4, 10, 10)).items
    assert np.array_equal(found[:, :, :, 1:9], eight_bit(SCANS)[:, 1:5])
    assert not found[:, :, :, [0, 9]].any()


def test_a_spacing_brings_voxels_to_so_many_millimeters(tmp_path):
    ramp = np.broadcast_to(np.arange(8, dtype=np.uint16) * 500, (1, *SIZE))
    found = load(write_nifti(tmp_path / "n", ramp), spacing=(3, 1.5, 1))  # 2 mm from right to left
    assert found.shape == (1, 6, 10, 16)
    inner = found.items[0, 0, 0, 1:-1, 0].astype(float)
    steps = (
        np.arange(1, 15) * 250 - 125
    )  # a voxel of 1 mm lies a quarter of the old step off its center
    assert np.abs(inner - steps * 255 / 4095).max() <= 0.51


def test_the_window_of_the_whole_source_is_told(tmp_path):
    found = load(write_nifti(tmp_path / "n", SCANS), window="percentile")
    low, high = found.window
    assert np.mean(low > SCANS) <= 0.005
    assert np.mean(high < SCANS) <= 0.005
    assert "black" in found.account.parts()[0]


def test_without_a_window_deep_values_are_refused_with_their_range(tmp_path):
    path = write_dicom(tmp_path / "scans", SCANS)
    with pytest.raises(DataError, match=r"p00_000.dcm holds \w+ values from .*`window`"):
        load_images(str(path))


def test_sizes_that_differ_ask_for_a_crop(tmp_path):
    path = write_nifti(tmp_path / "n", SCANS)
    write_nifti(tmp_path / "n" / "more", SCANS[:2, 1:])
    with pytest.raises(DataError, match=r"6x10x8 \(3, such as .*5x10x8 \(2, .*`crop` 6,10,8"):
        load(path)


def test_a_broken_file_is_named_or_left_out(tmp_path):
    path = write_nifti(tmp_path / "n", SCANS)
    whole = (path / "scan01.nii.gz").read_bytes()
    (path / "scan01.nii.gz").write_bytes(gzip.compress(gzip.decompress(whole)[:700]))
    with pytest.raises(DataError, match=r"1 of 3 volumes cannot be read \(scan01.nii.gz: broken"):
        load(path)
    found = load(path, skip_unreadable=True)
    assert found.unreadable == ("scan01.nii.gz",)
    assert np.array_equal(found.items, eight_bit(SCANS)[[0, 2]])


@pytest.mark.parametrize("option", [{"resolution": 8}, {"channels": 3}])
def test_options_of_images_are_refused(tmp_path, option):
    with pytest.raises(DataError, match=rf"`{next(iter(option))}` is for images"):
        load(write_nifti(tmp_path / "n", SCANS), **option)


def test_what_was_decoded_is_kept_with_its_names_and_patients(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "scans", SCANS)
    monkeypatch.setattr(decoded_cache, "CACHE_BYTES", 1)
    first = load_images(str(path), options=ASKED, decoded=tmp_path / "kept")
    monkeypatch.setattr("rote.data.load.decode_volumes", None)  # not called again
    again = decoded_cache.kept_entries(tmp_path / "kept")
    assert [entry.images for entry in again] == [3]
    monkeypatch.setattr(
        "rote.data.load.decode_volumes", lambda *a, **k: pytest.fail("decoded twice")
    )
    kept = load_images(str(path), options=ASKED, decoded=tmp_path / "kept")
    assert (kept.digest, kept.names, kept.groups) == (first.digest, first.names, first.groups)
    assert kept.window == first.window == WINDOW
