"""How far long work is, on stderr: a bar on a terminal, elsewhere a line every half minute."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

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


class _Label(ProgressColumn):
    """What is being done, as plain text: it may name a file."""

    def render(self, task: Task) -> Text:
        """Return the description."""
        return Text(one_line(task.description))


class Display(Progress):
    """A bar of what goes on: `rote.core.progress.work` is looked at every `LOOK_SECONDS`."""

    def __init__(self) -> None:
        columns = (_Label(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True)
        self._bar = self.add_task("", total=None, visible=False)
        self._seen: Work | None = None
        self._is_drawn = console.is_terminal or console.is_jupyter
        self._stopped = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Begin to show."""
        if self._is_drawn:
            super().start()
        self._looking.start()

    def stop(self) -> None:
        """Show nothing any more."""
        self._stopped.set()
        if self._is_drawn:
            super().stop()

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

    def _look(self) -> None:
        said = time.monotonic()
        while not self._stopped.wait(LOOK_SECONDS):
            if self._is_drawn:
                self.look()
            elif time.monotonic() >= said + LINE_SECONDS:
                said = time.monotonic()
                works = going_on()
                if works:
                    say(f"{in_words(works)}{_how_far(shown(works))}")


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

    Nothing more where that is shown already.
    """
    if _showing:
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
    with showing(), work(what, total) as own:

        def report(done: int, total: int | None) -> None:
            own.done, own.total = done, total

        yield report
