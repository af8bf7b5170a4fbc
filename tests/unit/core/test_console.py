"""People read stderr, programs read stdout, and nobody's text is taken as markup."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from rote.core import console
from rote.core.errors import RunError


def test_json_goes_to_stdout_alone(capsys):
    console.print_result({"rate": 0.5, "name": "größe"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"rate": 0.5, "name": "größe"}
    assert err == ""


def test_text_goes_to_stdout(capsys):
    console.print_text("0.5")
    assert capsys.readouterr() == ("0.5\n", "")


def test_a_table_shows_hostile_cells_as_they_are(capsys):
    built = console.table("sizes", ["name", "rate"], [["[bold]x[/]", "1"]])
    with console.console.capture() as captured:
        console.console.print(built)
    assert "[bold]x[/]" in captured.get()
    assert capsys.readouterr() == ("", "")


def test_lines_for_people_keep_brackets_and_stay_one_line():
    long = "[red]name[/red] " + "x" * 300
    with console.console.capture() as captured:
        console.say(long)
        console.say_error(long)
    assert captured.get() == f"{long}\nerror: {long}\n"


HOSTILE = "\x1b[2J\r\x08a\u202eb\x9b1A\u2028c"


def _narrow(monkeypatch):
    """Take stdout's place with one that knows Western Europe alone; return what it is written to."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252", errors="strict"))
    return raw


def test_no_name_moves_the_cursor(capsys):
    console.print_text(HOSTILE)
    console.print_table(console.table(HOSTILE, [HOSTILE], [[HOSTILE]]))
    out = capsys.readouterr().out
    with console.console.capture() as captured:
        console.say(HOSTILE)
        console.say_error(HOSTILE)
    for text in (out, captured.get()):
        assert "\\x1b[2J\\r\\x08a\\u202eb\\x9b1A\\u2028c" in text
        assert not set(text) & set("\x1b\r\x08\u202e\x9b\u2028")


def test_a_name_is_no_code_for_a_picture():
    with console.console.capture() as captured:
        console.say("a:bomb:.png")
    assert captured.get() == "a:bomb:.png\n"


def test_json_is_ascii_whatever_the_terminal(monkeypatch):
    raw = _narrow(monkeypatch)
    console.print_result({"name": "画像 ö \udcff"})
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode("ascii")) == {"name": "画像 ö \udcff"}


def test_text_and_tables_lose_nothing_on_a_narrow_terminal(monkeypatch):
    raw = _narrow(monkeypatch)
    console.print_text("画 ö \udcff")
    console.print_table(console.table("表", ["画"], [["像 ö"]]))
    sys.stdout.flush()
    text = raw.getvalue().decode("cp1252")
    assert text.startswith("\\u753b ö \\udcff\n")
    assert all(part in text for part in ("\\u8868", "\\u50cf ö"))


def test_what_others_print_goes_to_stderr(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))
    with console.results_alone():
        print("by a function")
        os.write(1, b"by a library in C\n")
        with console.results_alone():
            console.write_result("the result\n")
    print("after it", flush=True)
    out, err = capfd.readouterr()
    assert out == "the result\nafter it\n"
    assert sorted(err.splitlines()) == ["by a function", "by a library in C"]


def test_a_stream_of_a_test_is_left_in_its_place(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with console.results_alone():
        print("other")
        console.write_result("result")
    assert (out.getvalue(), err.getvalue()) == ("result", "other\n")


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(RunError, match="cannot write the result to stdout: No space left"):
            console.write_result("x")
        console.write_result("what follows goes nowhere")


def test_a_reader_that_went_away_is_none(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        console.write_result("x" * 100_000)
        console.write_result("y")
