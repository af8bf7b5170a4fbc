"""Folders of shards are checked when they are opened and while they are read."""

import json
from pathlib import Path

import pytest
from shards import shard

from rote.core.errors import DataError
from rote.data.shards.read import open_shards


def test_damage_is_one_line_and_is_repaired_by_the_same_command(npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = shard(npz, out=out)
    path = out / "shard-000002.npy"
    content = path.read_bytes()

    path.unlink()
    with pytest.raises(DataError, match=r"shard-000002\.npy is missing") as missing:
        open_shards(out)
    path.write_bytes(content[:-1])
    with pytest.raises(
        DataError, match=r"shard-000002\.npy has .* bytes and .* are expected"
    ) as cut:
        open_shards(out)
    assert shard(npz, out=out).shards == whole.shards
    assert path.read_bytes() == content

    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"shard-000002\.npy has SHA-256") as changed:
        open_shards(out).verify()
    for error in (missing, cut, changed):
        assert "\n" not in str(error.value)
        assert "rote data shard" in str(error.value)


def test_a_shard_that_goes_away_while_it_is_read_is_one_line(npz: Path, tmp_path: Path) -> None:
    shards = shard(npz, out=tmp_path / "out")
    path = tmp_path / "out" / "shard-000003.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="ends too early"):
        shards.read(3, 0, 7)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        shards.read(3, 0, 7)


def test_what_is_no_folder_of_shards(npz: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_shards(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no shards\.json"):
        open_shards(tmp_path)
    shard(npz, out=tmp_path / "out")
    index = tmp_path / "out" / "shards.json"
    value = json.loads(index.read_text())
    for key, wrong in (("dtype", "object"), ("shape", "big"), ("shards", [{"file": "../x"}])):
        index.write_text(json.dumps({**value, key: wrong}))
        with pytest.raises(DataError, match="damaged"):
            open_shards(tmp_path / "out")
    index.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        open_shards(tmp_path / "out")
