"""Shards searched by Ray workers, on one machine or many.

Everything that makes a cluster is Ray's: tasks are scheduled by it, the queries lie once in its object
store, and the shard of a worker that is lost is done again (`max_retries`). Results are merged where the
command runs, exactly as of one machine. Ray is imported here only, when it is asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from rote.core.errors import ConfigError, RoteError, RunError
from rote.data.shards import ShardSet
from rote.memorization.sharded import Found, search_shard

RETRIES = 3
CONNECT_SECONDS = 12.0
OBJECT_STORE = 200_000_000
IN_FLIGHT = 2
"""Tasks submitted for each CPU of the cluster: none waits for work, and millions need not queue."""


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
        on_rows: Callable[[int], None],
    ) -> Iterator[Found]:
        """Yield the shards as they are finished."""
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
                    ref = task.remote(queries_ref, references_ref, number, k, self.memory)
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

    def _result(self, ref: Any, file: str) -> Found:
        errors = self.ray.exceptions
        try:
            found: Found = self.ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, RoteError):
                raise type(error.cause)(f"{error.cause} (said by a Ray worker)") from None
            raise
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            raise RunError(
                f"the Ray workers that searched {file} were lost {RETRIES + 1} times "
                f"({type(error).__name__}; out of memory?); what is finished is saved: run the same "
                "command again, perhaps with less --memory"
            ) from None
        except errors.RayError as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise RunError(
                f"Ray failed on {file} ({type(error).__name__}: {first}); what is finished is saved: "
                "run the same command again"
            ) from None
        return found


def search_task(
    queries: npt.NDArray[Any], references: ShardSet, number: int, k: int, memory: int
) -> Found:
    """Search one shard in a worker, on one CPU."""
    import torch

    torch.set_num_threads(1)
    return search_shard(queries, references, number, k=k, memory=memory)


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
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise ConfigError(
            "--engine ray needs Ray, which is not installed; pip install 'rote[ray]'"
        ) from None
    with contextlib.ExitStack() as stack:
        if address is None:
            # A short path: Ray puts sockets there, whose names are limited to 107 bytes.
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="rote-ray-", ignore_cleanup_errors=True)
            )
            _start(ray, folder, workers, query_bytes)
        else:
            _connect(ray, address)
        stack.callback(ray.shutdown)
        yield RayEngine(ray, memory)


def _start(ray: Any, folder: str, workers: int, query_bytes: int) -> None:
    try:
        ray.init(
            address="local",
            num_cpus=workers,
            object_store_memory=OBJECT_STORE + 2 * query_bytes,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
    except Exception as error:  # noqa: BLE001 - Ray documents no exceptions of its own here
        raise RunError(
            f"a local Ray could not be started ({_first_line(error)}); use --engine local, or start "
            "Ray yourself and give its --ray-address"
        ) from None


def _connect(ray: Any, address: str) -> None:
    """Connect, after a look from a process that can be given up: Ray itself waits for minutes."""
    problem = ""
    if address not in ("auto", "local"):
        code = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"
        check = ["-m", "ray.scripts.scripts", "health-check", "--address", address]
        look = ["-c", code, address] if "://" in address else check
        try:
            done = subprocess.run(
                [sys.executable, *look], capture_output=True, timeout=CONNECT_SECONDS, check=False
            )
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines()
                problem = f"no Ray answers there: {said[-1]}" if said else "no Ray answers there"
        except subprocess.TimeoutExpired:
            problem = f"no answer in {CONNECT_SECONDS:.0f} s"
    if not problem:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # noqa: BLE001 - Ray documents no exceptions of its own here
            problem = _first_line(error)
    if problem:
        raise ConfigError(
            f"--ray-address {address} cannot be reached ({problem}); give the address that `ray start "
            "--head` printed, or leave it out for a local Ray"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
