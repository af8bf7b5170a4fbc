"""Long work counts itself here, and who shows it looks (`display`): what is called inside says nothing.

    with work("images decoded", len(files)) as counted:
        for file in files:
            ...
            counted.add()

Works lie within each other, the outermost first: a stage, what it goes through, a search within.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_going_on: list[Work] = []


class Work:
    """Something that takes long, and how much of it is done.

    Attributes
    ----------
    what
        In words, the things that are counted among them: "images decoded".
    total
        How many there are; None where nothing is counted.
    done
        How many are done.
    started
        By `time.monotonic`.
    """

    def __init__(self, what: str, total: int | None) -> None:
        self.what, self.total, self.done, self.started = what, total, 0, time.monotonic()

    def add(self, count: int = 1) -> None:
        """Count some more, from any thread."""
        with _lock:
            self.done += count

    def reach(self, done: int) -> None:
        """Say how many are done in all."""
        self.done = done

    @property
    def seconds_left(self) -> float | None:
        """What the rest takes at the pace so far; None where that cannot be told."""
        if not self.total or not self.done:
            return None
        return (time.monotonic() - self.started) / self.done * max(0, self.total - self.done)


@contextlib.contextmanager
def work(what: str, total: int | None = None) -> Iterator[Work]:
    """Let something be seen as going on for as long as the block runs."""
    own = Work(what, total)
    with _lock:
        _going_on.append(own)
    try:
        yield own
    finally:
        with _lock:
            _going_on.remove(own)


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """Go through items, of which one more is done when the next is asked for."""
    with work(what, len(items)) as own:
        for item in items:
            yield item
            own.add()


@contextlib.contextmanager
def reported(
    what: str, total: int, on_progress: Callable[[int, int], None]
) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback of (done, total) that counts here, and calls that of a caller."""
    with work(what, total) as own:

        def report(done: int, total: int) -> None:
            own.reach(done)
            on_progress(done, total)

        yield report


def counted_results(results: Iterable[T], what: str, total: int) -> list[T]:
    """Return results that come one after the other, as from the threads of a pool."""
    found = []
    with work(what, total) as own:
        for result in results:
            found.append(result)
            own.add()
    return found


def going_on() -> tuple[Work, ...]:
    """Return what goes on in this process now, the outermost first."""
    with _lock:
        return tuple(_going_on)


def in_words(works: Sequence[Work]) -> str:
    """Say what goes on: the outermost, and what `shown` shows of it.

    >>> in_words([Work("search", None), Work("images searched", 10)])
    'search: images searched'
    """
    one = shown(works)
    if one is None or one is works[0]:
        return "" if one is None else one.what
    return f"{works[0].what}: {one.what}"


def shown(works: Sequence[Work]) -> Work | None:
    """Return what tells best how long it takes: the outermost that counts and is not at its end.

    >>> stage, items = Work("search", None), Work("images searched", 10)
    >>> shown([stage, items]).what
    'images searched'
    """
    counts = [one for one in works if one.total and one.done < one.total]
    return counts[0] if counts else works[-1] if works else None
