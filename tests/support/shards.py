"""Small folders of shards for tests."""

from pathlib import Path
from typing import Any

import numpy as np

from rote.data.shards.read import ShardSet
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
