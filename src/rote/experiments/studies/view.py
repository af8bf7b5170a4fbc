"""What a person sees of studies while they run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rote.core.progress.display import showing
from rote.core.progress.work import work
from rote.experiments.run.status import read_status
from rote.experiments.studies.plan import Plan


@dataclass(frozen=True)
class TrialView:
    """What a person sees of a run that is at work: its stage, and how far it is."""

    key: str
    """Digest of its inputs: several studies may share one run."""
    value: str
    size: int
    replicate: int
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class StudyView:
    """What a person sees of a study: runs finished, and those at work."""

    name: str
    finished: int
    runs: int
    active: tuple[TrialView, ...]


@contextlib.contextmanager
def shown_studies(
    on_view: Callable[[list[StudyView]], None] | None,
) -> Iterator[Callable[[list[StudyView]], None]]:
    """Yield what is called with the state of studies: what is given, or else a bar of their runs."""
    if on_view is not None:
        yield on_view
        return
    with showing(), work("runs") as own:

        def show(views: list[StudyView]) -> None:
            own.done, own.total = sum(v.finished for v in views), sum(v.runs for v in views)

        yield show


def views_of(plans: Sequence[Plan]) -> list[StudyView]:
    """Return the state of each study, read from its runs' files."""
    views = []
    for plan in plans:
        active, finished = [], 0
        for cell, trials in plan.trials.items():
            for trial in trials:
                if trial.is_finished:
                    finished += 1
                elif status := read_status(trial.folder):
                    del status["rate"]
                    named = trial.name, cell.value, cell.size, trial.replicate
                    active.append(TrialView(*named, **status))
        views.append(StudyView(plan.factor.name, finished, len(plan.all_trials()), tuple(active)))
    return views
