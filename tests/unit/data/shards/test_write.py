"""Shards: whole or absent, in order, and gone on with after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captioned_sets import beside, named, write
from shards import PIXELS, all_items, shard

from rote.core.atomic_files import write_npy
from rote.core.errors import DataError, RunError
from rote.data.shards import write as shard_writer
from rote.data.shards.read import open_shards


def test_the_shards_hold_the_source_in_order(npz: Path, tmp_path: Path) -> None:
    shards = shard(npz, out=tmp_path / "out")
    assert [s.count for s in shards.shards] == [7] * 7 + [1]
    assert [s.start for s in shards.shards] == list(range(0, 50, 7))
    assert (shards.shape, shards.dtype, len(shards)) == ((4, 5, 3), np.uint8, 50)
    assert np.array_equal(all_items(shards), PIXELS)
    assert np.array_equal(shards.rows(5, 23), PIXELS[5:23])
    assert np.array_equal(shards.read(2, 1, 4), PIXELS[15:18])
    assert shards.names(1)[0] == "#7"


def test_captions_are_kept_beside_names(tmp_path: Path) -> None:
    texts = [f"picture {n}" for n in range(4)]
    source = write(tmp_path / "set", beside(named(PIXELS[:4]), texts))
    (tmp_path / "set" / "000.txt").unlink()
    shards = shard(source, out=tmp_path / "out")
    told = [text for n in range(len(shards.shards)) for text in shards.captions(n)]
    assert told == [None, *texts[1:]]


def test_it_goes_on_after_an_error_and_ends_with_the_same_bytes(
    folder: Path, npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "03.png").write_bytes(b"torn")
    for first in range(4, 8):
        (folder / f"{first:02}.png").write_bytes(b"torn")
    monkeypatch.setattr("rote.data.shards.stream.BATCH_FILES", 3)  # one batch has nothing readable
    straight = shard(folder, npz, out=tmp_path / "straight", skip_unreadable=True)
    kept = [number for number in range(20) if number not in range(3, 8)]
    assert np.array_equal(all_items(straight), np.concatenate([PIXELS[kept], PIXELS]))
    for stop_at in range(len(straight.shards)):
        written: list[Path] = []

        def fail(path: Path, blocks: Any, *, at: int = stop_at, seen: list[Path] = written) -> str:
            seen.append(path)
            if len(seen) > at:
                raise KeyboardInterrupt
            return write_npy(path, blocks)

        out = tmp_path / f"out{stop_at}"
        with monkeypatch.context() as patch:
            patch.setattr(shard_writer, "write_npy", fail)
            with pytest.raises(KeyboardInterrupt):
                shard(folder, npz, out=out, skip_unreadable=True)
        if stop_at:
            with pytest.raises(DataError, match="unfinished"):
                open_shards(out)
        resumed = shard(folder, npz, out=out, skip_unreadable=True)
        assert resumed.shards == straight.shards


@pytest.mark.slow
def test_a_kill_leaves_whole_shards_and_the_same_command_goes_on(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6000, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    command = [sys.executable, "-m", "rote", "data", "shard", "a.npy", "--out", "out"]
    command += ["--shard-size", "100kB"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out" / "shard-000005.npy").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("shard-00000[0-4].npy")}
    assert len(before) == 5
    assert not (tmp_path / "out" / "shard-000187.npy").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "6,000 items in 188 shards, 18.5 MB" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in before} == before
    shards = open_shards(tmp_path / "out")
    shards.verify()
    assert np.array_equal(all_items(shards), pixels)


def test_a_finished_folder_is_left_as_it_is(npz: Path, tmp_path: Path) -> None:
    shards = shard(npz, out=tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("shard*")}
    assert shard(npz, out=tmp_path / "out").shards == shards.shards
    assert {p: p.stat().st_mtime_ns for p in before} == before
    with pytest.raises(RunError, match=r"another configuration \(shard_bytes"):
        shard(npz, out=tmp_path / "out", rows=8)


def test_items_of_two_shapes_and_dark_images_are_refused(npz: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((3, 4, 6, 3), np.uint8))
    with pytest.raises(DataError, match=r"wide\.npy has items of shape .*`resolution`"):
        shard(npz, tmp_path / "wide.npy", out=tmp_path / "out")
    with pytest.raises(DataError, match="at most 1"):
        shard(tmp_path / "wide.npy", out=tmp_path / "dark")
