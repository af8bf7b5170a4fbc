"""What searches shards: this process, one after the other, or workers elsewhere (`ray`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError
from rote.data.shards.read import ShardSet
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.out_of_core.memory_budget import reference_rows
from rote.neighbors.search import Neighbors


@dataclass(frozen=True, eq=False)
class ShardResult:
    """What the search of one shard came to, by global indices.

    ``neighbors`` are the k nearest of the shard and of any other references that were known: merged over
    all shards, they are the k nearest of all.
    """

    number: int
    neighbors: Neighbors


class ShardEngine(Protocol):
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
    ) -> Iterator[ShardResult]:
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
    ) -> Iterator[ShardResult]:
        """Yield the shards in order; each starts from what the ones before have left."""
        chunks = ChunkedSearch(queries, k=k, known=known())
        for number in numbers:
            yield search_shard(chunks, references, number, memory=self.memory, on_rows=on_rows)


def search_shard(
    chunks: ChunkedSearch,
    references: ShardSet,
    number: int,
    *,
    memory: int,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> ShardResult:
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
        **item_facts(references, chunks.k),
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
    return ShardResult(number, chunks.best)


def item_facts(references: ShardSet, k: int) -> dict[str, int]:
    """Return what the memory of a search depends on, beside the numbers of items."""
    return {
        "dimension": int(np.prod(references.shape)),
        "itemsize": references.dtype.itemsize,
        "k": k,
        "threads": torch.get_num_threads(),
    }
