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

MARK = "ROTE_RAY_FOLDER"
"""The variable that all processes of a local Ray inherit; it holds the folder."""
SECONDS = 10.0


def started(folder: str) -> list[int]:
    """Return the processes that carry the mark, where the system lists them in /proc."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has ended, or is another user's
            continue
    return found


def clear(folder: str) -> None:
    """Kill what carries the mark and remove the folder."""
    deadline = time.monotonic() + SECONDS
    while (left := started(folder)) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    clear(sys.argv[1])
