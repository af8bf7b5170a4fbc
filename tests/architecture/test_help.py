"""The help of every command: each option in a group, examples that can be typed, no line too long."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import rote.cli  # noqa: F401  adds the commands
from rote.cli.app import app
from rote.cli.help import COMMANDS, GROUPS, OTHER, group_of

ROOT: Any = typer.main.get_command(app)


def leaves(
    command: Any = ROOT, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from leaves(each, (*words, name))
    if not inner:
        yield words, command


LEAVES = dict(leaves())


def context(words: tuple[str, ...]) -> Any:
    found, command = ROOT.make_context("rote", [], resilient_parsing=True), ROOT
    for word in words:
        command = command.commands[word]
        found = command.make_context(word, [], parent=found, resilient_parsing=True)
    return found


def parse(line: str) -> None:
    """Read a command line as the command would, without running it."""
    words = shlex.split(line)
    assert words.pop(0) == "rote"
    command, parent = ROOT, ROOT.make_context("rote", [], resilient_parsing=True)
    while inner := getattr(command, "commands", None):
        command = inner[words.pop(0)]
        if not getattr(command, "commands", None):
            break
        parent = command.make_context(command.name, [], parent=parent, resilient_parsing=True)
    command.make_context(command.name, words, parent=parent)


def test_every_option_stands_in_a_group_and_no_group_names_what_is_gone() -> None:
    here = [(command.name, p) for command in LEAVES.values() for p in command.params]
    shown = [(name, p) for name, p in here if not getattr(p, "hidden", False)]
    without = [f"{name} {p.opts[0]}" for name, p in shown if group_of(name, p) == OTHER]
    assert without == [], "put them into a group in rote/cli/help.py"
    known = {p.opts[0].removeprefix("--") for _, p in shown} | {"help"}
    named = " ".join(GROUPS.values()).split()
    assert {name.rpartition(":")[2] for name in named} - known == set()
    assert len(named) == len(set(named))


def test_the_list_of_commands_is_whole() -> None:
    assert sorted(name for names in COMMANDS.values() for name in names) == sorted(ROOT.commands)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_ends_with_an_example_that_can_be_typed(words, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for made in ("audit-before", "audit-after", "runs/mine", "runs/emm"):
        (tmp_path / made).mkdir(parents=True)
    lines = LEAVES[words].epilog.splitlines()
    assert lines[-1].startswith(f"rote {' '.join(words)}")
    for line in lines:
        parse(line)


def test_the_first_page_ends_with_examples_that_can_be_typed() -> None:
    for line in ROOT.epilog.splitlines():
        parse(line.partition("  ")[0])


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("words", [(), *LEAVES], ids=" ".join)
def test_help_fits_the_terminal_and_has_no_color(words, width: int, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = context(words).get_help()
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "{criteria}" not in text and "{spaces}" not in text
    assert "-h, --help" in text
