"""Several files saved as one: a reader finds all of the old ones or all of the new ones.

New files are written into `.rote-save.new` in their folder. Renaming that to `.rote-save` is the moment
at which the save counts; then they move to their places. A save that is cut before it is thrown away by
the next one; of one that is cut after it, whoever comes next, reader or writer, moves the rest. A file
of the old save that the new one lacks is an empty file among the new ones, and goes when its turn comes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from rote.core.atomic_files import one_line_io, remove_left_over
from rote.core.errors import RoteError, RunError
from rote.core.run_folder import lock_folder

STAGED, COUNTED, LOCK = ".rote-save.new", ".rote-save", ".rote-save.lock"
_READS = 5  # a reader that meets so many saves of others in a row gives up

Found = TypeVar("Found")


@contextlib.contextmanager
def saved_together(folder: Path, *, may_hold: Sequence[str]) -> Iterator[Path]:
    """Yield an empty folder; what is written there takes its place in ``folder`` at the end, all at once.

    A folder written there takes the place of the whole folder of that name.

    Parameters
    ----------
    folder
        Made if missing; one process saves there at a time.
    may_hold
        Names of the files and folders that a save may have: those that this one lacks are removed with
        it.

    Raises
    ------
    RunError
        If another process saves there, or nothing can be written. The old files stay as they were.
    """
    with lock_folder(folder, LOCK), one_line_io(folder):
        _move(folder)
        remove_left_over(folder)
        staged = folder / STAGED
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            yield staged
            for name in may_hold:
                (staged / name).touch()
            _sync(staged)
            staged.rename(folder / COUNTED)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        _sync(folder)
        _move(folder)


def read_together(folder: Path, read: Callable[[], Found]) -> Found:
    """Return what ``read`` reads of a folder, of one save alone; a save that was cut is finished first.

    Raises
    ------
    RunError
        If a cut save cannot be finished, or others save there all the time; and what ``read`` raises.
    """
    for _ in range(_READS):
        if (folder / COUNTED).exists():
            with lock_folder(folder, LOCK), one_line_io(folder):
                _move(folder)
        before = _changed(folder)
        try:
            found = read()
        except RoteError:
            if _changed(folder) == before:
                raise
            continue
        if _changed(folder) == before:
            return found
    raise RunError(f"another process keeps saving in {folder}; wait for it and run again")


def _changed(folder: Path) -> tuple[int, bool]:
    """Return what every save changes."""
    try:
        return folder.stat().st_mtime_ns, (folder / COUNTED).exists()
    except OSError:
        return 0, False


def _move(folder: Path) -> None:
    """Put the files of a save that counts in their places."""
    counted = folder / COUNTED
    if not counted.exists():
        return
    for path in sorted(counted.iterdir()):
        old = folder / path.name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        if path.is_dir() or path.stat().st_size:
            path.replace(old)
        else:
            old.unlink(missing_ok=True)
            path.unlink()
    counted.rmdir()


def _sync(folder: Path) -> None:
    """Have the names in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
