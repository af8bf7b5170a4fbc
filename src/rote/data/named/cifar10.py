"""CIFAR-10 from the official binary archive, read straight out of the tar.gz.

Each record is one label byte and 3,072 bytes of pixels: red, green, then blue, row by row. The
order is that of the archive (data_batch_1 to 5, then the test batch apart), which is the order that
published class-balanced subsets refer to.

Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.messages import shown
from rote.data.named.download import Progress, RemoteFile, fetch

ARCHIVE = RemoteFile(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    size=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CLASSES = "batches.meta.txt"
_SIDE = 32
_RECORD = 1 + 3 * _SIDE * _SIDE


def load_cifar10(
    part: Literal["train", "test"],
    *,
    cache: Path,
    remote: RemoteFile = ARCHIVE,
    progress: Progress | None = None,
) -> Dataset:
    """Return the training or the test images; download and check the archive first.

    Raises
    ------
    DownloadError
        As `rote.data.named.download.fetch`.
    DataError
        If the archive is not of CIFAR-10's binary format.
    """
    path = fetch(remote, cache, progress=progress)
    images, labels, classes = read_archive(path, part)
    name = "cifar10" if part == "train" else "cifar10-test"
    return Dataset(items=images, labels=labels, classes=classes, source=name)


def is_fetched(*, cache: Path, remote: RemoteFile = ARCHIVE) -> bool:
    """Say whether the archive is in the cache already."""
    return (cache / remote.name).exists()


def outline(*, resolution: int | None = None, channels: int | None = None) -> Dataset:
    """Return images of the training set's number, shape and classes: enough to plan runs.

    All are black but for one white pixel in each, since a black set is refused where it is resized.

    >>> outline().shape, len(outline()), len(outline(resolution=8).classes)
    ((3, 32, 32), 50000, 10)
    """
    side, count = resolution or _SIDE, 50_000
    images = np.zeros((count, side, side, channels or 3), np.uint8)
    images[:, 0, 0] = 255
    return Dataset(
        items=images,
        labels=np.arange(count, dtype=np.int64) % 10,
        classes=tuple(map(str, range(10))),
        source="cifar10",
    )


def read_archive(
    path: Path, part: Literal["train", "test"]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """Return uint8 (N, 32, 32, 3) images, int64 (N,) labels and class names of an archive."""
    wanted = _BATCHES[part]
    contents: dict[str, bytes] = {}
    try:
        # As a stream: the archive is decompressed once, front to back.
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if name in (*wanted, _CLASSES) and member.isfile():
                    stream = archive.extractfile(member)
                    contents[name] = stream.read() if stream else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise _broken(path, shown(error)) from None
    missing = [name for name in (*wanted, _CLASSES) if name not in contents]
    if missing:
        raise _broken(path, f"{missing[0]} is missing")
    classes = tuple(contents[_CLASSES].decode("utf-8", "replace").split())
    batches = [_parse(contents[name], name, len(classes), path=path) for name in wanted]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return images, labels, classes


def _parse(
    content: bytes, name: str, classes: int, *, path: Path
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    if not content or len(content) % _RECORD:
        raise _broken(path, f"{name} has {len(content):,} bytes, no multiple of {_RECORD}")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if int(labels.max()) >= classes:
        raise _broken(path, f"{name} has label {labels.max()} of {classes} classes")
    planes = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _broken(path: Path, reason: str) -> DataError:
    return DataError(
        f"{shown(path)} is not CIFAR-10's binary archive ({reason}); delete it and run the same "
        "command again to fetch it anew"
    )
