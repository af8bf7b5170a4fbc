"""Ranges of shards in one name."""

import numpy as np
import pytest
from captioned_sets import make_tar, named

from rote.core.errors import DataError
from rote.data.containers.ranges import expanded, is_range
from rote.data.load import load_images
from rote.data.shards.stream import open_stream

PICTURES = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)


def test_a_range_is_its_files_and_a_file_of_that_name_is_itself(tmp_path):
    for shard, file in enumerate(named(PICTURES)):
        make_tar(tmp_path / f"x-{shard:03d}.tar", [file])
    source = tmp_path / "x-{000..001}.tar"
    assert np.array_equal(load_images(source).items, PICTURES)
    assert open_stream(str(source)).count == 2
    with pytest.raises(DataError, match=r"3 files and 1 of them do not exist \(x-002\.tar\)"):
        load_images(tmp_path / "x-{000..002}.tar")
    make_tar(source, named(PICTURES[:1]))
    assert not is_range(source) and len(load_images(source)) == 1


def test_ranges_of_all_kinds():
    assert expanded("x") == ["x"]
    assert expanded("{3..1}") == ["3", "2", "1"]
    assert len(expanded("{00..99}-{a,b}.tar")) == 200
    with pytest.raises(DataError, match="more than"):
        expanded("{0..999}{0..9999}")
