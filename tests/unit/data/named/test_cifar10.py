"""CIFAR-10 from archives of its format: whole, verified, or refused in one line."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from rote.core.cache_folder import cache_folder
from rote.core.errors import DataError, DownloadError
from rote.data.load import load_images
from rote.data.named.cifar10 import ARCHIVE, load_cifar10
from rote.data.named.download import RemoteFile

CLASSES = b"airplane\nautomobile\nbird\n\n"


RNG = np.random.default_rng(0)


IMAGES = RNG.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)


LABELS = RNG.integers(0, 3, 12)


def records(start, stop):
    planes = IMAGES[start:stop].transpose(0, 3, 1, 2).reshape(stop - start, -1)
    return np.concatenate([LABELS[start:stop, None].astype(np.uint8), planes], axis=1).tobytes()


def members():
    files = {f"data_batch_{i + 1}.bin": records(2 * i, 2 * i + 2) for i in range(5)}
    return {"batches.meta.txt": CLASSES, **files, "test_batch.bin": records(10, 12)}


def archive_in(folder, files):
    """Write a tar.gz of CIFAR-10's layout; members in no helpful order, as in the real one."""
    path = folder / "cifar-10-binary.tar.gz"
    folder.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(files, reverse=True):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(files[name])
            archive.addfile(info, io.BytesIO(files[name]))
    content = path.read_bytes()
    url = f"https://example.invalid/{path.name}"
    return RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())


def test_cifar10_archive_by_hand(tmp_path):
    remote = archive_in(tmp_path, members())
    train = load_cifar10("train", cache=tmp_path, remote=remote)
    assert np.array_equal(train.items, IMAGES[:10])
    assert train.labels.tolist() == LABELS[:10].tolist()
    assert train.classes == ("airplane", "automobile", "bird")
    assert train.source == "cifar10"
    test = load_cifar10("test", cache=tmp_path, remote=remote)
    assert np.array_equal(test.items, IMAGES[10:])
    assert test.source == "cifar10-test"
    assert train.tensor().shape == (10, 3, 32, 32)
    # Nothing was extracted to disk.
    assert [path.name for path in tmp_path.iterdir()] == [remote.name]


def test_an_archive_by_hand_is_verified(tmp_path):
    archive_in(tmp_path, members())
    with pytest.raises(DownloadError, match=r"has [\d,]+ bytes and 170,052,171 are expected.*dele"):
        load_images("cifar10", cache=tmp_path)
    remote = archive_in(tmp_path, members())
    other = RemoteFile(remote.url, remote.size, "0" * 64)
    with pytest.raises(DownloadError, match=r"has SHA-256 .* and 0000"):
        load_cifar10("test", cache=tmp_path, remote=other)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"data_batch_3.bin": None}, "data_batch_3.bin is missing"),
        ({"batches.meta.txt": None}, "batches.meta.txt is missing"),
        ({"data_batch_1.bin": bytes(3074)}, "3,074 bytes, no multiple of 3073"),
        ({"data_batch_1.bin": b""}, "0 bytes"),
        ({"data_batch_1.bin": b"\x07" + bytes(3072)}, "label 7 of 3 classes"),
    ],
)
def test_other_archives_are_refused(tmp_path, change, part):
    files = {k: v for k, v in {**members(), **change}.items() if v is not None}
    remote = archive_in(tmp_path, files)
    with pytest.raises(DataError) as caught:
        load_cifar10("train", cache=tmp_path, remote=remote)
    assert part in str(caught.value)
    assert "delete it" in str(caught.value)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    sha256 = hashlib.sha256(b"no archive").hexdigest()
    remote = RemoteFile("https://example.invalid/x.tar.gz", 10, sha256)
    with pytest.raises(DataError, match="is not CIFAR-10's binary archive"):
        load_cifar10("train", cache=tmp_path, remote=remote)


def test_the_official_archive():
    assert ARCHIVE.name == "cifar-10-binary.tar.gz"
    assert len(ARCHIVE.sha256) == 64


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ROTE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    archive_in(tmp_path, members())
    with pytest.raises(DownloadError, match="170,052,171"):
        load_images("cifar10-test")
    monkeypatch.delenv("ROTE_CACHE")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/rote")


@pytest.mark.cifar10
def test_real_cifar10():
    folder = os.environ.get("ROTE_TEST_CIFAR10")
    if not folder:
        pytest.skip("set ROTE_TEST_CIFAR10 to a folder with cifar10_train.npz and cifar10_test.npz")
    for name, count in (("train", 50_000), ("test", 10_000)):
        data = load_images(Path(folder) / f"cifar10_{name}.npz")
        assert (len(data), data.shape) == (count, (3, 32, 32))
        assert np.bincount(data.labels).tolist() == [count // 10] * 10
        assert data.classes[:2] == ("airplane", "automobile")
    small = load_images(Path(folder) / "cifar10_test.npz", resolution=8)
    assert small.items.shape == (10_000, 8, 8, 3)
    # Lanczos keeps the mean brightness.
    assert abs(small.items.mean() - data.items.mean()) < 0.5
