"""Shards: whole or absent, in order, gone on with after a kill, and checked when they are opened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rote.cli.data.shard import parse_bytes
from rote.core.atomic_files import write_npy
from rote.core.errors import ConfigError, DataError, RunError
from rote.data.load import load_images
from rote.data.shards import write as shard_writer
from rote.data.shards.read import ShardSet, open_shards
from rote.data.shards.stream import open_stream
from rote.data.shards.write import write_shards

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 4, 5, 3), dtype=np.uint8)


def shard(
    *sources: str | Path, out: Path, rows: int = 7, resolution: int | None = None, **how: Any
) -> ShardSet:
    streams = [
        open_stream(
            str(source),
            resolution=resolution,
            channels=how.get("channels"),
            skip_unreadable=how.get("skip_unreadable", False),
        )
        for source in sources
    ]
    item = next(streams[0].batches(0)).items[:1].nbytes
    options = {"resolution": resolution, **how}
    return write_shards(streams, out, shard_bytes=rows * item, options=options)


def all_items(shards: ShardSet) -> np.ndarray:
    return shards.rows(0, len(shards))


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "source.npz", images=PIXELS)
    return tmp_path / "source.npz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.fromarray(PIXELS[number]).save(tmp_path / "images" / f"{number:02}.png")
    return tmp_path / "images"


def test_the_shards_hold_the_source_in_order(npz: Path, tmp_path: Path) -> None:
    shards = shard(npz, out=tmp_path / "out")
    assert [s.count for s in shards.shards] == [7] * 7 + [1]
    assert [s.start for s in shards.shards] == list(range(0, 50, 7))
    assert (shards.shape, shards.dtype, len(shards)) == ((4, 5, 3), np.uint8, 50)
    assert np.array_equal(all_items(shards), PIXELS)
    assert np.array_equal(shards.rows(5, 23), PIXELS[5:23])
    assert np.array_equal(shards.read(2, 1, 4), PIXELS[15:18])
    assert shards.names(1)[0] == "#7"


def test_every_kind_of_source_gives_what_load_images_gives(
    npz: Path, folder: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", PIXELS)
    np.save(tmp_path / "first.npy", PIXELS.transpose(0, 3, 1, 2).astype(np.float64))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(PIXELS))
    np.savez(tmp_path / "fortran.npz", images=np.asfortranarray(PIXELS))
    np.savez(tmp_path / "vectors.npz", data=np.linspace(0, 1, 60).reshape(20, 3))
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", tmp_path / "a.zip", *sorted(folder.iterdir())],
        check=True,
    )
    sources = ("a.npy", "first.npy", "fortran.npy", "fortran.npz", "vectors.npz", "a.zip")
    for number, source in enumerate([npz, folder, *(tmp_path / name for name in sources)]):
        expected = load_images(source)
        shards = shard(source, out=tmp_path / f"out{number}")
        assert shards.dtype == expected.items.dtype
        assert np.array_equal(all_items(shards), expected.items)
        names = [name for i in range(len(shards.shards)) for name in shards.names(i)]
        assert names == list(expected.names)
    shards = shard("digits", out=tmp_path / "digits", rows=1000)
    assert np.array_equal(all_items(shards), load_images("digits").items)


def test_sources_follow_each_other_and_are_resized(npz: Path, folder: Path, tmp_path: Path) -> None:
    shards = shard(folder, npz, out=tmp_path / "out", resolution=3)
    parts = [load_images(folder, resolution=3).items, load_images(npz, resolution=3).items]
    assert np.array_equal(all_items(shards), np.concatenate(parts))


def test_a_stream_starts_anywhere(npz: Path, folder: Path) -> None:
    for source, count in ((npz, 50), (folder, 20)):
        stream = open_stream(str(source), resolution=None, channels=None, skip_unreadable=False)
        got = np.concatenate([batch.items for batch in stream.batches(13)])
        assert np.array_equal(got, PIXELS[13:count])


def test_batches_may_be_smaller_or_larger_than_shards(
    npz: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rote.data.shards.stream.BATCH_BYTES", 3 * PIXELS[0].nbytes)
    monkeypatch.setattr("rote.data.shards.stream.BATCH_FILES", 3)
    for rows in (1, 2, 7, 1000):
        shards = shard(folder, npz, out=tmp_path / f"out{rows}", rows=rows)
        assert np.array_equal(all_items(shards), np.concatenate([PIXELS[:20], PIXELS]))
        assert all(s.count == rows for s in shards.shards[:-1])


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


def test_items_of_two_shapes_and_dark_images_are_refused(npz: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((3, 4, 6, 3), np.uint8))
    with pytest.raises(DataError, match=r"wide\.npy has items of shape .*`resolution`"):
        shard(npz, tmp_path / "wide.npy", out=tmp_path / "out")
    with pytest.raises(DataError, match="at most 1"):
        shard(tmp_path / "wide.npy", out=tmp_path / "dark")


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512 * 10**6), ("2gib", 2 << 30), ("1.5k", 1500), ("7", 7)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text, flag="--memory") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 apples", "1e9"])
def test_what_is_no_size_names_the_flag(text: str) -> None:
    with pytest.raises(ConfigError, match="--memory"):
        parse_bytes(text, flag="--memory")
