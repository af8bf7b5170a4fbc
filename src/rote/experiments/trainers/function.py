"""Calls a trainer, and checks what it yields."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rote.core.atomic_files import open_log
from rote.core.errors import Interrupted, RoteError, RunError
from rote.experiments.trainers.protocol import TrainedModel, Trainer, TrainingJob


def train_by(trainer: Trainer, job: TrainingJob, *, who: str) -> Iterator[TrainedModel]:
    """Yield what a trainer yields, or the one model that it returns.

    Parameters
    ----------
    trainer
        Called once.
    job
        What it is asked for.
    who
        The trainer, for messages.

    Raises
    ------
    RunError
        One line: what it raised (the traceback lies in ``trainer.log`` of the job's folder), or what it
        yielded that is no model, or not later than the one before, or that it yielded none.
    """
    seen = -1
    models = _calls(trainer, job, who)
    for model in models:
        if not isinstance(model, TrainedModel):
            raise RunError(
                f"{who} yielded a {type(model).__qualname__}; a rote.TrainedModel is expected"
            )
        if not isinstance(model.images_seen, int) or model.images_seen <= seen:
            raise RunError(
                f"{who} yielded images_seen {model.images_seen!r} after {max(seen, 0):,}; a whole number "
                "that grows is expected"
            )
        seen = model.images_seen
        yield model
        if job.should_stop():
            raise Interrupted
    if job.should_stop():
        raise Interrupted
    if seen < 0:
        raise RunError(f"{who} ended without a model; yield or return a rote.TrainedModel")


def _calls(trainer: Trainer, job: TrainingJob, who: str) -> Iterator[object]:
    with said(job.folder, who):
        found: object = trainer(job)
    if isinstance(found, TrainedModel):  # the end of its training
        yield replace(found, planned=found.images_seen)
        return
    if not hasattr(found, "__iter__"):
        yield found
        return
    rest = iter(found)
    while True:
        with said(job.folder, who):
            model = next(rest, None)
        if model is None:
            return
        yield model


class said:
    """Turn what a person's own code raises into one line, with the traceback in a folder."""

    def __init__(self, folder: Path, who: str) -> None:
        self._folder, self._who = folder, who

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell what was raised, but for rote's own lines and for interruptions."""
        own = (RoteError, Interrupted, KeyboardInterrupt, GeneratorExit)
        if error is None or isinstance(error, own):
            return
        log = self._folder / "trainer.log"
        with open_log(log) as file:
            file.write("".join(traceback.format_exception(error)).encode())
        text = " ".join(str(error).split())[:200]
        raise RunError(
            f"{self._who} raised {type(error).__name__}: {text} (the traceback is in {log})"
        ) from None
