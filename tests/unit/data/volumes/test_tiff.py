"""TIFF stacks and images of many bands, where they are asked for as volumes."""

import numpy as np
import pytest
import tifffile

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.options import ReadOptions

STACK = np.random.default_rng(0).integers(0, 256, (4, 6, 5), np.uint8)


def test_pages_are_depth(tmp_path):
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", STACK + number, photometric="minisblack")
    found = load_images(str(tmp_path), options=ReadOptions(frames="volume"))
    assert found.shape == (1, 4, 6, 5)
    assert np.array_equal(found.items[1, ..., 0], STACK + 1)
    assert load_images(str(tmp_path)).kind == "image"  # the first pages, where nothing is asked


def test_bands_are_channels(tmp_path):
    bands = STACK.transpose(1, 2, 0)
    path = tmp_path / "bands.tif"
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="contig")
    found = load_images(str(path), options=ReadOptions(frames="volume"))
    assert found.items.shape == (1, 1, 6, 5, 4)
    assert np.array_equal(found.items[0, 0], bands)


def test_pages_of_several_forms_and_broken_files_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(STACK[0])
        file.write(STACK[0, :3])
    with pytest.raises(DataError, match=r"a\.tif: it holds pages of 2 forms"):
        load_images(str(tmp_path), options=ReadOptions(frames="volume"))
    (tmp_path / "a.tif").write_bytes(b"II*\0 broken")
    with pytest.raises(DataError, match=r"a\.tif: "):
        load_images(str(tmp_path), options=ReadOptions(frames="volume"))


def test_a_spacing_needs_files_that_tell_theirs(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack")
    with pytest.raises(DataError, match=r"a\.tif: .*`spacing`"):
        load_images(str(tmp_path), options=ReadOptions(frames="volume", spacing=2.0))
