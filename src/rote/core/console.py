"""The only place that prints: results go to stdout, what accompanies them to stderr.

``--json`` puts one JSON object and nothing else on stdout. Without it a result is a line of text, or a
table where a command is asked for nothing else; tables beside a result, progress and errors are stderr's.

Names in what is printed are untrusted: control characters are escaped here, so none moves the cursor.
No terminal loses a result: JSON is ASCII, and what an encoding lacks is escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from rote.core.atomic_files import to_json_text
from rote.core.streams import results, write_result

PIPED_COLUMNS = 240
_MOVING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of what is no glyph: controls, direction marks, lone surrogates, line ends."""

console = Console(stderr=True, highlight=False, emoji=False)
_reworded: Callable[[str], str] = str


def reword(words: Callable[[str], str]) -> None:
    """Pass every message through a function from now on: a command line names flags, not arguments."""
    global _reworded
    _reworded = words


def say(message: str) -> None:
    """Print one line for people (no markup is interpreted: file names are untrusted text)."""
    console.print(one_line(_reworded(message)), markup=False, soft_wrap=True)


def one_line(text: str) -> str:
    r"""Return text that stays on its line of a terminal: what is no glyph is escaped.

    >>> print(one_line("a\x1b[2Jb\n画"))
    a\x1b[2Jb\n画
    """
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _MOVING else char
        for char in text
    )


def hush() -> None:
    """Say nothing but errors from now on: this process is one of several, and the first one speaks."""
    console.quiet = True


def say_error(message: str) -> None:
    """Print one error line."""
    console.quiet = False
    console.print("error: ", style="bold red", end="")
    console.print(one_line(_reworded(message)), markup=False, soft_wrap=True)


def print_result(value: dict[str, Any]) -> None:
    """Print one JSON object to stdout, in ASCII."""
    write_result(to_json_text(value, ascii_only=True))


def print_text(text: str) -> None:
    """Print a result line to stdout."""
    write_result(one_line(text) + "\n")


def print_table(built: Table) -> None:
    """Print a table that is itself the result to stdout; in a pipe its rows are not wrapped."""
    stream = results()
    wide = None if stream.isatty() else PIPED_COLUMNS
    printed = Console(file=stream, highlight=False, emoji=False, width=wide)
    with printed.capture() as captured:
        printed.print(built)
    write_result(captured.get())


def table(title: str, columns: list[str], rows: list[list[str]]) -> Table:
    """Build a plain table; all cells are taken as text, never as markup."""
    from rich.markup import escape

    def plain(text: str) -> str:
        return escape(one_line(text))

    built = Table(title=plain(title), title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        built.add_column(plain(column), justify="left" if number == 0 else "right")
    for row in rows:
        built.add_row(*map(plain, row))
    return built


class _Label(ProgressColumn):
    """What is being done, as plain text: it may name a file."""

    def render(self, task: Task) -> Text:
        """Return the description."""
        return Text(one_line(task.description))


def progress() -> Progress:
    """Return a progress display on stderr: label, bar, done of total, time left."""
    return Progress(
        _Label(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
