"""Elsewhere than on a terminal a line tells what goes on; on one, a bar that ends without a trace."""

import io
import time

import pytest
from rich.console import Console

from rote.core.progress import display
from rote.core.progress.work import work

HOSTILE = "\x1b[2J\r\x08a"


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(display, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(display, "LINE_SECONDS", 0.01)


def test_a_line_now_and_then_where_there_is_no_terminal(often, capsys):
    with work("duplicates"), work(HOSTILE, 20) as own:
        own.reach(5)
        with display.showing(), display.showing():
            time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert all(line.startswith(r"duplicates: \x1b[2J\r\x08a, 5 of 20, ") for line in lines)
    assert all(line.endswith("s left") for line in lines)


def test_nothing_is_said_of_what_ends_at_once(capsys):
    with display.progress("items", 3) as report:
        report(3, 3)
    assert capsys.readouterr() == ("", "")


def test_a_bar_with_the_time_left_on_a_terminal(often, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(display, "console", Console(file=screen, force_terminal=True, width=100))
    with display.progress(HOSTILE, 50) as report:
        report(10, 50)
        time.sleep(0.3)
    said = screen.getvalue()
    assert r"\x1b[2J\r\x08a" in said
    assert "10/50" in said
    assert said.endswith(("\x1b[?25h", "\x1b[2K"))
