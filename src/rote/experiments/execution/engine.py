"""What runs are trained on: worker processes here, or Ray. Whoever plans runs does not know which.

`rote.experiments.execution.open` opens either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from rote.data.dataset import Dataset


class Task(Protocol):
    """A run that a worker can do: its place, and how to say it for another place."""

    @property
    def root(self) -> Path:
        """Folder of all runs."""
        ...

    @property
    def folder(self) -> Path:
        """Folder of the run, below ``root``."""
        ...

    def moved(self, root: Path) -> Self:
        """Return the same run below another folder."""
        ...


TaskT = TypeVar("TaskT", bound=Task)
ResultT = TypeVar("ResultT")


class Perform(Protocol[TaskT, ResultT]):  # type: ignore[misc]
    """What a worker does with a task."""

    def __call__(
        self,
        task: TaskT,
        dataset: Dataset,
        /,
        *,
        should_stop: Callable[[], bool],
    ) -> ResultT:
        """Do it; once ``should_stop`` says so, save and raise `Interrupted`."""


class Engine(Protocol):
    """Workers that hold the data and take tasks."""

    def run_each(
        self,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        *,
        on_poll: Callable[[], None],
    ) -> list[ResultT]:
        """Run the tasks and return their results in the order of the tasks.

        Every task's folder is complete once its result is there, wherever it ran, and its result does
        not depend on where that was. A task whose worker is lost is done again, from what it had saved.

        Parameters
        ----------
        tasks
            The tasks; they are sent to the workers.
        perform
            A function of a module, or a `functools.partial` of one: called in a worker with a task and
            the data.
        on_poll
            Called several times a second while they run.

        Raises
        ------
        RunError
            If a task's worker was lost too often.
        """
        ...


@dataclass(frozen=True)
class RayOptions:
    """Runs on a Ray cluster."""

    address: str | None = None
    """Of a running cluster; None starts one here, and stops it at the end."""
    gpus_per_run: float = 0.0
    """GPUs that each run takes; a fraction shares one between runs."""


def default_workers(device: str) -> int:
    """Return how many workers suit this machine: one per GPU, else one per core."""
    if device == "cuda":
        import torch

        return max(1, torch.cuda.device_count())
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
