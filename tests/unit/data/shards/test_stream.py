"""Every kind of source as a stream of batches: what load_images gives, from any place on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shards import PIXELS, all_items, shard

from rote.data.load import load_images
from rote.data.shards.stream import open_stream


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
