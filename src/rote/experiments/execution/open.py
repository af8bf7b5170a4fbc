"""Opens the workers that runs are trained on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from rote.data.dataset import Dataset
from rote.experiments.execution.engine import Engine, RayOptions
from rote.experiments.execution.local import Workers
from rote.experiments.execution.ray import ray_workers
from rote.experiments.execution.this_process import ThisProcess


def open_engine(
    ray: RayOptions | None,
    *,
    workers: int,
    dataset: Dataset,
    threads: int,
    on_note: Callable[[str], None],
) -> AbstractContextManager[Engine]:
    """Return the engine for some runs, to be entered.

    Parameters
    ----------
    ray
        Of what kind; None: worker processes here.
    workers
        How many, here or of a local Ray; a cluster by its address decides that itself. 0: this process.
    dataset
        The data of all runs, in model units.
    threads
        CPU threads of each run.
    on_note
        Called with what a person should know, such as a worker that was lost.
    """
    if ray is None and not workers:
        return ThisProcess(dataset, threads=threads)
    if ray is None:
        return Workers(workers, dataset, threads=threads, on_note=on_note)
    return ray_workers(ray, workers=workers, dataset=dataset, threads=threads, on_note=on_note)
