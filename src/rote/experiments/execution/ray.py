"""Runs on Ray workers, on one machine or many, with the results here.

Scheduling is Ray's; the data lies once in its object store. A worker that sees the folder of the runs
works in it, as a local one would. One that does not works in a copy, and its files are sent here every
few seconds and at the end: a run whose worker, machine or driver is lost goes on from there.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic

from rote.core.atomic_files import write_text
from rote.core.errors import ConfigError, Interrupted, RoteError, RunError, first_line
from rote.core.ray.cluster import IN_FLIGHT, RETRIES, connected, is_lost, ray_module
from rote.core.run_folder import versions
from rote.data.dataset import Dataset
from rote.experiments.execution.engine import Perform, RayOptions, ResultT, TaskT
from rote.experiments.execution.file_sync import FileSync
from rote.experiments.execution.ray_worker import Coordinator, Outcome, SharedRoot, perform_run

POLL_SECONDS = 0.25
GRACE_SECONDS = 120.0
"""How long a stopping command waits for its workers to save."""


@dataclass
class _Attempt(Generic[TaskT]):
    """One try of one task, as the driver sees it."""

    number: int
    task: TaskT
    name: str
    sync: FileSync


class RayWorkers:
    """Workers of a connected Ray; made by `ray_workers`."""

    def __init__(
        self,
        ray: Any,
        options: RayOptions,
        dataset: Dataset,
        *,
        threads: int,
        on_note: Callable[[str], None],
    ) -> None:
        self._ray, self._threads, self._on_note = ray, threads, on_note
        resources = ray.cluster_resources()
        slots = int(resources.get("CPU", 1) / threads)
        if share := options.gpus_per_run:
            gpus = resources.get("GPU", 0)
            slots = min(slots, int(gpus / share))
            if gpus < share:
                raise ConfigError(
                    f"`gpus_per_run` is {share:g}, but this Ray has {gpus:g} GPUs; give less, or 0 for "
                    "runs on the CPU"
                )
        if not slots:
            raise ConfigError(f"a run takes {threads} CPUs, but this Ray has fewer")
        self._limit = IN_FLIGHT * slots
        # A lost run is begun again here and not by Ray, which would send it what was here at its start.
        self._run = ray.remote(num_cpus=threads, num_gpus=share, max_retries=0)(perform_run)
        near = ray_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._coordinator = ray.remote(num_cpus=0, scheduling_strategy=near)(Coordinator).remote()
        self._data = ray.put(dataset)
        self._version = versions()["rote"]
        self._pending: dict[Any, _Attempt[Any]] = {}
        self._interrupted = threading.Event()

    def run_each(
        self,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        *,
        on_poll: Callable[[], None],
    ) -> list[ResultT]:
        """Run the tasks and return their results in the order of the tasks; see `Engine`."""
        if not tasks:
            return []
        # In a thread of their own, for a signal must not raise within Ray: those reach the main thread.
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(self._run_all, tasks, perform)
            try:
                while not wait([future], timeout=POLL_SECONDS).done:
                    on_poll()
            except BaseException:
                self._interrupted.set()
                raise
        on_poll()
        return future.result()

    def _run_all(self, tasks: Sequence[TaskT], perform: Perform[TaskT, ResultT]) -> list[ResultT]:
        results: dict[int, Any] = {}
        losses = dict.fromkeys(range(len(tasks)), 0)
        waiting = list(reversed(range(len(tasks))))
        failed: RoteError | None = None
        with self._shared_root(tasks) as shared:
            while self._pending or (waiting and not failed):
                while waiting and not failed and len(self._pending) < self._limit:
                    self._submit(waiting.pop(), tasks, perform, shared)
                for attempt, outcome in self._wait():
                    if outcome.error is not None:
                        failed = failed or _said_by_a_worker(outcome.error)
                    elif outcome.is_done:
                        results[attempt.number] = outcome.result
                    elif not failed:
                        waiting.append(attempt.number)
                        losses[attempt.number] += 1
                        failed = self._lost(attempt, losses[attempt.number])
                if self._interrupted.is_set():
                    raise Interrupted
                if failed:
                    self._ray.get(self._coordinator.stop.remote())
        if failed:
            raise failed
        return [results[number] for number in range(len(tasks))]

    @contextlib.contextmanager
    def _shared_root(self, tasks: Sequence[TaskT]) -> Iterator[SharedRoot]:
        """Mark the folder of the runs; at an early end, have the workers save, and fetch it."""
        shared = SharedRoot(tasks[0].root.resolve(), secrets.token_hex(8))
        write_text(shared.mark, shared.token)
        errors = self._ray.exceptions
        try:
            yield shared
        except errors.RayError as error:
            self._stop()
            if "No module named 'rote'" in str(error):
                raise RunError(
                    "the Ray workers cannot import rote; install the same version there"
                ) from None
            ours = isinstance(error, errors.RayTaskError) and not isinstance(
                error.cause, errors.RayError
            )
            if ours:  # its traceback is needed
                raise
            raise RunError(
                f"Ray failed ({type(error).__name__}: {first_line(error)}); what is finished is saved: "
                "run the same command again"
            ) from None
        except BaseException:
            self._stop()
            raise
        finally:
            shared.mark.unlink(missing_ok=True)

    def _submit(
        self,
        number: int,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        shared: SharedRoot,
    ) -> None:
        task, name = tasks[number], secrets.token_hex(8)
        ref = self._run.remote(
            perform,
            task,
            self._data,
            self._threads,
            self._coordinator,
            name,
            shared,
            self._version,
        )
        self._pending[ref] = _Attempt(number, task, name, FileSync(task.folder))

    def _wait(self) -> list[tuple[_Attempt[Any], Outcome[Any]]]:
        """Wait a moment; return the attempts that have ended, their files here."""
        done, _ = self._ray.wait(
            list(self._pending), num_returns=len(self._pending), timeout=POLL_SECONDS
        )
        self._exchange()
        found = []
        for ref in done:
            attempt = self._pending.pop(ref)
            outcome = self._outcome(ref)
            attempt.sync.unpack(outcome.parcel)
            found.append((attempt, outcome))
        return found

    def _exchange(self) -> None:
        """Give workers that ask what is here, and write what they have brought."""
        asked, parcels = self._ray.get(self._coordinator.fetch.remote())
        for attempt in self._pending.values():
            if attempt.name in asked:
                self._ray.get(self._coordinator.answer.remote(attempt.name, attempt.sync.changed()))
            if parcel := parcels.get(attempt.name):
                attempt.sync.unpack(parcel)

    def _outcome(self, ref: Any) -> Outcome[Any]:
        errors = self._ray.exceptions
        try:
            found: Outcome[Any] = self._ray.get(ref)
        except errors.TaskCancelledError:
            return Outcome()
        except errors.RayError as error:
            if is_lost(error):
                return Outcome()
            raise
        return found

    def _lost(self, attempt: _Attempt[Any], losses: int) -> RunError | None:
        """Say that a worker was lost; return an error if that has been once too often."""
        name = attempt.task.folder.name
        if losses <= RETRIES:
            self._on_note(f"the Ray worker of run {name} was lost; the run goes on in another one")
            return None
        return RunError(
            f"the Ray workers of run {name} were lost {losses} times (out of memory?); what was saved is "
            "kept: run the same command again"
        )

    def _stop(self) -> None:
        """Have all workers save; fetch their files."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.get(self._coordinator.stop.remote())
            begun = self._ray.get(self._coordinator.begun.remote())
            for ref, attempt in self._pending.items():
                if attempt.name not in begun:
                    self._ray.cancel(ref)
            deadline = time.monotonic() + GRACE_SECONDS
            while self._pending and time.monotonic() < deadline:
                self._wait()
        for ref in self._pending:
            self._ray.cancel(ref, force=True)
        self._pending = {}


def _said_by_a_worker(error: RoteError) -> RoteError:
    return type(error)(f"{error} (said by a Ray worker)")


@contextlib.contextmanager
def ray_workers(
    options: RayOptions,
    *,
    workers: int,
    dataset: Dataset,
    threads: int,
    on_note: Callable[[str], None],
) -> Iterator[RayWorkers]:
    """Connect to a Ray cluster, or start a local one of ``workers`` and stop it at the end.

    Raises
    ------
    ConfigError
        If Ray is not installed, nothing answers at the address, or it has too few CPUs or GPUs.
    """
    size = dataset.items.nbytes
    with connected(address=options.address, workers=workers * threads, object_bytes=size) as ray:
        yield RayWorkers(ray, options, dataset, threads=threads, on_note=on_note)
