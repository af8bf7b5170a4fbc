"""What is no property of a file: files that change while they are read, and a machine that runs out.

What was measured is what was hashed, or reading stops and names the file. A file is known by its size and
times; that of its last change of state cannot be set back, so one of the same size and time is told too.
(Its number is no sign: some network file systems give a new one now and then.) Giving a file other
rights or another link counts as a change.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import mapping_of
from rote.core.memory import is_out_of_memory
from rote.data.messages import shown

_RUN_AGAIN = "run again when nothing changes it"


def mark_of(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes with a file."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def changed_file(name: str, how: str = "changed") -> DataError:
    """Return the error for a file that is another one than before."""
    return DataError(f"{shown(name)} {how} while it was read; {_RUN_AGAIN}")


@dataclass(frozen=True)
class FileState:
    """A file as it was at one moment."""

    path: Path
    mark: tuple[int, ...]

    @classmethod
    def now(cls, path: Path) -> FileState:
        """Return a file as it is."""
        return cls(path, mark_of(path.stat()))

    def check(self) -> None:
        """Refuse to go on with a file that has changed since.

        Raises
        ------
        DataError
            Naming it.
        """
        try:
            mark = mark_of(self.path.stat())
        except OSError:
            raise changed_file(str(self.path), "went away") from None
        if mark == self.mark:
            return
        old, new = self.mark[0], mark[0]
        how = f"changed (from {old:,} to {new:,} bytes)" if old != new else "changed"
        raise changed_file(str(self.path), how)


def stop_if_machine_fails(error: BaseException) -> None:
    """Raise what says that the machine ran out, where that is what an error means.

    Raises
    ------
    DataError
        Out of memory, too many open files, or a device that cannot be read: with that, every further file
        would count as unreadable, and none is.
    """
    number = error.errno if isinstance(error, OSError) else None
    if is_out_of_memory(error) or number == errno.ENOMEM:
        raise DataError(
            "the memory ran out while files were read; free some, give fewer items or a smaller "
            "`resolution`"
        ) from None
    if number in (errno.EMFILE, errno.ENFILE):
        raise DataError(
            "too many files are open; close some, or raise the limit (ulimit -n), and run again"
        ) from None
    if number == errno.EIO:
        name = getattr(error, "filename", None)
        raise DataError(
            f"the device does not give {shown(name or 'a file')} (input/output error); check the disk, "
            "and run again"
        ) from None


# -- mapped files ----------------------------------------------------------------------------------

_sources: weakref.WeakKeyDictionary[mmap.mmap, FileState] = weakref.WeakKeyDictionary()


def watch(array: npt.NDArray[Any], state: FileState) -> None:
    """Note from which file an array is mapped, as it was before that."""
    mapping = mapping_of(array)
    if mapping is not None:
        _sources[mapping] = state
        guard()


def check_unchanged(*arrays: npt.NDArray[Any] | None) -> None:
    """Refuse arrays whose files have changed since they were mapped; all others are in memory.

    Raises
    ------
    DataError
        Naming the file.
    """
    for array in arrays:
        mapping = None if array is None else mapping_of(array)
        if mapping is not None and mapping in _sources:
            _sources[mapping].check()


_handlers: list[Any] = []  # kept for as long as the process: the system calls it


def guard() -> None:
    """Have a file that is cut short under its mapping end the process with one line and status 1.

    Without it the system ends the process by a signal that Python cannot handle. Where somebody handles
    that signal, it stays theirs.
    """
    if _handlers or signal.getsignal(signal.SIGBUS) != signal.SIG_DFL:
        return
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)

    def end(_: int) -> None:
        # Nothing can be raised here: the thread that reads would read again, for ever.
        text = "a file was cut short while it was read; run again when nothing changes it"
        for state in list(_sources.values()):
            try:
                state.check()
            except DataError as error:
                text = str(error)
        with contextlib.suppress(BaseException):
            os.write(2, f"error: {text}\n".encode(errors="replace"))
        os._exit(1)

    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        set_handler = libc.signal
        set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
        called = handler(end)
        before = set_handler(signal.SIGBUS, ctypes.cast(called, ctypes.c_void_p))
        if before:  # somebody's, of which Python does not know, such as faulthandler's
            set_handler(signal.SIGBUS, before)
            return
        _handlers.append(called)
