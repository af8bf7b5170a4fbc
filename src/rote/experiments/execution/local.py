"""Local worker processes: points in parallel, one thread each on a CPU.

Workers are spawned with the data once and then take points. They ignore Ctrl-C, which a terminal
sends to the whole group: the parent sets an event, and every worker saves and stops at its next step.
A worker whose parent has died stops too, so that no orphan writes into the directory of a search that
was started again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from multiprocessing.synchronize import Event
from types import NoneType, TracebackType
from typing import Any

from rote.core.errors import Interrupted, RunError
from rote.core.memory import keep_freed_memory
from rote.core.user_module import own_path, safe_path
from rote.data.dataset import Dataset
from rote.experiments.execution.engine import Perform, ResultT, TaskT

POLL_SECONDS = 0.25
RESTARTS = 3
"""How often the pool is started again after a worker was killed."""


class Workers:
    """A pool of worker processes that holds the data; a context manager."""

    def __init__(
        self,
        count: int,
        dataset: Dataset,
        *,
        threads: int,
        on_note: Callable[[str], None] = lambda note: None,
    ) -> None:
        # Spawned, not forked: torch's threads and CUDA do not survive a fork.
        self._context = multiprocessing.get_context("spawn")
        self._count, self._on_note = count, on_note
        self._dataset, self._threads = dataset, threads
        self._start()

    @safe_path()
    def _start(self) -> None:
        # What processes share is new with them: one that was killed may have held a lock for ever.
        self._stop = self._context.Event()
        number = self._context.Value("i", 0)
        # Not as an argument: those wait in a pipe whose reading end Python holds open too while a process
        # starts. One that is killed then would leave us writing for ever.
        self._reader, writer = self._context.Pipe(duplex=False)
        self._feeder = threading.Thread(
            target=_feed, args=(self._dataset, self._count, writer), daemon=True, name="rote-feeder"
        )
        self._feeder.start()
        self._pool = ProcessPoolExecutor(
            self._count,
            mp_context=self._context,
            initializer=_start_worker,
            initargs=(self._reader, self._threads, number, self._stop),
        )

    def _end(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._reader.close()  # the last one that was open: what nobody took is given up
        self._feeder.join()

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
        self._end()

    def run_each(
        self,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        *,
        on_poll: Callable[[], None],
    ) -> list[ResultT]:
        """Run the tasks and return their results in the order of the tasks; see `Engine`.

        A killed worker takes the pool with it. A new pool goes on with all unfinished tasks from what
        they had saved.
        """
        results: dict[int, ResultT] = {}
        restarts = 0
        while len(results) < len(tasks):
            missing = [number for number in range(len(tasks)) if number not in results]
            results |= self._try([tasks[n] for n in missing], missing, perform, on_poll)
            if len(results) == len(tasks):
                break
            if restarts == RESTARTS:
                raise RunError(
                    f"worker processes were killed from outside {restarts + 1} times (out of memory?); "
                    "what was saved is kept: run the same command again, perhaps with fewer `workers`"
                )
            restarts += 1
            self._on_note(
                "a worker process was killed from outside (out of memory?); new ones go on from what "
                "was saved"
            )
            self._end()
            self._start()
        return [results[number] for number in range(len(tasks))]

    def _try(
        self,
        tasks: Sequence[TaskT],
        numbers: Sequence[int],
        perform: Perform[TaskT, ResultT],
        on_poll: Callable[[], None],
    ) -> dict[int, ResultT]:
        """Return the results that there are when all are done or the pool is broken."""
        try:
            with safe_path():
                futures = [self._pool.submit(_run_task, perform, task) for task in tasks]
        except BrokenProcessPool:  # killed while it was idle
            return {}
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=POLL_SECONDS)
            on_poll()
            if any(not isinstance(e, (NoneType, BrokenProcessPool)) for e in _errors(done)):
                self._stop.set()
        # One that failed makes the others stop: what it says comes before their `Interrupted`.
        errors = [e for e in _errors(futures) if e and not isinstance(e, BrokenProcessPool)]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, Interrupted))
        return {n: f.result() for n, f in zip(numbers, futures, strict=True) if not f.exception()}


def _feed(dataset: Dataset, count: int, writer: Connection) -> None:
    """Give the data to as many workers, as each starts."""
    data = ForkingPickler.dumps(dataset)
    with writer, contextlib.suppress(BrokenPipeError):
        for _ in range(count):
            writer.send_bytes(data)


def _errors(futures: Iterable[Future[Any]]) -> list[BaseException | None]:
    return [future.exception() for future in futures]


class _Worker:
    """What a worker process keeps between points."""

    dataset: Dataset
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


def _start_worker(reader: Connection, threads: int, number: Any, stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with number.get_lock():
        own, number.value = number.value, number.value + 1
        dataset = reader.recv()
    import torch

    own_path()
    _take_gpu(own)
    torch.set_num_threads(threads)
    keep_freed_memory()
    _Worker.dataset, _Worker.stop = dataset, stop


def _take_gpu(worker: int) -> None:
    """Show this process one GPU of several: worker after worker, round and round."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = named.split(",") if named else [str(n) for n in range(torch.cuda.device_count())]
    if len(visible) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[worker % len(visible)]


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
        return perform(task, _Worker.dataset, should_stop=_Worker.should_stop)
    finally:
        _Worker.busy = False
