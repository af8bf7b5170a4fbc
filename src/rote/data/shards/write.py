"""Writing shards from any sources, resumably.

A shard is written under a temporary name and renamed: it is whole or absent. `shards.json` is replaced
after each shard and names where in the sources the next one begins; the same command goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_json, write_npy
from rote.core.errors import ConfigError, DataError
from rote.core.run_folder import Run
from rote.data.messages import shown
from rote.data.shards.read import INDEX, Shard, ShardSet, is_shard_folder, read_index, size_problem
from rote.data.shards.stream import Batch, Stream


def write_shards(
    streams: Sequence[Stream],
    out: Path,
    *,
    shard_bytes: int,
    options: dict[str, Any],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ShardSet:
    """Write the items of all sources, one after the other, as shards; go on if some are there.

    Memory: one shard and one batch.

    Parameters
    ----------
    streams
        The opened sources.
    out
        The folder.
    shard_bytes
        Bytes of one shard, at most (at least one item is in each).
    options
        How the sources were opened; a folder belongs to one set of options and sources.
    on_progress
        Called with entries read and their total.

    Raises
    ------
    DataError
        If the items are not all of one shape, or all images are dark.
    ConfigError
        If ``shard_bytes`` is not positive.
    RunError
        If the folder belongs to other sources or options, or cannot be written.
    """
    if shard_bytes < 1:
        raise ConfigError(f"`shard_size` is {shard_bytes}; give a size such as 512MB")
    config = {
        "kind": "shards",
        "sources": [{"source": s.source, "fingerprint": s.fingerprint} for s in streams],
        "shard_bytes": shard_bytes,
        **options,
    }
    with Run(out, config) as run, run.timed("shard"):
        shards: list[Shard] = []
        shape: tuple[int, ...] | None = None
        if is_shard_folder(out):
            found, complete = read_index(out)
            for shard in found.shards:  # a damaged shard is written again, with those after it
                if size_problem(out / shard.file, shard):
                    complete = False
                    break
                shards.append(shard)
            if complete:
                return found
            shape = found.shape
        return _Writer(streams, out, shard_bytes, shards, shape, on_progress).write()


class _Writer:
    """The state of writing: what is done, and the items that wait for a full shard."""

    def __init__(
        self,
        streams: Sequence[Stream],
        out: Path,
        shard_bytes: int,
        shards: list[Shard],
        shape: tuple[int, ...] | None,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._streams, self._out, self._shard_bytes = streams, out, shard_bytes
        self._shards, self._shape = shards, shape
        self._on_progress = on_progress
        self._waiting: list[npt.NDArray[Any]] = []
        self._names: list[str] = []
        self._captions: list[str | None] = []
        self._dtype = np.dtype(np.uint8)

    def write(self) -> ShardSet:
        before = [0]
        for stream in self._streams:
            before.append(before[-1] + stream.count)
        end = self._shards[-1].end if self._shards else (0, 0)
        for source, batch in self._batches(end):
            self._check(batch, source)
            at = 0
            while at < len(batch.items):
                rows = max(1, self._shard_bytes // batch.items[:1].nbytes)
                part = slice(at, at + rows - sum(map(len, self._waiting)))
                self._waiting.append(batch.items[part])
                self._names.extend(batch.names[part])
                self._captions.extend(batch.captions[part] or [None] * len(batch.names[part]))
                at = min(part.stop, len(batch.items))
                end = (source, int(batch.positions[at - 1]) + 1)
                if sum(map(len, self._waiting)) == rows:
                    self._flush(end)
            self._on_progress(before[source] + end[1], before[-1])
        if self._waiting:
            self._flush(end)
        if not self._shards:
            raise DataError("the sources have no readable items; give at least one")
        if len(self._shards) + self._shards[-1].count > 2 and not any(
            shard.brightest > 1 for shard in self._shards
        ):
            raise DataError(
                "the largest pixel value of all images is at most 1; values from 0 to 255 are "
                "expected (convert images in [0, 1] with (x * 255).round().astype('uint8'))"
            )
        return self._save(complete=True)

    def _batches(self, end: tuple[int, int]) -> Iterator[tuple[int, Batch]]:
        for source, stream in enumerate(self._streams):
            if source >= end[0]:
                for batch in stream.batches(end[1] if source == end[0] else 0):
                    yield source, batch

    def _check(self, batch: Batch, source: int) -> None:
        shape = tuple(map(int, batch.items.shape[1:]))
        if self._shape is None:
            self._shape = shape
        self._dtype = batch.items.dtype
        if shape != self._shape:
            raise DataError(
                f"{shown(self._streams[source].source)} has items of shape {shape}, and those before "
                f"have {self._shape}; bring all to one with `resolution` and `channels`"
            )

    def _flush(self, end: tuple[int, int]) -> None:
        """Write what waits as one shard."""
        file = f"shard-{len(self._shards):06d}.npy"
        path = self._out / file
        named = bool(self._names)
        if named:
            told = {"captions": self._captions} if set(self._captions) != {None} else {}
            write_json(self._out / f"{file}.json", {"names": self._names, **told})
        sha256 = write_npy(path, self._waiting)
        image = self._dtype == np.uint8
        self._shards.append(
            Shard(
                file,
                self._shards[-1].start + self._shards[-1].count if self._shards else 0,
                sum(map(len, self._waiting)),
                path.stat().st_size,
                sha256,
                max(int(block.max()) for block in self._waiting) if image else 255,
                end,
                named,
            )
        )
        self._waiting, self._names, self._captions = [], [], []
        self._save(complete=False)

    def _save(self, *, complete: bool) -> ShardSet:
        assert self._shape is not None
        value = {
            "kind": "shards",
            "complete": complete,
            "shape": list(self._shape),
            "dtype": "uint8" if len(self._shape) == 3 else "float32",
            "total": sum(shard.count for shard in self._shards),
            "sources": [stream.source for stream in self._streams],
            "shards": [shard.to_json() for shard in self._shards],
        }
        write_json(self._out / INDEX, value)
        return read_index(self._out)[0]
