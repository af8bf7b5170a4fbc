"""Shards: a data set larger than memory, as a folder of .npy files and one `shards.json`.

Every shard holds the same number of items (the last one fewer), so a global index is a shard and a row.
`rote.data.shards.write` writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import read_json
from rote.core.config import digest
from rote.core.errors import DataError, RunError
from rote.data.messages import shown

INDEX = "shards.json"


@dataclass(frozen=True)
class Shard:
    """One file of a shard set.

    Attributes
    ----------
    file
        Its name in the folder.
    start, count
        The global indices start to start + count - 1 are in it.
    size
        Bytes of the file.
    sha256
        Digest of the file.
    brightest
        The largest pixel value (255 for vectors).
    end
        (source, entry): where in the sources the next shard begins.
    named
        Whether the names of its items are in `<file>.json`.
    """

    file: str
    start: int
    count: int
    size: int
    sha256: str
    brightest: int
    end: tuple[int, int]
    named: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "file": self.file,
            "count": self.count,
            "bytes": self.size,
            "sha256": self.sha256,
            "brightest": self.brightest,
            "end": list(self.end),
            "names": self.named,
        }


@dataclass(frozen=True, eq=False)
class ShardSet:
    """A folder of shards.

    Attributes
    ----------
    folder
        Where the files are.
    shape
        Shape of one item at rest: (H, W, C) or (D,).
    dtype
        uint8 for images, float32 for vectors.
    shards
        The files in the order of the global index.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    shards: tuple[Shard, ...]

    def __len__(self) -> int:
        return sum(shard.count for shard in self.shards)

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and the digests of the shards."""
        return digest(str(self.dtype), list(self.shape), [shard.sha256 for shard in self.shards])

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        """Read rows of one shard into memory: (stop - start, ...).

        They are read, not mapped: pages of a mapped file count as memory of the process for as long
        as the system leaves them there.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        shard = self.shards[number]
        assert 0 <= start <= stop <= shard.count
        out = np.empty((stop - start, *self.shape), self.dtype)
        path = self.folder / shard.file
        try:
            with path.open("rb") as handle:
                handle.seek(shard.size - (shard.count - start) * self.item_bytes)
                got = handle.readinto(out.reshape(-1).view(np.uint8).data)
        except OSError as error:
            raise DataError(
                f"shard {shown(path)} cannot be read ({error.strerror}); {_REPAIR}"
            ) from None
        if got != out.nbytes:
            raise DataError(f"shard {shown(path)} ends too early; {_REPAIR}")
        return out

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Read the items start to stop - 1 by their global index into memory."""
        out = np.empty((stop - start, *self.shape), self.dtype)
        for number, shard in enumerate(self.shards):
            low, high = max(start, shard.start), min(stop, shard.start + shard.count)
            if low < high:
                part = self.read(number, low - shard.start, high - shard.start)
                out[low - start : high - start] = part
        return out

    def names(self, number: int) -> tuple[str, ...]:
        """Return the names of the items of one shard; "#17" and so on where they have none."""
        shard = self.shards[number]
        if not shard.named:
            return tuple(f"#{shard.start + row}" for row in range(shard.count))
        return tuple(read_json(self.folder / f"{shard.file}.json")["names"])

    def captions(self, number: int) -> tuple[str | None, ...]:
        """Return the captions of the items of one shard; none where no item of it has one."""
        shard = self.shards[number]
        if not shard.named:
            return ()
        return tuple(read_json(self.folder / f"{shard.file}.json").get("captions", ()))

    def verify(self, *, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Compare the SHA-256 of every shard with the one it was written with.

        Raises
        ------
        DataError
            Naming the first shard that differs.
        """
        for number, shard in enumerate(self.shards):
            path = self.folder / shard.file
            with path.open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
            if found != shard.sha256:
                raise DataError(
                    f"shard {shown(path)} has SHA-256 {found[:16]}... and {shard.sha256[:16]}... is "
                    f"expected; delete it and {_AGAIN}"
                )
            on_progress(number + 1, len(self.shards))


_AGAIN = "run the same `rote data shard` command again, or copy it again"
_REPAIR = f"{_AGAIN} from where it is whole"


def is_shard_folder(source: str | Path) -> bool:
    """Say whether a path is a folder of shards."""
    return (Path(source) / INDEX).is_file()


def open_shards(folder: str | Path) -> ShardSet:
    """Open a folder of shards and check the size of every file (not its content: `verify` does).

    Raises
    ------
    DataError
        If it is no such folder, is unfinished, or a shard is missing or has another size.
    """
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise DataError(
            f"{shown(folder)} does not exist; give a folder that `rote data shard` wrote"
        )
    if not is_shard_folder(folder):
        raise DataError(
            f"{shown(folder)} holds no {INDEX}; make a folder of shards with `rote data shard`"
        )
    try:
        found, complete = read_index(folder)
    except RunError as error:
        raise DataError(str(error)) from None
    if not complete:
        raise DataError(
            f"{shown(folder)} is unfinished ({len(found):,} items so far); run the same "
            "`rote data shard` command again, it goes on from there"
        )
    for shard in found.shards:
        problem = size_problem(folder / shard.file, shard)
        if problem:
            raise DataError(f"shard {shown(folder / shard.file)} {problem}; {_REPAIR}")
    return found


def size_problem(path: Path, shard: Shard) -> str:
    """Say what is wrong with the size of a shard's file, or nothing."""
    try:
        size = path.stat().st_size
    except OSError as error:
        return f"is missing ({error.strerror})"
    return "" if size == shard.size else f"has {size:,} bytes and {shard.size:,} are expected"


def read_index(folder: Path) -> tuple[ShardSet, bool]:
    """Read `shards.json`: the shards it names, and whether they are all."""
    value = read_json(folder / INDEX)
    try:
        shards: list[Shard] = []
        start = 0
        for row in value["shards"]:
            source, entry = row["end"]
            name = row["file"]
            if Path(name).name != name:
                raise ValueError(name)
            shards.append(
                Shard(
                    name,
                    start,
                    int(row["count"]),
                    int(row["bytes"]),
                    str(row["sha256"]),
                    int(row["brightest"]),
                    (int(source), int(entry)),
                    bool(row["names"]),
                )
            )
            start += shards[-1].count
        dtype = np.dtype({"uint8": np.uint8, "float32": np.float32}[value["dtype"]])
        found = ShardSet(folder, tuple(map(int, value["shape"])), dtype, tuple(shards))
        return found, bool(value["complete"]) and value["total"] == len(found)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{shown(folder / INDEX)} is damaged ({shown(repr(error))}); delete it and write the "
            "shards again"
        ) from None
