"""Saves that are cut: a fork that is killed at its n-th write into a folder.

Whatever makes, opens for writing, renames, links or removes a file counts; so does a folder. The fork is
killed just before the n-th of these, as by a power cut: nothing of it is cleaned up.
"""

import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def cut(save: Callable[[], object], folder: Path, *, at: int) -> bool:
    """Run ``save`` in a fork and kill it at its write number ``at``, from 0; say whether it got there."""

    def begin() -> None:
        left = at

        def count(event: str, given: tuple[object, ...]) -> None:
            nonlocal left
            changes = event in CHANGES or (event == "open" and bool(int(str(given[2])) & WRITES))
            if changes and os.fspath(str(given[0])).startswith(str(folder)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)

    return _forked(begin, save) == signal.SIGKILL


def cut_at_size(save: Callable[[], object], size: int) -> bool:
    """Run ``save`` in a fork that is killed in the middle of a file of more than ``size`` bytes."""

    def begin() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return _forked(begin, save) == signal.SIGXFSZ


def _forked(begin: Callable[[], None], save: Callable[[], object]) -> int:
    """Return the signal that ended the fork, or 0; it must not end otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            begin()
            save()
            code = 0
        except BaseException:  # noqa: BLE001 - told, and this process ends here
            traceback.print_exc()
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code <= 0, f"the save failed with {code}"
    return -code
