"""Runs in this process, one after the other: for what no other process can import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

import torch

from rote.data.dataset import Dataset
from rote.experiments.execution.engine import Perform, ResultT, TaskT


class ThisProcess:
    """An engine without workers; a context manager."""

    def __init__(self, dataset: Dataset, *, threads: int) -> None:
        self._dataset, self._threads = dataset, threads

    def __enter__(self) -> ThisProcess:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        torch.set_num_threads(self._before)

    def run_each(
        self,
        tasks: Sequence[TaskT],
        perform: Perform[TaskT, ResultT],
        *,
        on_poll: Callable[[], None],
    ) -> list[ResultT]:
        """Run the tasks and return their results; see `Engine`. Ctrl-C passes through."""
        results = []
        for task in tasks:
            on_poll()
            results.append(perform(task, self._dataset, should_stop=lambda: False))
        on_poll()
        return results
