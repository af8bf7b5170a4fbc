"""Exact neighbors in references larger than the memory.

Every shard is read once for each block of queries, and searched for what is nearer than the k best known
by then (`chunks`). Merging by (distance, global index) gives the same bits as one search in the
concatenation. What is merged so far is saved after every shard, together with the list of shards that
are in it, so that a killed search goes on after the last finished shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from rote.core.atomic_files import read_json, write_json, write_npz
from rote.core.errors import ConfigError, DataError, RunError
from rote.core.run_folder import Run
from rote.data.shards.read import ShardSet
from rote.neighbors.out_of_core.chunk import Chunks
from rote.neighbors.out_of_core.memory_budget import Blocks, plan_blocks, reference_rows
from rote.neighbors.search import Neighbors, merge


@dataclass(frozen=True, eq=False)
class Found:
    """What the search of one shard came to, by global indices.

    ``neighbors`` are the k nearest of the shard and of any other references that were known: merged over
    all shards, they are the k nearest of all.
    """

    number: int
    neighbors: Neighbors


class Engine(Protocol):
    """What searches shards: this process, or workers elsewhere."""

    def search(
        self,
        queries: npt.NDArray[Any],
        references: ShardSet,
        numbers: Sequence[int],
        *,
        k: int,
        known: Callable[[], Neighbors | None],
        on_rows: Callable[[int], None],
    ) -> Iterator[Found]:
        """Yield what each of the numbered shards holds, in any order.

        ``known`` returns the nearest of all shards that are finished when it is called; ``on_rows``
        takes how many references of the shards begun were searched, finished ones not counted.
        """
        ...


@dataclass(frozen=True)
class LocalEngine:
    """Searches one shard after the other in this process, within ``memory`` bytes in all."""

    memory: int

    def search(
        self,
        queries: npt.NDArray[Any],
        references: ShardSet,
        numbers: Sequence[int],
        *,
        k: int,
        known: Callable[[], Neighbors | None],
        on_rows: Callable[[int], None],
    ) -> Iterator[Found]:
        """Yield the shards in order; each starts from what the ones before have left."""
        chunks = Chunks(queries, k=k, known=known())
        for number in numbers:
            yield search_shard(chunks, references, number, memory=self.memory, on_rows=on_rows)


def search_shard(
    chunks: Chunks,
    references: ShardSet,
    number: int,
    *,
    memory: int,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Found:
    """Search one shard, in as few pieces as the memory allows.

    Parameters
    ----------
    chunks
        The queries, of the shards' item shape and kind, and what is known of their neighbors.
    references, number
        The shards, and which of them.
    memory
        The budget of this process, in bytes.
    on_rows
        Called with the references searched so far.

    Raises
    ------
    ConfigError
        If not one reference fits into the budget.
    DataError
        If the shard cannot be read.
    """
    shard = references.shards[number]
    fit = reference_rows(
        memory,
        queries=len(chunks.queries),
        most=shard.count,
        **_item_facts(references, chunks.k),
    )
    if fit == 0:
        raise ConfigError(
            f"`memory` of {memory / 1e6:,.0f} MB is too little for a block of "
            f"{len(chunks.queries):,} queries; give more (a search that was begun keeps the blocks it "
            "was begun with)"
        )
    pieces = -(-shard.count // fit)
    rows = -(-shard.count // pieces)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(references.read, number, 0, min(rows, shard.count))
        for start in range(0, shard.count, rows):
            chunk = coming.result()
            after = start + len(chunk)
            if after < shard.count:
                stop = min(after + rows, shard.count)
                coming = reader.submit(references.read, number, after, stop)

            def report(done: int, total: int, at: int = start, size: int = len(chunk)) -> None:
                on_rows(at + size * done // total)

            chunks.search(chunk, first=shard.start + start, on_progress=report)
    assert chunks.best is not None
    return Found(number, chunks.best)


def sharded_neighbors(
    queries: npt.NDArray[Any] | ShardSet,
    references: ShardSet,
    *,
    out: Path,
    memory: int,
    k: int = 2,
    engine: Engine | None = None,
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
    config = {
        "kind": "neighbors",
        "queries": queries.digest if isinstance(queries, ShardSet) else items_digest(queries),
        "references": references.digest,
        "k": k,
    }
    with Run(out, config) as run:
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
            arrays = {"indices": found.indices, "sq_distances": found.sq_distances}
            write_npz(out / "neighbors.npz", arrays)
        for path in (out / "partial").glob("*.npz"):
            path.unlink()
        return load_found(out / "neighbors.npz")[0]


def _item_facts(references: ShardSet, k: int) -> dict[str, int]:
    return {
        "dimension": int(np.prod(references.shape)),
        "itemsize": references.dtype.itemsize,
        "k": k,
        "threads": torch.get_num_threads(),
    }


def _blocks(
    queries: npt.NDArray[Any] | ShardSet, references: ShardSet, out: Path, *, k: int, memory: int
) -> Blocks:
    """Return the blocks that the search in this folder was begun with, or plan them."""
    path = out / "plan.json"
    if path.exists():
        return Blocks(int(read_json(path)["query_rows"]), 0)
    blocks = plan_blocks(
        memory,
        queries=len(queries),
        references=max(shard.count for shard in references.shards),
        **_item_facts(references, k),
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
    engine: Engine,
    on_progress: Callable[[int, int], None],
) -> list[Neighbors]:
    total = len(references) * -(-len(queries) // rows)
    finished = 0
    parts = []
    for start in range(0, len(queries), rows):
        stop = min(start + rows, len(queries))
        path = out / "partial" / f"{start}-{stop}.npz"
        best, done = load_found(path) if path.exists() else (None, None)
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
                write_npz(
                    path,
                    {"indices": best.indices, "sq_distances": best.sq_distances, "done": done},
                )
                on_progress(finished, total)
        assert best is not None
        parts.append(best)
    return parts


def load_found(path: Path) -> tuple[Neighbors, npt.NDArray[np.bool_] | None]:
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
