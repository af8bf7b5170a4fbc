"""How far long work is: a bar on a terminal and in a notebook, elsewhere a line every half minute.

All of it goes to stderr, or below the cell that runs; results stay alone. `ROTE_PROGRESS=0` in the
environment says nothing at all.
"""

from __future__ import annotations

import contextlib
import html
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from rote.core.console import console, one_line, say
from rote.core.progress.work import Work, going_on, in_words, shown, work

LINE_SECONDS = 30.0
LOOK_SECONDS = 0.2
_showing: list[Display] = []


class Drawer(Protocol):
    """Where progress is shown."""

    def start(self) -> None:
        """Begin to show."""

    def look(self) -> None:
        """Take in what goes on now."""

    def stop(self) -> None:
        """Show nothing any more."""


class _Label(ProgressColumn):
    """What is being done, as plain text: it may name a file."""

    def render(self, task: Task) -> Text:
        """Return the description."""
        return Text(one_line(task.description))


class TerminalBar(Progress):
    """A bar that is gone when the work is."""

    def __init__(self) -> None:
        columns = (_Label(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True)
        self._bar = self.add_task("", total=None, visible=False)
        self._seen: Work | None = None

    def look(self) -> None:
        """Take in what goes on now."""
        works = going_on()
        one = shown(works)
        if one is not None and one is not self._seen:
            self.reset(self._bar, total=one.total)
        self._seen = one
        if one is None:
            self.update(self._bar, visible=False)
            return
        about = {"description": in_words(works), "total": one.total, "completed": one.done}
        self.update(self._bar, visible=True, **about)  # type: ignore[arg-type]


class NotebookBar:
    """A bar below the cell, by HTML that is replaced; needs IPython and no widgets."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = ""

    def start(self) -> None:
        """Take a place below the cell."""
        from IPython.display import HTML, display

        self._handle = display(HTML(""), display_id=True)

    def look(self) -> None:
        """Take in what goes on now."""
        self._draw(bar_html(going_on()))

    def stop(self) -> None:
        """Leave nothing."""
        self._draw("")

    def _draw(self, drawn: str) -> None:
        from IPython.display import HTML

        if self._handle is not None and drawn != self._drawn:
            self._drawn = drawn
            self._handle.update(HTML(drawn))


class Lines:
    """A line every half minute, for logs."""

    def __init__(self) -> None:
        self._said = 0.0

    def start(self) -> None:
        """Count the time from now."""
        self._said = time.monotonic()

    def look(self) -> None:
        """Say what goes on now, if it is time."""
        if time.monotonic() >= self._said + LINE_SECONDS:
            self._said = time.monotonic()
            if works := going_on():
                say(f"{in_words(works)}{_how_far(shown(works))}")

    def stop(self) -> None:
        """Say nothing more."""


class Display:
    """What goes on, looked at every `LOOK_SECONDS` for as long as the block runs."""

    def __init__(self) -> None:
        self._drawer: Drawer = Lines()
        if console.is_jupyter:
            self._drawer = NotebookBar()
        elif console.is_terminal:
            self._drawer = TerminalBar()
        self._stopped = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Display:
        self._drawer.start()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._looking.join()
        self._drawer.stop()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self._drawer.look()


def bar_html(works: tuple[Work, ...]) -> str:
    """Return a bar with words: what goes on, how far it is, and about how long the rest takes."""
    one = shown(works)
    if one is None:
        return ""
    words = html.escape(one_line(f"{in_words(works)}{_how_far(one)}"))
    counts = f' value="{one.done}" max="{one.total}"' if one.total else ""
    style = "width:240px;vertical-align:middle;margin-right:10px"
    return f'<div><progress style="{style}"{counts}></progress>{words}</div>'


def _how_far(one: Work | None) -> str:
    """Say how far something is, and how long the rest takes.

    >>> one = Work("files decoded", 20)
    >>> one.add(5)
    >>> _how_far(one)
    ', 5 of 20, 0 s left'
    """
    if one is None or not one.total:
        return ""
    left = one.seconds_left
    rest = ""
    if left is not None:
        rest = f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
    return f", {one.done:,} of {one.total:,}{rest}"


@contextlib.contextmanager
def showing() -> Iterator[None]:
    """Show within the block how far long work is, and how long the rest takes.

    Nothing more where that is shown already, or nobody wants it.
    """
    if _showing or os.environ.get("ROTE_PROGRESS") == "0":
        yield
        return
    display = Display()
    _showing.append(display)
    try:
        with display:
            yield
    finally:
        _showing.clear()


@contextlib.contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far one thing is: yields what is called with done and total, None where not known."""
    with (
        work(what, total) as own,
        showing(),
    ):  # what is shown last is this, and not that all has ended

        def report(done: int, total: int | None) -> None:
            own.done, own.total = done, total

        yield report
