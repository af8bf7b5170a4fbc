"""The folder of what can be had again: downloads, decoded images, and texts that are slow to make."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from rote.core.atomic_files import write_text
from rote.core.errors import RunError


def cache_folder() -> Path:
    """Return the folder: ``$ROTE_CACHE``, or ``~/.cache/rote``.

    Raises
    ------
    RunError
        If the user has no home folder and chose none.
    """
    chosen = os.environ.get("ROTE_CACHE")
    try:
        return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "rote"
    except RuntimeError:
        raise RunError("there is no home folder for a cache; set ROTE_CACHE to a folder") from None


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, for nobody else to read.

    One that is there keeps its rights: people share a cache on purpose.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def kept_text(name: str, make: Callable[[], str], *, sha256: str) -> str:
    """Return a text that only its name decides, made once and then read from the cache.

    Where the folder cannot be read or written, it is made each time; and also where what lies there is
    not the text of that hash, whoever wrote it: what is kept is never believed.

    Parameters
    ----------
    name
        Of the file in `cache_folder`; another text has another name.
    make
        Called where the file is not there.
    sha256
        Of the text in UTF-8; "": not known, so that the text is made each time and not kept.
    """
    if not sha256:
        return make()
    try:
        path = cache_folder() / name
        held = path.read_bytes()
        if hashlib.sha256(held).hexdigest() == sha256:
            return held.decode()
        text = make()
    except RunError:
        return make()
    except OSError:
        text = make()
    with contextlib.suppress(RunError, OSError):
        make_private(path.parent)
        write_text(path, text)
    return text
