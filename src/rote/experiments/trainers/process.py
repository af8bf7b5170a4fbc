"""A command with all that it starts, as one thing that ends: with rote, at a limit, or by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from rote.core.errors import Interrupted, RunError

KEEPER = Path(__file__).with_name("keeper.py")
POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
"""How long what is asked to end may take to."""
LOG_BYTES = 8 << 20
"""After so many a log is set aside as ``.1``, in place of the one that was set aside before."""


def run_process(
    line: Sequence[str],
    *,
    log: Path,
    lock: Path,
    limit: float | None,
    environment: dict[str, str],
    should_stop: Callable[[], bool],
) -> int | None:
    """Run a command, and return its exit status once nothing is left of what it has started.

    Its keeper (`rote.experiments.trainers.keeper`) ends it when this process ends, whatever ends that.

    Parameters
    ----------
    line
        The words of the command.
    log
        What it prints is added here.
    lock
        A file that is held until nothing of the command is left: the next one waits for it.
    limit
        Seconds that it may take; None: no limit.
    environment
        Its environment.
    should_stop
        Asked several times a second.

    Returns
    -------
    int or None
        Below 0: it was ended by that signal. None: it took longer than the limit.

    Raises
    ------
    Interrupted
        Once ``should_stop`` says so.
    RunError
        If there is no such program, or an earlier command is still at work after its time to end.
    """
    with _held(lock, should_stop) as held:
        keeper = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(KEEPER), str(log)),
                *(str(LOG_BYTES), str(GRACE_SECONDS), *line),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            pass_fds=(held,),
        )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper.stdout as said_by_it:
        try:
            answer = _answer(said_by_it, limit, should_stop)
        finally:
            keeper.stdin.close()
            _ended(keeper)
    if answer is None:
        return None
    said, _, number = answer.rpartition(" ")
    if said == "cannot run":
        raise RunError(f"'{line[0]}' cannot be run: {os.strerror(int(number))}")
    return int(number) if said == "ended" else -signal.SIGKILL


@contextlib.contextmanager
def _held(lock: Path, should_stop: Callable[[], bool]) -> Iterator[int]:
    """Hold a lock by a descriptor, which the keeper holds too: it outlives this process with that one."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + 3 * GRACE_SECONDS
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            except OSError:  # a file system without locks
                break
            else:
                break
            if should_stop():
                raise Interrupted
            if time.monotonic() > deadline:
                raise RunError(
                    f"an earlier command is still at work in {lock.parent}; end it, and run again"
                )
            time.sleep(POLL_SECONDS)
        yield handle
    finally:
        os.close(handle)


def _answer(keeper: IO[bytes], limit: float | None, should_stop: Callable[[], bool]) -> str | None:
    """Return what the keeper says; nothing if it is gone, None once the limit is over."""
    started = time.monotonic()
    while not select.select([keeper], [], [], POLL_SECONDS)[0]:
        if should_stop():
            raise Interrupted
        if limit is not None and time.monotonic() - started > limit:
            return None
    return keeper.read().decode()


def _ended(keeper: subprocess.Popen[bytes]) -> None:
    """Wait for a keeper that was told to end; what it does not end in its time is killed."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        keeper.wait(3 * GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(keeper.pid, signal.SIGKILL)
    keeper.wait()
