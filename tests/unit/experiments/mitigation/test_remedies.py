"""Remedies by name and by function; the command knows the same names."""

from pathlib import Path

import pytest

from rote.cli import names
from rote.core.errors import ConfigError
from rote.experiments.mitigation.remedies import REMEDIES, remedy_of
from rote.experiments.mitigation.remedy import number


def test_the_command_knows_the_names_that_there_are() -> None:
    assert REMEDIES.names == names.REMEDIES


def test_names_settings_and_functions_are_read(tmp_path: Path, monkeypatch) -> None:
    remedy, settings = remedy_of("away:0.3,0.5")
    assert (remedy.name, settings) == ("away", ("0.3", "0.5"))
    assert remedy_of("dedup") == (REMEDIES["dedup"], ())
    (tmp_path / "a_remedy_of_mine.py").write_text("def mine(case, setting): return setting\n")
    monkeypatch.chdir(tmp_path)
    mine, settings = remedy_of("a_remedy_of_mine:mine:3,4")
    assert (mine.name, settings, mine.apply(None, "x")) == (
        "a_remedy_of_mine:mine",
        ("3", "4"),
        "x",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("awy", "did you mean 'away'"),
        ("no_such_module:f", "importing no_such_module raised ModuleNotFoundError"),
        ("json:nothing", "json has no function nothing"),
    ],
)
def test_an_unknown_remedy_is_said(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        remedy_of(text)


@pytest.mark.parametrize("text", ["x", "-1", "nan", "2"])
def test_a_setting_out_of_range_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=f"away:{text}: give a number from 0 to 1"):
        number("away", text, low=0, high=1)
