"""Clears up after a local Ray, whatever ended its command: kills what it started and removes its folder.

Run as a script of its own, in a session of its own, with the folder as its argument. It waits until its
standard input ends, which is when the command closes it or is gone. Ray itself leaves the folder of a
killed command for good, and its agents for minutes. Imports nothing of rote, so that it starts at once.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

SECONDS = 10.0


def users(folder: str) -> set[int]:
    """Return the processes with an open file below the folder, where the system lists them in /proc.

    All that Ray starts have: their logs are there, from their first moment. (What they inherit in their
    environment cannot be read: they write their titles over it.)
    """
    found = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(path.readlink()).startswith(f"{folder}/"):
                found.add(int(path.parts[2]))
        except OSError:  # it has ended, or is another user's
            continue
    return found


def clear(folder: str, command: int) -> None:
    """Kill all users of the folder but the command itself, and remove it."""
    deadline = time.monotonic() + SECONDS
    while (left := users(folder) - {command}) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parent = os.getppid()
    sys.stdin.read()
    clear(os.path.realpath(sys.argv[1]), parent)
