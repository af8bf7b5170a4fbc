"""The only place that prints, with `rote.core.progress`: results to stdout, all else to stderr.

``--json`` puts one JSON object and nothing else on stdout. Without it a result is a line of text, or a
table where a command is asked for nothing else; tables beside a result, progress and errors are stderr's.

Names in what is printed are untrusted: control characters are escaped here, so none moves the cursor.
No terminal loses a result: JSON is ASCII, and what an encoding lacks is escaped.

A result that cannot be written is an error, so that nobody takes silence for an answer. A reader that
went away, as in ``rote ... | head -1``, has what it wanted, and the command goes on to its own exit code.
What cannot be written to stderr is lost, and nothing else is.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from rote.core.atomic_files import to_json_text
from rote.core.errors import RunError

PIPED_COLUMNS = 240

console = Console(stderr=True, highlight=False, emoji=False)
_reworded: Callable[[str], str] = str
_results: list[TextIO] = []


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
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
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


def leave_terminal() -> None:
    """Give the cursor back and clear the line, for a process that ends on the spot."""
    if console.is_terminal:
        with contextlib.suppress(OSError):
            os.write(2, b"\r\x1b[2K\x1b[?25h")


class _Lossy(io.FileIO):
    """A file that takes everything, whether it can be written or not."""

    def write(self, data: Any) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError):
            return super().write(data)
        return len(data)


def prepare_streams() -> None:
    """Make the streams of a new process fit for use; those that a test has put there are left alone.

    A closed one would lend its number to the next file that is opened, which then gets what a library
    in C prints.
    """
    missing = [number for number in range(3) if not _is_open(number)]
    for number in missing:
        # Nothing can be written to it, so a result for a closed stdout is an error.
        kept = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
        assert kept == number  # the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        encoding = getattr(sys.stderr, "encoding", None)
        raw = io.BufferedWriter(_Lossy(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def results_alone() -> Iterator[None]:
    """Let nothing but results reach stdout within the block.

    What others print there goes to stderr: functions of a person's own, TorchScript, libraries in C,
    processes that are started.
    """
    if _results:
        yield
        return
    stream, number = sys.stdout, _number(sys.stdout)
    stream.flush()
    if number != 1:  # a test's own
        _results.append(stream)
        with contextlib.redirect_stdout(sys.stderr):
            try:
                yield
            finally:
                _results.clear()
        return
    kept = os.dup(number)
    os.dup2(2, number)
    _results.append(open(kept, "w", encoding=stream.encoding, errors=stream.errors))  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            stream.flush()
        os.dup2(kept, number)
        with contextlib.suppress(OSError):
            _results.pop().close()


def _number(stream: TextIO) -> int:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def results() -> TextIO:
    """Return the stream that results are written to."""
    return _results[0] if _results else sys.stdout


def write_result(text: str) -> None:
    """Write a part of the result at once; what the encoding of stdout lacks is escaped.

    Raises
    ------
    RunError
        If it cannot be written, unless whoever read it went away.
    """
    stream = results()
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        forget_stdout()
    except OSError as error:
        forget_stdout()
        raise RunError(
            f"cannot write the result to stdout: {error.strerror}; let stdout be a file or a pipe with "
            "room, and run the same command again"
        ) from error


def forget_stdout() -> None:
    """Send what else is written to stdout, and what it still holds, nowhere."""
    stream = results()
    number = _number(stream)
    if number >= 0:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
    with contextlib.suppress(OSError):
        stream.flush()
