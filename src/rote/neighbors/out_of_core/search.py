"""Exact neighbors kept in a folder: of references in memory, or of shards larger than it.

Every shard is read once for each block of queries, and searched for what is nearer than the k best known
by then (`chunk`). Merging by (distance, global index) gives the same bits as one search in the
concatenation. What is merged so far is saved after every shard, together with the list of shards that
are in it, so that a killed search goes on after the last finished shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import read_json, write_json, write_npz
from rote.core.errors import ConfigError, DataError, RunError
from rote.core.run_folder import Run
from rote.data.shards.read import ShardSet
from rote.neighbors.out_of_core.engine import LocalEngine, ShardEngine, item_facts
from rote.neighbors.out_of_core.memory_budget import BlockSizes, plan_blocks
from rote.neighbors.search import Neighbors, merge, nearest_neighbors


def sharded_neighbors(
    queries: npt.NDArray[Any] | ShardSet,
    references: ShardSet,
    *,
    out: Path,
    memory: int,
    k: int = 2,
    engine: ShardEngine | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Find the exact k nearest references of every query; the same bits as `nearest_neighbors`.

    Parameters
    ----------
    queries
        uint8 (Q, H, W, C) or float32 (Q, D), or shards of such.
    references
        The shards to search.
    out
        Folder of the result, `neighbors.npz` (indices, sq_distances), and of what is done so far.
    memory
        Peak resident memory of this process (and of each worker of another engine), in bytes. The
        queries are taken in blocks as large as it allows; each block reads every shard once.
    k
        How many, 1 <= k <= len(references).
    engine
        What searches the shards; this process by default.
    on_progress
        Called with references done, over all blocks of queries, and their total.

    Raises
    ------
    DataError
        If shapes or types differ, or a shard is missing or damaged.
    ConfigError
        If k is out of range or the memory too little.
    RunError
        If the folder belongs to another search.
    """
    check_sides(queries, references, k)
    with Run(out, _config(queries, references, k)) as run:
        if not (out / "neighbors.npz").exists():
            blocks = _blocks(queries, references, out, k=k, memory=memory)
            with run.timed("search"):
                parts = _search_blocks(
                    queries,
                    references,
                    out,
                    blocks.queries,
                    k=k,
                    engine=engine or LocalEngine(memory),
                    on_progress=on_progress,
                )
            found = Neighbors(
                np.concatenate([part.indices for part in parts]),
                np.concatenate([part.sq_distances for part in parts]),
            )
            _save(out / "neighbors.npz", found)
        for path in (out / "partial").glob("*.npz"):
            path.unlink()
        return load_neighbors(out / "neighbors.npz")[0]


def in_memory_neighbors(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    out: Path,
    k: int = 2,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Find the exact k nearest references of every query, and keep them.

    Parameters
    ----------
    queries, references
        uint8 (N, H, W, C) or float32 (N, D), both of one kind and item shape.
    out
        Folder of the result, `neighbors.npz` (indices, sq_distances). Where it is there already, it is
        read. The device is in the manifest and not in the configuration: it changes no bit.
    k
        How many, 1 <= k <= len(references).
    device
        "cpu" or "cuda", as `nearest_neighbors` takes it.
    on_progress
        Called with queries done and their total.

    Raises
    ------
    DataError
        If shapes or types differ, a side is empty, or a float is not finite.
    ConfigError
        If k is out of range.
    RunError
        If the folder belongs to another search.
    """
    check_sides(queries, references, k)
    with Run(out, _config(queries, references, k), facts={"device": device}) as run:
        if not (out / "neighbors.npz").exists():
            with run.timed("search"):
                found = nearest_neighbors(
                    queries, references, k=k, device=device, on_progress=on_progress
                )
            _save(out / "neighbors.npz", found)
        return load_neighbors(out / "neighbors.npz")[0]


def _config(
    queries: npt.NDArray[Any] | ShardSet, references: npt.NDArray[Any] | ShardSet, k: int
) -> dict[str, Any]:
    """Return what the answer of a search depends on."""
    return {
        "kind": "neighbors",
        "queries": queries.digest if isinstance(queries, ShardSet) else items_digest(queries),
        "references": (
            references.digest if isinstance(references, ShardSet) else items_digest(references)
        ),
        "k": k,
    }


def _save(path: Path, found: Neighbors, **more: npt.NDArray[Any]) -> None:
    write_npz(path, {"indices": found.indices, "sq_distances": found.sq_distances, **more})


def _blocks(
    queries: npt.NDArray[Any] | ShardSet, references: ShardSet, out: Path, *, k: int, memory: int
) -> BlockSizes:
    """Return the blocks that the search in this folder was begun with, or plan them."""
    path = out / "plan.json"
    if path.exists():
        return BlockSizes(int(read_json(path)["query_rows"]), 0)
    blocks = plan_blocks(
        memory,
        queries=len(queries),
        references=max(shard.count for shard in references.shards),
        **item_facts(references, k),
    )
    write_json(path, {"query_rows": blocks.queries, "memory": memory})
    return blocks


def _search_blocks(
    queries: npt.NDArray[Any] | ShardSet,
    references: ShardSet,
    out: Path,
    rows: int,
    *,
    k: int,
    engine: ShardEngine,
    on_progress: Callable[[int, int], None],
) -> list[Neighbors]:
    total = len(references) * -(-len(queries) // rows)
    finished = 0
    parts = []
    for start in range(0, len(queries), rows):
        stop = min(start + rows, len(queries))
        path = out / "partial" / f"{start}-{stop}.npz"
        best, done = load_neighbors(path) if path.exists() else (None, None)
        if done is None:
            done = np.zeros(len(references.shards), bool)
        finished += sum(references.shards[i].count for i in np.flatnonzero(done))
        on_progress(finished, total)
        left = [int(number) for number in np.flatnonzero(~done)]
        if left:
            block = (
                queries.rows(start, stop)
                if isinstance(queries, ShardSet)
                else np.ascontiguousarray(queries[start:stop])
            )

            def on_rows(more: int) -> None:
                on_progress(finished + more, total)  # noqa: B023 - called within this turn

            def known() -> Neighbors | None:
                return best  # noqa: B023 - called within this turn

            for found in engine.search(block, references, left, k=k, known=known, on_rows=on_rows):
                best = found.neighbors if best is None else merge(best, found.neighbors, k=k)
                done[found.number] = True
                finished += references.shards[found.number].count
                # One file holds the result and what is in it: a kill cannot part the two.
                _save(path, best, done=done)
                on_progress(finished, total)
        assert best is not None
        parts.append(best)
    return parts


def load_neighbors(path: Path) -> tuple[Neighbors, npt.NDArray[np.bool_] | None]:
    """Read what a search wrote: neighbors, and of a part also which shards are in it."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            done = arrays["done"] if "done" in arrays.files else None
            return Neighbors(arrays["indices"], arrays["sq_distances"]), done
    except Exception as error:  # noqa: BLE001 - numpy answers damage with nearly every exception
        raise RunError(f"{path} cannot be read ({error}); delete it and run again") from None


def check_sides(
    queries: npt.NDArray[Any] | ShardSet, references: npt.NDArray[Any] | ShardSet, k: int
) -> None:
    """Refuse sides that do not fit together; messages name the flags of `rote neighbors`."""
    if not len(queries) or not len(references):
        raise DataError("both `generated` and `training` need at least one item")
    shape, other = (
        side.shape if isinstance(side, ShardSet) else side.shape[1:]
        for side in (queries, references)
    )
    if shape != other or (queries.dtype == np.uint8) != (references.dtype == np.uint8):
        raise DataError(
            f"`generated` has items of shape {shape} ({queries.dtype}), `training` of "
            f"{other} ({references.dtype}); bring both to one with `resolution` and "
            "`channels`"
        )
    if not 1 <= k <= len(references):
        raise ConfigError(
            f"`k` is {k}, but there are {len(references):,} references; choose 1 to {len(references):,}"
        )


def items_digest(items: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of items with their type and shape."""
    hasher = hashlib.sha256(f"{items.dtype}{items.shape}".encode())
    hasher.update(np.ascontiguousarray(items).data)
    return hasher.hexdigest()
