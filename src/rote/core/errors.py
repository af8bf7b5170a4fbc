"""The one exception tree.

Every error that a user can cause or meet is one of these, and its message is one line that says
what was found, what was expected and what to do::

    RoteError                exit code 1
    ├── DataError            a source, a file, an array: what is wrong with it and where
    ├── ConfigError          an option, a preset or a configuration file
    ├── RunError             a run directory: another configuration, another process, a full disk
    └── DownloadError        a file that had to be fetched and could not be
    Interrupted              exit code 130; what was done so far has been saved

`RoteWarning` is what a user must know of a measurement that goes on: a figure that may be wrong, and why.

`Interrupted` is no `RoteError`: nothing went wrong, so no handler for errors may swallow it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RoteError(Exception):
    """Base of all errors that rote reports in one line."""


class DataError(RoteError):
    """A data source or an array that cannot be used as it is."""


class ConfigError(RoteError):
    """An option, a preset or a configuration file that cannot be used as it is."""


class RunError(RoteError):
    """A run directory that cannot be used as it is."""


class DownloadError(RoteError):
    """A file that had to be fetched and could not be."""


class RoteWarning(UserWarning):
    """A measurement that goes on, and whose figures may be wrong."""


class Interrupted(BaseException):
    """The user or the parent process asked to stop; all finished work has been saved.

    No `Exception`: it may come while a file is read, and is not that file's fault.
    """


def first_line(error: BaseException, *, longest: int | None = None) -> str:
    r"""Return the first line of another library's error, or its type where it says nothing.

    >>> first_line(ValueError("no weights\nsee the log")), first_line(ValueError())
    ('no weights', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:longest]


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known name, else the list of names.

    >>> did_you_mean("tinny", ["tiny", "small", "paper"])
    " (did you mean 'tiny'?)"
    >>> did_you_mean("q", ["tiny", "small"])
    ' (known: tiny, small)'
    """
    names = list(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (known: {', '.join(names)})"
