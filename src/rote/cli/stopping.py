"""Ctrl-C and SIGTERM, answered while compiled code runs that knows of neither.

Python asks for signals between two of its own steps, and a matrix product or a file that is decoded is
one step. So a thread of its own waits for the signal: where the process has not ended within `SECONDS`,
it ends it as SIGKILL would, which no file of rote is harmed by, and removes the temporary files before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from rote.core.atomic_files import remove_own_temporaries
from rote.core.console import leave_terminal
from rote.core.errors import Interrupted

SECONDS = 0.6
CODE = 130
_SAID = b"interrupted; what was finished is saved: the same command carries on from there\n"
_watched: list[int] = []
_saying = threading.Lock()


def say_stopped() -> None:
    """Say once that the command was interrupted; not through a stream, which another thread may hold."""
    if _saying.acquire(blocking=False):
        leave_terminal()
        with contextlib.suppress(OSError):
            os.write(2, _SAID)


@contextlib.contextmanager
def ended_in_time() -> Iterator[None]:
    """End the process where it goes on for `SECONDS` after a signal that came within the block."""
    if _watched or threading.current_thread() is not threading.main_thread():
        yield
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    _watched.append(write)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    left = threading.Event()
    threading.Thread(target=_watch, args=(read, left), daemon=True).start()
    stopped = False
    try:
        yield
    except Interrupted:
        stopped = True  # and Python takes a while to end, with all that is loaded
        raise
    finally:
        if not stopped:
            left.set()
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        _watched.clear()
        os.close(write)


def _watch(read: int, left: threading.Event) -> None:
    """Wait for a signal that ends the command, and for the command to end."""
    try:
        while number := os.read(read, 1):
            if number[0] in (signal.SIGINT, signal.SIGTERM):
                if not left.wait(SECONDS):
                    say_stopped()
                    remove_own_temporaries()
                    os._exit(CODE)
                return
    finally:
        os.close(read)
