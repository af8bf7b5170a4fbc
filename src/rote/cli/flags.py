"""Arguments of functions as flags of the command line: the one place that knows both names.

Messages of the library name an argument in backticks, as in "`duplicate_rms` is 300". Whoever called a
function reads them as they are; whoever typed a command reads "--duplicate-rms is 300".
"""

from __future__ import annotations

import functools
import re

import typer

# What a function calls otherwise than the command does.
OTHER_NAMES = {
    "source": "--data",
    "dataset": "--data",
    "settings": "--set",
}


@functools.cache
def flags() -> dict[str, str]:
    """Return the flag of every argument that some command takes."""
    from rote.cli.app import app

    found: dict[str, str] = {}
    commands = [typer.main.get_command(app)]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        for parameter in command.params:
            if parameter.name and parameter.opts[0].startswith("--"):
                found.setdefault(
                    parameter.opts[0].removeprefix("--").replace("-", "_"), parameter.opts[0]
                )
    return found | OTHER_NAMES


def as_flags(text: str, given: dict[str, str] | None = None) -> str:
    """Return a message with its arguments as flags.

    Parameters
    ----------
    text
        A message in which arguments stand in backticks; all else in backticks is left alone.
    given
        Arguments that this command takes under a flag of another name, such as "source" under
        "--training"; an empty flag means that it is given without one.

    >>> as_flags("`resolution` is -1; see `rote data list`")
    '--resolution is -1; see `rote data list`'
    >>> as_flags("give `source` a folder", {"source": ""})
    'give a folder'
    """
    for name, flag in (given or {}).items():
        text = text.replace(f"`{name}` ", f"{flag} " if flag else "")
    return re.sub(r"`([a-z_0-9]+)`", lambda hit: flags().get(hit[1], hit[0]), text)
