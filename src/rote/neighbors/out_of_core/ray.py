"""Shards searched by Ray workers, on one machine or many.

Everything that makes a cluster is Ray's: tasks are scheduled by it, the queries lie once in its object
store, and the shard of a worker that is lost is done again (`max_retries`). Results are merged where the
command runs, exactly as of one machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from rote.core.errors import RoteError, RunError, first_line
from rote.core.ray.cluster import IN_FLIGHT, RETRIES, connected, is_lost
from rote.data.shards.read import ShardSet
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.out_of_core.engine import ShardResult, search_shard
from rote.neighbors.search import Neighbors


@dataclass(frozen=True)
class RayEngine:
    """Searches shards by tasks of a connected Ray; made by `ray_engine`."""

    ray: Any
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
        """Yield the shards as they are finished; each task starts from what was known by then."""
        ray = self.ray
        # Retries are for workers that are lost; an error that rote raises would only come again.
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(search_task)
        queries_ref = ray.put(queries)
        # Workers read the files themselves: by the same path on every machine.
        references_ref = ray.put(replace(references, folder=references.folder.resolve()))
        limit = max(1, IN_FLIGHT * int(ray.cluster_resources().get("CPU", 1)))
        pending: dict[Any, int] = {}
        waiting = iter(numbers)
        try:
            while True:
                for number in waiting:
                    ref = task.remote(queries_ref, references_ref, number, k, self.memory, known())
                    pending[ref] = number
                    if len(pending) >= limit:
                        break
                if not pending:
                    return
                done, _ = ray.wait(list(pending), num_returns=1)
                for ref in done:
                    number = pending.pop(ref)
                    yield self._result(ref, references.shards[number].file)
        finally:
            for ref in pending:
                ray.cancel(ref, force=True)

    def _result(self, ref: Any, file: str) -> ShardResult:
        errors = self.ray.exceptions
        try:
            found: ShardResult = self.ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, RoteError):
                raise type(error.cause)(f"{error.cause} (said by a Ray worker)") from None
            raise
        except errors.RayError as error:
            name = type(error).__name__
            if is_lost(error):
                raise RunError(
                    f"the Ray workers that searched {file} were lost {RETRIES + 1} times ({name}; out "
                    "of memory?); what is finished is saved: run the same command again, perhaps "
                    "with less `memory`"
                ) from None
            raise RunError(
                f"Ray failed on {file} ({name}: {first_line(error)}); what is finished is saved: run "
                "the same command again"
            ) from None
        return found


def search_task(
    queries: npt.NDArray[Any],
    references: ShardSet,
    number: int,
    k: int,
    memory: int,
    known: Neighbors | None,
) -> ShardResult:
    """Search one shard in a worker, on one CPU."""
    import torch

    torch.set_num_threads(1)
    return search_shard(ChunkedSearch(queries, k=k, known=known), references, number, memory=memory)


@contextlib.contextmanager
def ray_engine(
    *, memory: int, address: str | None, workers: int, query_bytes: int
) -> Iterator[RayEngine]:
    """Connect to a Ray cluster, or start a local one and stop it at the end.

    Parameters
    ----------
    memory
        Peak memory of each worker, in bytes.
    address
        Of a running cluster; None starts one here.
    workers
        Worker processes of a local cluster.
    query_bytes
        Room for the queries in the object store of a local cluster.

    Raises
    ------
    ConfigError
        If Ray is not installed, or nothing answers at the address.
    """
    with connected(address=address, workers=workers, object_bytes=query_bytes) as ray:
        yield RayEngine(ray, memory)
