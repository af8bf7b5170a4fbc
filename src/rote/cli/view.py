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
    from rote.studies.search import PointView, SearchView

LINE_SECONDS = 15.0
VERDICTS = {
    "at-least": Text("memorizes", style="bold red"),
    "less": Text("generalizes", style="green"),
    "undecided": Text("on the line", style="yellow"),
}


class SearchDisplay:
    """A table that redraws itself in a terminal, or plain lines elsewhere; a context manager."""

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon
        self._live: Live | None = None
        self._announced: dict[int, str] = {}
        self._line_at = 0.0
        self._started = time.monotonic()
        self._speed: dict[int, tuple[float, int]] = {}

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
        from rote.memorization.emm import decide

        table = Table(box=None, header_style="dim", pad_edge=False)
        for title in ("size", "stage", "progress", "", "memorized", "verdict"):
            table.add_column(title, justify="right" if title in ("size", "memorized") else "left")
        for point in view.points:
            rate, verdict = Text("" if point.rate is None else f"{point.rate:.3f}"), Text("")
            if point.point is not None:
                found = point.point.rate
                rate = Text(f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]")
                verdict = VERDICTS[decide(found, self._epsilon)]
            bar = ProgressBar(total=point.total, completed=point.done, width=20)
            left = self._left(point) if point.stage == "train" else ""
            count = f"{point.done:,}/{point.total:,} images seen" if point.stage == "train" else ""
            if point.stage not in ("train", "waiting", "done"):
                count = f"{point.done:,}/{point.total:,} samples"
            label = Text(f"{count} {left}", style="dim")
            table.add_row(f"{point.size:,}", Text(point.stage), bar, label, rate, verdict)
        return table

    def _left(self, point: PointView) -> str:
        """Say the time left of a training, from its speed since it was first seen."""
        now = time.monotonic()
        first_time, first_done = self._speed.setdefault(point.size, (now, point.done))
        if point.done <= first_done:
            return ""
        seconds = (point.total - point.done) * (now - first_time) / (point.done - first_done)
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} left"

    def _summary(self, view: SearchView) -> str:
        elapsed = int(time.monotonic() - self._started)
        parts = [f"{elapsed // 60}:{elapsed % 60:02d} elapsed"]
        found = view.bracket
        if found is not None:
            low = "?" if found.low is None else f"{found.low:,}"
            high = "?" if found.high is None else f"{found.high:,}"
            parts.append(f"EMM between {low} and {high} so far")
            parts.append(f"at most {view.open_sizes} more sizes to train in between")
        return ", ".join(parts)

    def _lines(self, view: SearchView) -> None:
        for point in view.points:
            if point.point is not None and self._announced.get(point.size) != "done":
                self._announced[point.size] = "done"
                say(f"size {point.size}: memorization rate {point.point.rate}")
        if time.monotonic() - self._line_at > LINE_SECONDS:
            self._line_at = time.monotonic()
            running = [
                f"size {p.size}: {p.stage} {p.done:,}/{p.total:,}"
                for p in view.points
                if p.point is None
            ]
            if running:
                say(f"{self._summary(view)}; {'; '.join(running)}")
