"""The folder of what can be had again: downloads, decoded images, and texts that are slow to make."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from rote.core.atomic_files import write_text
from rote.core.errors import RunError


def cache_folder() -> Path:
    """Return the folder: ``$ROTE_CACHE``, or ``~/.cache/rote``."""
    chosen = os.environ.get("ROTE_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "rote"


def kept_text(name: str, make: Callable[[], str]) -> str:
    """Return a text that only its name decides, made once and then read from the cache.

    Where the folder cannot be read or written, it is made each time.

    Parameters
    ----------
    name
        Of the file in `cache_folder`; another text has another name.
    make
        Called where the file is not there.
    """
    try:
        path = cache_folder() / name
        return path.read_text(encoding="utf-8")
    except RuntimeError:  # a user without a home directory
        return make()
    except (OSError, UnicodeDecodeError):
        text = make()
    with contextlib.suppress(RunError):
        write_text(path, text)
    return text
