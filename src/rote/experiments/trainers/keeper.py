"""Runs a trainer's command for rote, and ends all of it once rote says so or is gone, whatever ended it.

Run as a script of its own, in a session of its own. Its standard input ends once rote closes it or is
gone, also when rote was killed. It then ends the command with all that it has started, first politely. On
Linux it finds them by their parents, so that none gets away into a session of its own; elsewhere it ends
their process group. What they print goes to a log that does not grow without end. Imports nothing of
rote, so that it starts at once.

It says one thing, and ends: ``ended STATUS`` (below 0: by that signal) or ``cannot run ERRNO``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CHUNK = 1 << 16
POLL_SECONDS = 0.02
DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36
"""Of prctl(2)."""
ROTE, ANSWER = 0, 1
"""Where rote is heard, and where it is answered."""
LINUX = sys.platform == "linux" and Path("/proc/self/stat").exists()


class Log:
    """A file that is set aside once it is long, over the one set aside before."""

    def __init__(self, path: str, limit: int) -> None:
        self._path, self._limit = path, limit
        self._open()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._size = os.fstat(self._file).st_size

    def write(self, data: bytes) -> None:
        """Add something; what a full disk does not take is lost, and the training goes on."""
        with contextlib.suppress(OSError):
            if self._size + len(data) > self._limit:
                os.replace(self._path, f"{self._path}.1")  # noqa: PTH105 (starts faster without)
                os.close(self._file)
                self._open()
            os.write(self._file, data)
            self._size += len(data)


class Keeper:
    """Keeps one command."""

    def __init__(self, log: Log, *, grace: float) -> None:
        self._log, self._grace = log, grace
        self._prctl = _prctl() if LINUX else None
        if self._prctl:
            self._prctl(ADOPT_ORPHANS, 1)
        self._signals, wake = os.pipe()
        for end in (self._signals, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # not ignored: that would be inherited
        self._output, self._out = os.pipe()
        self._child = 0
        self.status: int | None = None

    def start(self, command: Sequence[str]) -> int:
        """Start the command; return an errno, or 0."""
        failed, fail = os.pipe()
        keeper = os.getpid()
        self._child = os.fork()
        if not self._child:
            # In place of rote's; but the lock stays: what gets away holds it, too.
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self._out, 1)
            os.dup2(self._out, 2)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
                signal.signal(number, signal.SIG_DFL)
            if self._prctl:
                self._prctl(DIE_WITH_PARENT, signal.SIGKILL)
            try:
                if os.getppid() == keeper:
                    os.execvp(command[0], list(command))
            except OSError as error:
                os.write(fail, str(error.errno).encode())
            os._exit(127)
        os.close(self._out)
        os.close(fail)
        return int(os.read(failed, 20) or 0)

    def wait(self) -> None:
        """Wait until the command has ended, or until rote or a signal asks for it."""
        while self.status is None:
            asked = self._look(None)
            self._reap()
            if asked:
                break

    def clear(self) -> None:
        """End the command and all that it has started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if number == signal.SIGKILL and not LINUX:
                return  # of the whole group, this process with it: `end` does that
            deadline = time.monotonic() + self._grace
            told: set[int] = set()
            while (left := self._left()) and time.monotonic() < deadline:
                # Each is asked once: many take a second request for one to end at once.
                for pid in left - told if number == signal.SIGTERM else left:
                    with contextlib.suppress(OSError):
                        os.kill(pid, number) if LINUX else os.killpg(0, number)
                told |= left
                self._look(POLL_SECONDS)
                self._reap()

    def end(self) -> None:
        """Say how the command has ended, and end."""
        while self._output >= 0 and select.select([self._output], [], [], 0)[0]:
            self._drain()
        if self.status is not None:
            _say(f"ended {self.status}")
        if not LINUX:
            os.killpg(0, signal.SIGKILL)

    def _look(self, seconds: float | None) -> bool:
        """Wait for output, signals or rote; say whether one of the last two asks for an end."""
        watched = [ROTE, self._signals, *([self._output] if self._output >= 0 else [])]
        ready = select.select(watched, [], [], seconds)[0]
        if self._output in ready:
            self._drain()
        asked = ROTE in ready
        if asked and seconds is not None:  # it is ending already, and rote is always ready
            time.sleep(seconds)
        if self._signals in ready:
            asked = asked or bool(set(os.read(self._signals, CHUNK)) - {signal.SIGCHLD})
        return asked

    def _drain(self) -> None:
        if data := os.read(self._output, CHUNK):
            self._log.write(data)
        else:  # all that wrote there have ended
            os.close(self._output)
            self._output = -1

    def _reap(self) -> None:
        """Take note of those that have ended."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self._child:
                    self.status = os.waitstatus_to_exitcode(found[1])

    def _left(self) -> set[int]:
        """Return the processes that the command has started and that have not ended."""
        if not LINUX:
            return {self._child} if self.status is None else set()
        parents, found = {}, set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent, _, session = stat.read_bytes().rpartition(b")")[2].split()[:4]
                if state == b"Z":
                    continue
                pid = int(stat.parent.name)
                parents[pid] = int(parent)
                if int(session) == os.getpid():
                    found.add(pid)
        new = found
        while new:
            new = {pid for pid, parent in parents.items() if parent in new | {os.getpid()}} - found
            found = found | new
        return found - {os.getpid()}


def _prctl() -> Callable[[int, int], object] | None:
    """Return the function of Linux that ties processes together, where Python can call it."""
    try:
        import ctypes

        found: Callable[[int, int], object] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return found


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # it is gone
        os.write(ANSWER, text.encode())


def main(log: str, limit: int, grace: float, command: Sequence[str]) -> None:
    """Run a command and keep it."""
    keeper = Keeper(Log(log, limit), grace=grace)
    if number := keeper.start(command):
        _say(f"cannot run {number}")
        return
    keeper.wait()
    keeper.clear()
    keeper.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
