"""Stdin, stdout and stderr as a command finds them: closed, full, read by nobody, printed to by others.

Stdout is for results. One that cannot be written is an error, so that nobody takes silence for an answer;
a reader that went away, as in ``rote ... | head -1``, has what it wanted, and the command goes on to its
own exit code. Stderr is for people: what cannot be written there is lost and nothing else is.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rote.core.errors import RunError

_results: list[TextIO] = []


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
