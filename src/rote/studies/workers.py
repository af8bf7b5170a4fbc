"""Local worker processes: points in parallel, one thread each on a CPU.

Workers are spawned with the data once and then take points. They ignore Ctrl-C, which a terminal
sends to the whole group: the parent sets an event, and every worker saves and stops at its next step.
A worker whose parent has died stops too, so that no orphan writes into the directory of a search that
was started again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Protocol, TypeVar

from rote.core.errors import Interrupted, RunError
from rote.core.memory import keep_freed_memory
from rote.data.dataset import ImageDataset
from rote.data.scaling import Scaling
from rote.memorization.emm import EmmPoint
from rote.studies.point import PointTask, run_point

POLL_SECONDS = 0.25
TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class Perform(Protocol[TaskT, ResultT]):  # type: ignore[misc]
    """What a worker does with a task."""

    def __call__(
        self,
        task: TaskT,
        dataset: ImageDataset,
        scaling: Scaling | None,
        /,
        *,
        should_stop: Callable[[], bool],
    ) -> ResultT:
        """Do it; once ``should_stop`` says so, save and raise `Interrupted`."""


class Workers:
    """A pool of worker processes that holds the data; a context manager."""

    def __init__(
        self, count: int, dataset: ImageDataset, scaling: Scaling | None, *, threads: int
    ) -> None:
        # Spawned, not forked: torch's threads and CUDA do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._pool = ProcessPoolExecutor(
            count,
            mp_context=context,
            initializer=_start_worker,
            initargs=(dataset, scaling, threads, self._stop),
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Sequence[PointTask], *, on_poll: Callable[[], None]) -> list[EmmPoint]:
        """Run the points of a search; see `run_each`."""
        return self.run_each(tasks, run_point, on_poll=on_poll)

    def run_each(
        self,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        *,
        on_poll: Callable[[], None],
    ) -> list[ResultT]:
        """Run the tasks and return their results in the order of the tasks.

        Parameters
        ----------
        tasks
            The tasks; they are sent to the workers.
        perform
            A function of a module: called in a worker with a task, the data and its scaling.
        on_poll
            Called several times a second while they run.

        Raises
        ------
        RunError
            If a worker was killed.
        """
        futures = [self._pool.submit(_run_task, perform, task) for task in tasks]
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=POLL_SECONDS)
            on_poll()
            if any(future.exception() for future in done):
                self._stop.set()
        try:
            return [future.result() for future in futures]
        except BrokenProcessPool:
            raise RunError(
                "a worker process was killed from outside (out of memory?); what it had saved is "
                "kept: run the same command again, perhaps with fewer --workers"
            ) from None


class _Worker:
    """What a worker process keeps between points."""

    dataset: ImageDataset
    scaling: Scaling | None
    stop: Event
    orphaned = False
    busy = False
    looked = 0.0
    stopping = False

    @classmethod
    def should_stop(cls) -> bool:
        """Say whether the parent wants a stop, or is gone; looks at most 10 times a second."""
        now = time.monotonic()
        if now - cls.looked > 0.1:
            cls.looked = now
            cls.stopping = cls.orphaned or cls.stop.is_set()
        return cls.stopping


def _start_worker(
    dataset: ImageDataset, scaling: Scaling | None, threads: int, stop: Event
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()
    _Worker.dataset, _Worker.scaling, _Worker.stop = dataset, scaling, stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process once its parent is gone, after the point at work has saved.

    An idle worker waits for its next task on a pipe that its sibling holds open too, so a killed parent
    would leave it waiting for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    _Worker.orphaned = True
    while _Worker.busy:
        time.sleep(0.05)
    os._exit(1)


def _run_task(perform: Perform[TaskT, ResultT], task: TaskT) -> ResultT:
    if _Worker.should_stop():
        raise Interrupted
    _Worker.busy = True
    try:
        return perform(task, _Worker.dataset, _Worker.scaling, should_stop=_Worker.should_stop)
    finally:
        _Worker.busy = False
