"""Local workers: what a failing run says, and workers that are killed again and again."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from command import descendants

from rote.core.errors import Interrupted, RunError
from rote.data.dataset import Dataset
from rote.experiments.execution import local as workers
from rote.experiments.execution.local import Workers

DATA = Dataset(np.zeros((2, 4, 4, 1), np.uint8))


@dataclass(frozen=True)
class Errand:
    number: int
    root: Path

    @property
    def folder(self):
        return self.root / str(self.number)

    def moved(self, root):
        return replace(self, root=root)


def fail_or_wait(task, dataset, *, should_stop):
    """The last one fails; the others would wait for ever, were they not stopped."""
    if task.number == 1:
        raise RunError("the disk is full")
    while not should_stop():
        time.sleep(0.01)
    raise Interrupted


def die_twice(task, dataset, *, should_stop):
    task.folder.mkdir(parents=True, exist_ok=True)
    tries = len(list(task.folder.iterdir()))
    (task.folder / str(tries)).touch()
    if task.number == 1 and tries < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task.number, tries


def test_what_one_says_comes_before_the_stopping_of_the_others(tmp_path):
    with (
        pytest.raises(RunError, match="the disk is full"),
        Workers(2, DATA, threads=1) as pool,
    ):
        pool.run_each(
            [Errand(0, tmp_path), Errand(1, tmp_path)], fail_or_wait, on_poll=lambda: None
        )


def test_a_worker_killed_twice_and_once_too_often(tmp_path, monkeypatch):
    errands = [Errand(number, tmp_path / "a") for number in range(3)]
    told = []
    with Workers(1, DATA, threads=1, on_note=told.append) as pool:
        found = pool.run_each(errands, die_twice, on_poll=lambda: None)
    assert found == [(0, 0), (1, 2), (2, 0)]
    assert len(told) == 2 and "killed from outside" in told[0]
    monkeypatch.setattr(workers, "RESTARTS", 1)
    with (
        pytest.raises(RunError, match="killed from outside 2 times") as caught,
        Workers(1, DATA, threads=1) as pool,
    ):
        pool.run_each([Errand(1, tmp_path / "b")], die_twice, on_poll=lambda: None)
    assert "\n" not in str(caught.value)


def kill_as_they_start(count, killed):
    """Kill the first so many workers of this process at their first moment."""
    while len(killed) < count:
        for pid, line in descendants(os.getpid()).items():
            if b"spawn_main" in line and pid not in killed and len(killed) < count:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        time.sleep(0.001)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")
@pytest.mark.parametrize(
    ("kills", "message"), [(2, None), (4, "killed from outside 4 times .* same command again")]
)
def test_workers_killed_while_they_start(tmp_path, kills, message):
    # More than a pipe holds: what a worker does not take must not keep us waiting.
    data = Dataset(np.zeros((100, 64, 64, 3), np.uint8))
    killed, told = [], []
    killer = threading.Thread(target=kill_as_they_start, args=(kills, killed))
    expected = pytest.raises(RunError, match=message) if message else contextlib.nullcontext()
    with expected, Workers(1, data, threads=1, on_note=told.append) as pool:
        killer.start()
        found = pool.run_each([Errand(1, tmp_path)], die_never, on_poll=lambda: None)
        assert found == [100]
    killer.join()
    assert len(killed) == kills
    assert len(told) == min(kills, workers.RESTARTS)
    assert not any(thread.name == "rote-feeder" for thread in threading.enumerate())


def die_never(task, dataset, *, should_stop):
    return len(dataset)


@pytest.mark.parametrize(
    ("visible", "taken"),
    [("4,7", ["4", "7", "4"]), ("3", ["3", "3", "3"]), (None, ["none", "none", "none"])],
)
def test_workers_take_one_gpu_of_several_in_turn(visible, taken, monkeypatch):
    found = []
    for worker in range(3):
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        workers._take_gpu(worker)
        found.append(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    assert found == taken
