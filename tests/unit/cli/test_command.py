"""Option objects as flags."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from rote.cli.command import Place, takes_options

Seed = Annotated[int, typer.Option("--seed", min=0, help="Root seed.")]


@dataclass(frozen=True)
class ImageOptions:
    """Images."""

    resolution: Annotated[int | None, typer.Option("--resolution", help="Pixels.")] = None
    grey: Annotated[bool, typer.Option("--grey")] = False


@dataclass(frozen=True)
class SourceOptions(ImageOptions):
    """Images and tables."""

    ignored: Annotated[list[str] | None, typer.Option("--ignore")] = None


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """An object within an object, between others."""

    data: Annotated[str, typer.Option("--data")] = "digits"
    source: SourceOptions
    weights: Annotated[str, typer.Option("--weights")] = "ema"


def run(*arguments: str) -> dict[str, object]:
    """Run one command with arguments; return what it was called with."""
    seen: dict[str, object] = {}
    app = typer.Typer(add_completion=False)

    @app.command()
    @takes_options
    def probe(
        run: Annotated[str, typer.Argument()],
        *,
        probe: ProbeOptions,
        seed: Seed = 0,
    ) -> None:
        """Say what a probe sees."""
        seen.update(run=run, probe=probe, seed=seed)

    done = CliRunner().invoke(app, list(arguments))
    seen["code"], seen["output"] = done.exit_code, done.output
    return seen


def test_a_command_gets_its_option_objects() -> None:
    seen = run("here", "--grey", "--ignore", "a", "--ignore", "b", "--seed", "3", "--data", "x")
    assert seen["probe"] == ProbeOptions(
        data="x", source=SourceOptions(grey=True, ignored=["a", "b"]), weights="ema"
    )
    assert (seen["run"], seen["seed"], seen["code"]) == ("here", 3, 0)


def test_defaults_are_those_of_the_fields() -> None:
    assert run("here")["probe"] == ProbeOptions(source=SourceOptions())


def test_help_has_the_flags_in_their_order() -> None:
    text = str(run("--help")["output"])
    flags = ["--data", "--resolution", "--grey", "--ignore", "--weights", "--seed"]
    assert sorted(flags, key=text.index) == flags
    assert "Say what a probe sees." in text
    assert "Pixels." in text


def test_limits_of_a_field_hold() -> None:
    seen = run("here", "--seed", "-1")
    assert seen["code"] == 2
    assert "--seed" in str(seen["output"])


def test_two_options_of_one_name_are_refused() -> None:
    def command(*, probe: ProbeOptions, data: str) -> None:
        raise AssertionError(probe, data)

    with pytest.raises(ValueError, match="duplicate parameter name: 'data'"):
        takes_options(command)


def test_the_signature_names_no_object() -> None:
    def command(*, source: SourceOptions, out: str) -> None:
        raise AssertionError(source, out)

    parameters = inspect.signature(takes_options(command)).parameters
    assert list(parameters) == ["resolution", "grey", "ignored", "out"]
    assert parameters["out"].default is inspect.Parameter.empty


def by_position(*arguments: str) -> tuple[int, str]:
    """Run a command whose sides can be given by position; return its exit code and what it says."""
    app = typer.Typer(add_completion=False)

    @app.command()
    @takes_options
    def audit(
        *,
        generated: Annotated[str, typer.Option("--generated"), Place("GENERATED")],
        training: Annotated[str, typer.Option("--training"), Place("TRAINING")],
        data: Annotated[str, typer.Option("--data"), Place("DATA")] = "digits",
    ) -> None:
        print(generated, training, data)

    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, str(done.exception) if done.exit_code == 1 else done.output.strip()


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("a", "b"), "a b digits"),
        (("a", "b", "c"), "a b c"),
        (("--generated", "a", "--training", "b"), "a b digits"),
        (("a", "--training", "b"), "a b digits"),
        (("a", "b", "--data", "c"), "a b c"),
        (("--", "-a", "-b"), "-a -b digits"),
    ],
)
def test_what_has_a_place_is_given_by_position_or_by_flag(arguments, seen: str) -> None:
    assert by_position(*arguments) == (0, seen)


def test_what_is_given_twice_or_not_at_all_is_said_in_a_line() -> None:
    code, said = by_position("a", "b", "--training", "b")
    assert code == 1
    assert said.startswith("TRAINING is given twice, as b and as --training b; give it once")
    for arguments in ((), ("a",), ("--training", "b")):
        code, said = by_position(*arguments)
        assert code == 2
        assert f"Missing {'TRAINING' if arguments == ('a',) else 'GENERATED'}" in said
    assert by_position("a", "b", "c", "d")[0] == 2
