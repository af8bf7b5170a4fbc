"""Importing what a person brings: installed modules, else files of the current folder."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


def import_user_module(name: str) -> ModuleType:
    """Import a module that is installed, or else a file of the current folder.

    The folder comes last: what a file there is called never decides what anything else imports. Whatever
    the module raises comes through.

    Raises
    ------
    ImportError
        If a file of the folder has the name of an installed module: it is not guessed which is meant.
    """
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        _check_one_of(name.partition(".")[0], here)
        sys.path.append(here)
    try:
        with own_code():
            return importlib.import_module(name)
    finally:
        if added and here in sys.path:
            sys.path.remove(here)


def _check_one_of(top: str, here: str) -> None:
    """Refuse a name that stands for a file of the folder and for another module."""
    mine = PathFinder.find_spec(top, [here])
    if mine is None or mine.origin is None:  # a folder without __init__.py gives way to any module
        return
    other = _installed(top)
    if other is not None and other.origin != mine.origin:
        raise ImportError(
            f"{mine.origin} has the name of another module ({other.origin}); rename it, or put its "
            "folder on PYTHONPATH"
        )


def _installed(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module that was made by hand has no spec
        return None


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Run a person's own code: what it prints goes to stderr, and its `sys.exit` is an error.

    Raises
    ------
    RuntimeError
        In place of `SystemExit`, which would end a gate with the status that the code chose.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error


OURS = "rote"
"""PYTHONSAFEPATH where `safe_path` has set it; to Python any text is a yes."""


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Let Python processes that start here not look for modules in the current folder.

    Python puts it first for `-c` and `-m`, as processes are spawned: a file there named as a module of
    the standard library would run in each. What such a process starts inherits it until `own_path`.
    """
    if os.environ.get("PYTHONSAFEPATH"):
        yield
        return
    os.environ["PYTHONSAFEPATH"] = OURS
    try:
        yield
    finally:
        own_path()


def own_path() -> None:
    """Let Python processes that start from now on look for modules where the person's own would.

    A script would not find the modules beside it otherwise.
    """
    if os.environ.get("PYTHONSAFEPATH") == OURS:
        del os.environ["PYTHONSAFEPATH"]
