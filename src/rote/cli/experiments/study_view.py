"""The live table of studies: runs finished, and what is at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rote.core.console import console, say

if TYPE_CHECKING:
    from rote.experiments.studies.view import StudyView

LINE_SECONDS = 15.0


class StudyDisplay:
    """A table that redraws itself in a terminal, or plain lines elsewhere; a context manager."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._line_at = time.monotonic()

    def __enter__(self) -> StudyDisplay:
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, views: list[StudyView]) -> None:
        """Show the state of the studies."""
        if self._live is not None:
            self._live.update(_table(views))
        elif time.monotonic() - self._line_at > LINE_SECONDS:
            self._line_at = time.monotonic()
            finished, runs = sum(v.finished for v in views), sum(v.runs for v in views)
            active = {
                trial.key: (view.name, trial) for view in reversed(views) for trial in view.active
            }
            at_work = "; ".join(
                f"{name} {t.value} ({t.size:,}, run {t.replicate}): {t.stage}"
                for name, t in active.values()
            )
            say(f"{finished} of {runs} runs finished; {at_work}")


def _table(views: list[StudyView]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in ("study", "runs", "", "at work"):
        table.add_column(title)
    for view in views:
        at_work = Text()
        for trial in view.active:
            share = f"{trial.done / max(1, trial.total):.0%}"
            if at_work:
                at_work.append("\n")
            at_work.append(
                f"{trial.value} ({trial.size:,}, run {trial.replicate}) {trial.stage} {share}"
            )
        bar = ProgressBar(total=view.runs, completed=view.finished, width=16)
        table.add_row(Text(view.name), f"{view.finished}/{view.runs}", bar, at_work)
    return table
