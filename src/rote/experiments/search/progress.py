"""What a person sees of a search while it runs, put together from the runs' own files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rote.core.progress.display import showing
from rote.core.progress.work import work
from rote.emm.curve import EmmInterval
from rote.experiments.run.spec import RunSpec
from rote.experiments.run.status import read_notes, read_status
from rote.results.run import Point, PointFile


@dataclass(frozen=True)
class PointView:
    """What a person sees of a run.

    ``stage`` is "waiting", "train", "score ...", "fresh samples" or "done".
    """

    size: int
    replicate: int
    stage: str
    done: int
    total: int
    rate: float | None
    point: Point | None


@dataclass(frozen=True)
class SearchView:
    """What a person sees of a search: all runs so far, and the answer after the last full round."""

    points: tuple[PointView, ...]
    emm: EmmInterval | None
    why: str
    """Why the runs of this round are trained, or why the search is done."""


@contextlib.contextmanager
def shown_search(
    on_view: Callable[[SearchView], None] | None,
) -> Iterator[Callable[[SearchView], None]]:
    """Yield what is called with the state of a search: what is given, or else a bar of its runs."""
    if on_view is not None:
        yield on_view
        return
    with showing(), work("runs") as own:

        def show(view: SearchView) -> None:
            own.done, own.total = sum(p.point is not None for p in view.points), len(view.points)
            at_work = [p for p in view.points if p.point is None and p.stage != "waiting"]
            told = [f"{p.size:,}: {p.stage} {p.done / max(1, p.total):.0%}" for p in at_work[:2]]
            own.what = f"runs ({'; '.join(told)})" if told else "runs"

        yield show


class Watcher:
    """Shows a search; reads a finished run's file once."""

    def __init__(
        self, on_view: Callable[[SearchView], None], on_note: Callable[[str], None]
    ) -> None:
        self._on_view, self._on_note = on_view, on_note
        self._finished: dict[tuple[int, int], Point] = {}
        self._tasks: Sequence[RunSpec] = ()
        self._emm: EmmInterval | None = None
        self._why = ""

    def start(
        self,
        finished: Sequence[Point],
        tasks: Sequence[RunSpec],
        *,
        emm: EmmInterval | None,
        why: str,
    ) -> None:
        """Note the finished runs and the round that begins."""
        self._finished = {(point.size, point.replicate): point for point in finished}
        self._tasks, self._emm, self._why = tasks, emm, why

    def poll(self) -> None:
        """Read the files and show them."""
        views = []
        for task in self._tasks:
            key = task.size, task.replicate
            if key not in self._finished and (point := task.finished(PointFile)):
                self._finished[key] = point
                for note in read_notes(task.folder):
                    self._on_note(note)
            if key not in self._finished:
                status = read_status(task.folder)
                views.append(
                    PointView(*key, point=None, **status)
                    if status
                    else PointView(*key, "waiting", 0, 1, None, None)
                )
        views += [
            PointView(*key, "done", 1, 1, point.rate.value, point)
            for key, point in self._finished.items()
        ]
        views.sort(key=lambda view: (view.size, view.replicate))
        self._on_view(SearchView(tuple(views), self._emm, self._why))
