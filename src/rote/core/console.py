"""The only place that prints: results go to stdout, what accompanies them to stderr.

``--json`` puts one JSON object and nothing else on stdout. Without it a result is a line of text, or a
table where a command is asked for nothing else; tables beside a result, progress and errors are stderr's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rote.core.atomic_files import to_json_text

PIPED_COLUMNS = 240

console = Console(stderr=True, highlight=False)
_reworded: Callable[[str], str] = str


def reword(words: Callable[[str], str]) -> None:
    """Pass every message through a function from now on: a command line names flags, not arguments."""
    global _reworded
    _reworded = words


def say(message: str) -> None:
    """Print one line for people (no markup is interpreted: file names are untrusted text)."""
    console.print(_reworded(message), markup=False, soft_wrap=True)


def hush() -> None:
    """Say nothing but errors from now on: this process is one of several, and the first one speaks."""
    console.quiet = True


def say_error(message: str) -> None:
    """Print one error line."""
    console.quiet = False
    console.print("error: ", style="bold red", end="")
    console.print(_reworded(message), markup=False, soft_wrap=True)


def print_result(value: dict[str, Any]) -> None:
    """Print one JSON object to stdout."""
    sys.stdout.write(to_json_text(value))


def print_text(text: str) -> None:
    """Print a result line to stdout."""
    sys.stdout.write(text + "\n")


def print_table(built: Table) -> None:
    """Print a table that is itself the result to stdout; in a pipe its rows are not wrapped."""
    wide = None if sys.stdout.isatty() else PIPED_COLUMNS
    Console(file=sys.stdout, highlight=False, width=wide).print(built)


def table(title: str, columns: list[str], rows: list[list[str]]) -> Table:
    """Build a plain table; all cells are taken as text, never as markup."""
    from rich.markup import escape

    built = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        built.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        built.add_row(*(escape(cell) for cell in row))
    return built


def progress() -> Progress:
    """Return a progress display on stderr: label, bar, done of total, time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
