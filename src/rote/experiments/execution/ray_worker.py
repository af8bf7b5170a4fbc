"""What a Ray worker does: one run, in its own folder or in a copy whose files are sent there.

Driver and workers meet at the coordinator, an actor without a CPU: it holds the wish to stop, and the
files on their way between the folder of a run and a worker that does not see it.
"""

from __future__ import annotations

import contextlib
import platform
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from rote.core.errors import Interrupted, RoteError, RunError
from rote.core.memory import keep_freed_memory
from rote.core.ray.cluster import ray_module
from rote.core.run_folder import versions
from rote.core.user_module import own_path
from rote.data.dataset import Dataset
from rote.experiments.execution.engine import Perform, ResultT, TaskT
from rote.experiments.execution.file_sync import FileSync, Parcel

ASK_SECONDS = 0.1
LOOK_SECONDS = 0.5
"""Between two looks of a worker at the coordinator."""
CARRY_SECONDS = 2.0
"""Between two parcels of a worker, and at least `CARRY_SHARE` times what the last one took."""
CARRY_SHARE = 20


class Coordinator:
    """Where the driver and the workers of a command meet. An attempt is one try of one task."""

    def __init__(self) -> None:
        self._stop = False
        self._begun: set[str] = set()
        self._asked: list[str] = []
        self._answers: dict[str, Parcel] = {}
        self._parcels: dict[str, Parcel] = {}

    def stop(self) -> None:
        """Ask all workers to save and stop."""
        self._stop = True

    def stopping(self) -> bool:
        """Say whether to stop."""
        return self._stop

    def begin(self, attempt: str) -> None:
        """Note that a worker has begun."""
        self._begun.add(attempt)

    def begun(self) -> set[str]:
        """Return the attempts that a worker has begun."""
        return self._begun

    def ask(self, attempt: str) -> None:
        """Ask for what the run's folder holds."""
        self._asked.append(attempt)

    def answer(self, attempt: str, parcel: Parcel) -> None:
        """Answer that."""
        self._answers[attempt] = parcel

    def answered(self, attempt: str) -> Parcel | None:
        """Return the answer, once it is there."""
        return self._answers.pop(attempt, None)

    def bring(self, attempt: str, parcel: Parcel) -> None:
        """Leave files for the driver; newer ones take the place of those not fetched yet."""
        self._parcels.setdefault(attempt, {}).update(parcel)

    def fetch(self) -> tuple[list[str], dict[str, Parcel]]:
        """Return the attempts that ask, and the files to write there."""
        found = self._asked, self._parcels
        self._asked, self._parcels = [], {}
        return found


@dataclass(frozen=True)
class SharedRoot:
    """The folder of all runs, and how a worker tells whether it sees that very folder."""

    root: Path
    token: str

    @property
    def mark(self) -> Path:
        """The file with the token; the next command takes the place of one that was killed."""
        return self.root / ".ray-home"

    def is_here(self) -> bool:
        """Say whether this machine sees it."""
        try:
            return self.mark.read_text(encoding="utf-8") == self.token
        except OSError:
            return False


@dataclass(frozen=True)
class Outcome(Generic[ResultT]):
    """What a worker sends at the end."""

    is_done: bool = False
    """Without an error: False where it was asked to stop and has saved, or was lost."""
    result: ResultT | None = None
    error: RoteError | None = None
    parcel: Parcel = field(default_factory=dict)


def perform_run(
    perform: Perform[TaskT, ResultT],
    task: TaskT,
    dataset: Dataset,
    threads: int,
    coordinator: Any,
    attempt: str,
    shared: SharedRoot,
    version: str,
) -> Outcome[ResultT]:
    """Do a task in a worker, in its folder or in a copy whose files are sent there."""
    import torch

    ray = ray_module()
    # Ctrl-C reaches the workers of a local Ray too; and only the driver decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = versions()["rote"]
    if own != version:
        where = platform.node()
        error = RunError(f"rote is {version} here and {own} on {where}; install the same there")
        return Outcome(error=error)
    own_path()
    torch.set_num_threads(threads)
    keep_freed_memory()
    ray.get(coordinator.begin.remote(attempt))
    with contextlib.ExitStack() as stack:
        sync = None
        moved = task.moved(shared.root)
        if not shared.is_here():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rote-runs-"))
            moved = task.moved(Path(folder))
            sync = FileSync(moved.folder)
            sync.unpack(_fetched(ray, coordinator, attempt))
        link = stack.enter_context(_Link(ray, coordinator, attempt, sync))
        is_done, result, failed = False, None, None
        try:
            if not link.stopping:
                result = perform(moved, dataset, should_stop=lambda: link.stopping)
                is_done = True
        except Interrupted:
            pass
        except RoteError as error:
            failed = error
        link.end()
        return Outcome(is_done, result, failed, sync.changed() if sync else {})


def _fetched(ray: Any, coordinator: Any, attempt: str) -> Parcel:
    """Return what the run's folder holds."""
    ray.get(coordinator.ask.remote(attempt))
    while True:
        parcel: Parcel | None = ray.get(coordinator.answered.remote(attempt))
        if parcel is not None:
            return parcel
        time.sleep(ASK_SECONDS)


class _Link:
    """A thread of a worker that looks for the wish to stop, and carries files."""

    def __init__(self, ray: Any, coordinator: Any, attempt: str, sync: FileSync | None) -> None:
        self._ray, self._coordinator, self._attempt, self._sync = ray, coordinator, attempt, sync
        self.stopping = bool(ray.get(coordinator.stopping.remote()))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _Link:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the thread: from then on only the caller carries."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        due = time.monotonic() + CARRY_SECONDS
        try:
            while not self._ended.wait(LOOK_SECONDS):
                self.stopping = bool(self._ray.get(self._coordinator.stopping.remote()))
                if self._sync and time.monotonic() > due:
                    started = time.monotonic()
                    if parcel := self._sync.changed():
                        self._ray.get(self._coordinator.bring.remote(self._attempt, parcel))
                    now = time.monotonic()
                    # Large states on a slow network must not take all of it.
                    due = now + max(CARRY_SECONDS, CARRY_SHARE * (now - started))
        except self._ray.exceptions.RayError:  # the coordinator is gone, and the driver with it
            self.stopping = True
