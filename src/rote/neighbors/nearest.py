"""`rote neighbors` as a function: the exact nearest training items, whatever the sides are given as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rote.core.devices import resolve_device
from rote.core.errors import ConfigError
from rote.core.progress.display import progress
from rote.data.shards.read import ShardSet, is_shard_folder, open_shards
from rote.data.sides import as_sides
from rote.neighbors.out_of_core.search import in_memory_neighbors, sharded_neighbors
from rote.neighbors.search import Neighbors
from rote.neighbors.search import nearest_neighbors as search

MEMORY = 2_000_000_000


def nearest_neighbors(
    generated: Any,
    training: Any,
    *,
    k: int = 2,
    device: str = "auto",
    out: str | Path | None = None,
    memory: int | None = None,
) -> Neighbors:
    """Find the exact k nearest training items of every generated item, in L2.

    Parameters
    ----------
    generated, training
        As `rote.audit` takes them; arrays as `rote.neighbors.search.nearest_neighbors` does, of any item
        shape. Distances are in the data's own units. ``training`` may be a folder of shards (`rote data
        shard`), which are searched past one memory.
    k
        How many.
    device
        "cpu", "cuda" or "auto"; shards are searched on the CPU.
    out
        Folder that keeps the answer as `neighbors.npz`, and what is done so far; shards need it. Where it
        is there already, it is read.
    memory
        Of shards: bytes that this process holds at most; None: 2 GB.

    Returns
    -------
    Neighbors
        ``indices`` int64 (N, k) and ``sq_distances`` (N, k), nearest first: int64 for images, float64 for
        vectors.

    Raises
    ------
    DataError
        If the sides cannot be read, or do not fit together.
    ConfigError
        If ``k`` is out of range, or an option does not fit the sides.
    RunError
        If ``out`` belongs to another search.

    >>> found = nearest_neighbors("digits", "digits", k=1, device="cpu")
    >>> found.indices[:3].tolist(), int(found.sq_distances.max())
    ([[0], [1], [2]], 0)
    """
    sharded = isinstance(training, str | Path) and is_shard_folder(str(training))
    if sharded and out is None:
        raise ConfigError("`training` is a folder of shards; give a folder for the answer, `out`")
    if memory is not None and not sharded:
        raise ConfigError(
            "`memory` is for shards, and `training` is no folder of them; leave it out"
        )
    with progress("items searched") as report:
        if sharded and out is not None:
            found = open_shards(str(training))
            made = _queries(generated)
            budget = MEMORY if memory is None else memory
            return sharded_neighbors(
                made, found, out=Path(out), memory=budget, k=k, on_progress=report
            )
        queries, references = _arrays(generated, training)
        if out is None:
            where = resolve_device(device)
            return search(queries, references, k=k, device=where, on_progress=report)
        return in_memory_neighbors(
            queries,
            references,
            out=Path(out),
            k=k,
            device=resolve_device(device),
            on_progress=report,
        )


def _arrays(generated: Any, training: Any) -> tuple[Any, Any]:
    """Return both sides as arrays; arrays stay as they are."""
    if isinstance(generated, np.ndarray) and isinstance(training, np.ndarray):
        return generated, training
    made, references, _ = as_sides(generated, training)
    return made.items, references.items


def _queries(generated: Any) -> Any:
    if isinstance(generated, str | Path) and is_shard_folder(str(generated)):
        return open_shards(str(generated))
    if isinstance(generated, np.ndarray | ShardSet):
        return generated
    return as_sides(generated, generated)[0].items
