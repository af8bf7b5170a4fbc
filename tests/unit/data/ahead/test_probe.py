"""Sizes are seen without decoding; what is no folder or archive of images is left to the loader."""

from contextlib import ExitStack

import numpy as np
from PIL import Image

from rote.data.ahead.probe import probe
from rote.data.options import ReadOptions


def test_the_sizes_of_a_folder_and_the_time_of_a_file(tmp_path):
    for number, (width, height) in enumerate([(6, 4), (6, 4), (5, 5)]):
        Image.fromarray(np.full((height, width, 3), number, np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(tmp_path / "3.jpg", exif=turned)
    found = probe(str(tmp_path), ReadOptions(), opened=ExitStack(), timed=True)
    assert found is not None
    assert (found.files, found.looked_at, found.channels) == (4, 4, 3)
    assert found.sizes == (((6, 4), 3), ((5, 5), 1))
    assert found.seconds > 0
    assert found.shape(ReadOptions()) == (4, 6, 3)
    assert found.shape(ReadOptions(resolution=8, channels=1)) == (8, 8, 1)


def test_what_is_nothing_of_the_kind_is_none(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4, 3), np.uint8))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no image")
    for source in ("digits", str(tmp_path / "a.npy"), str(tmp_path / "broken"), "nowhere"):
        assert probe(source, ReadOptions(), opened=ExitStack()) is None
