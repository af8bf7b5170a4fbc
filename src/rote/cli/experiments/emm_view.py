"""The live display of a search: what trains, how far, the rates so far, what is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rote.core.console import console, say

if TYPE_CHECKING:
    from rote.experiments.config import SearchConfig
    from rote.experiments.search.progress import PointView, SearchView

LINE_SECONDS = 15.0
VERDICTS = {
    "at-least": Text("memorizes", style="bold red"),
    "less": Text("generalizes", style="green"),
    "undecided": Text("on the line", style="yellow"),
}
ENDED = {"exact": "", "at-least": "ended early: memorizes", "at-most": "ended early: never will"}


class SearchDisplay:
    """A table that redraws itself in a terminal, or plain lines elsewhere; a context manager."""

    def __init__(self, search: SearchConfig) -> None:
        self._search = search
        self._live: Live | None = None
        self._announced: set[tuple[int, int]] = set()
        self._why = ""
        self._line_at = 0.0
        self._started = time.monotonic()
        self._speed: dict[tuple[int, int], tuple[float, int]] = {}

    def __enter__(self) -> SearchDisplay:
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, view: SearchView) -> None:
        """Show the state of the search."""
        if self._live is not None:
            self._live.update(Group(self._table(view), Text(self._summary(view), style="dim")))
        else:
            self._lines(view)

    def _table(self, view: SearchView) -> Table:
        from rote.emm.run import decide

        table = Table(box=None, header_style="dim", pad_edge=False)
        for title in ("size", "run", "stage", "progress", "", "memorized", "verdict"):
            right = title in ("size", "run", "memorized")
            table.add_column(title, justify="right" if right else "left")
        for point in view.points:
            rate, verdict = Text("" if point.rate is None else f"{point.rate:.3f}"), Text("")
            stage, label = point.stage, ""
            if point.point is not None:
                found = point.point.rate
                rate = Text(f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]")
                verdict = VERDICTS[decide(found, self._search.epsilon)]
                label = ENDED[point.point.observation.bound]
            elif stage == "train":
                label = f"{point.done:,}/{point.total:,} images seen {self._left(point)}"
            elif stage != "waiting":
                label = f"{point.done:,}/{point.total:,} samples"
            bar = ProgressBar(total=point.total, completed=point.done, width=20)
            size, run = f"{point.size:,}", str(point.replicate)
            table.add_row(size, run, Text(stage), bar, Text(label, style="dim"), rate, verdict)
        return table

    def _left(self, point: PointView) -> str:
        """Say the time left of a training, from its speed since it was first seen."""
        now = time.monotonic()
        key = point.size, point.replicate
        first_time, first_done = self._speed.setdefault(key, (now, point.done))
        if point.done <= first_done:
            return ""
        seconds = (point.total - point.done) * (now - first_time) / (point.done - first_done)
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} left"

    def _summary(self, view: SearchView) -> str:
        elapsed = int(time.monotonic() - self._started)
        return f"{elapsed // 60}:{elapsed % 60:02d} elapsed, {self._so_far(view)}this round: {view.why}"

    def _so_far(self, view: SearchView) -> str:
        """Say what is known of the EMM, and how far that is from what was asked."""
        found = view.emm
        if found is None:
            return ""
        if found.value is None or found.low is None or found.high is None:
            return f"EMM {found.status} the sizes tried so far, "
        half = (found.high - found.low) / 2 / found.value
        return (
            f"EMM {found.value:.0f} ({found.low:.0f} to {found.high:.0f}) so far, known to "
            f"{half:.0%} of the {self._search.tolerance:.0%} asked, "
        )

    def _lines(self, view: SearchView) -> None:
        for point in view.points:
            key = point.size, point.replicate
            if point.point is not None and key not in self._announced:
                self._announced.add(key)
                ended = ENDED[point.point.observation.bound]
                said = f"size {point.size} run {point.replicate}: memorization rate "
                say(f"{said}{point.point.rate}{' (' + ended + ')' if ended else ''}")
        if view.why != self._why:
            self._why = view.why
            say(self._summary(view))
        if time.monotonic() - self._line_at > LINE_SECONDS:
            self._line_at = time.monotonic()
            running = [
                f"size {p.size} run {p.replicate}: {p.stage} {p.done:,}/{p.total:,}"
                for p in view.points
                if p.point is None
            ]
            if running:
                say("; ".join(running))
