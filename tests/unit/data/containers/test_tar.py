"""Tar shards: what is broken is named by member, and nothing is written anywhere."""

import numpy as np
import pytest
from captioned_sets import beside, make_tar, named

from rote.core.errors import DataError
from rote.data.load import load_images

PICTURES = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
HEADER, CONTENT = 512, 512


@pytest.fixture
def shard(tmp_path):
    return make_tar(tmp_path / "x.tar", beside(named(PICTURES), ["a", "b", "c"]))


def broken(shard, content):
    shard.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_images(shard)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_broken_tar_is_named_by_member(shard):
    whole, each = shard.read_bytes(), HEADER + CONTENT
    assert "member 001.png (it ends there" in broken(shard, whole[: 2 * each + HEADER + 10])
    assert "member 000.txt (it ends there" in broken(shard, whole[: 2 * each])
    torn = whole[: 3 * each] + bytes([1]) * 100 + whole[3 * each + 100 :]
    assert "member 001.png (what follows is no member)" in broken(shard, torn)
    content = bytearray(whole)
    content[2 * each + HEADER + 8 : 2 * each + HEADER + 60] = bytes(52)
    assert "001.png: " in broken(shard, bytes(content))
    assert load_images(shard, skip_unreadable=True).captions == ("a", "c")


def test_a_path_that_leaves_the_tar_is_never_written(tmp_path):
    (_, content), outside = named(PICTURES)[0], tmp_path / "outside"
    names = ["../../outside/up.png", f"{outside}/absolute.png", "in/../../down.png", "a.png"]
    shard = make_tar(tmp_path / "in" / "x.tar", [(name, content) for name in names])
    before = sorted(tmp_path.rglob("*"))
    assert len(load_images(shard, decoded=tmp_path / "in")) == len(names)
    assert sorted(tmp_path.rglob("*")) == before and not outside.exists()
