"""Choices are checked while the command line is read, and rates are read as people write them."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from rote.cli.values import choice, completed, parse_rate, rate
from rote.core.errors import ConfigError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def command(
    color: Annotated[str, choice("--color", ("red", "green"), "Which.")] = "red",
    limit: Annotated[float | None, rate("--limit", "How much.")] = None,
    share: Annotated[float, rate("--share", "Of what.")] = 0.005,
) -> None:
    """Print what was given."""
    print(color, limit, share)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, ConfigError):
        raise done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.01", 0.01), ("1%", 0.01), (".01", 0.01), ("1 %", 0.01), ("2.5%", 0.025), ("1e-2", 0.01)],
)
def test_a_rate_is_read_as_it_is_written(text: str, value: float) -> None:
    assert parse_rate(text) == pytest.approx(value, abs=1e-15)
    assert run("--limit", text, "--share", text) == (0, f"red {value} {value}\n")


def test_defaults_stay_and_what_is_no_rate_is_refused() -> None:
    assert run() == (0, "red None 0.005\n")
    code, said = run("--limit", "five")
    assert code == 2
    assert "'five' is no rate; give one such as 0.01 or 1%" in said


def test_a_choice_is_checked_shown_and_completed() -> None:
    assert run("--color", "green") == (0, "green None 0.005\n")
    with pytest.raises(ConfigError, match=r"--color gren is unknown \(did you mean 'green'\?\)"):
        run("--color", "gren")
    with pytest.raises(ConfigError, match=r"--color x is unknown \(known: red, green\)"):
        run("--color", "x")
    assert "--color red|green" in run("--help")[1]
    assert completed(("red", "green"))("g") == ["green"]
