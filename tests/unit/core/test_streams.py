"""What is on stdout is the result and nothing else, or the command says so."""

import io
import os
import sys
from pathlib import Path

import pytest

from rote.core.errors import RunError
from rote.core.streams import results_alone, write_result


def test_what_others_print_goes_to_stderr(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))
    with results_alone():
        print("by a function")
        os.write(1, b"by a library in C\n")
        with results_alone():
            write_result("the result\n")
    print("after it", flush=True)
    out, err = capfd.readouterr()
    assert out == "the result\nafter it\n"
    assert sorted(err.splitlines()) == ["by a function", "by a library in C"]


def test_a_stream_of_a_test_is_left_in_its_place(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with results_alone():
        print("other")
        write_result("result")
    assert (out.getvalue(), err.getvalue()) == ("result", "other\n")


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(RunError, match="cannot write the result to stdout: No space left"):
            write_result("x")
        write_result("what follows goes nowhere")


def test_a_reader_that_went_away_is_none(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        write_result("x" * 100_000)
        write_result("y")
