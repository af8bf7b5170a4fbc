"""What commands say of criteria, spaces and studies: taken from their catalogs when help is asked for.

The catalogs are filled by modules that take a moment to import, and by extensions, which are imported
when the command line is read; so help has gaps, ``{criteria}`` and ``{spaces}``, that are filled late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperOption


class CatalogCommand(TyperCommand):
    """A command whose options' help names what is in the catalogs."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill the gaps, then show the help."""
        from rote.memorization.criteria import CRITERIA
        from rote.spaces import SPACES

        names = {"{criteria}": ", ".join(CRITERIA.names), "{spaces}": ", ".join(SPACES.names)}
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.help:
                for gap, filled in names.items():
                    parameter.help = parameter.help.replace(gap, filled)
        super().format_help(ctx, formatter)


def say_code(spaces: Iterable[object]) -> None:
    """Say of each space that is a function that it is code, as files of weights are not."""
    from rote.core.console import say
    from rote.spaces import SPACES
    from rote.spaces.parse import read

    for text in spaces:
        if isinstance(text, str) and ":" in text and read(text).name not in SPACES:
            say(f"`space` {text} runs code of that module, with your rights and unchecked")


def load_extensions(names: list[str]) -> None:
    """Import modules of the user's own, which register what they bring.

    Raises
    ------
    ConfigError
        If one is not there, or raises.
    """
    from rote.core.errors import ConfigError
    from rote.core.user_module import import_user_module

    for name in names:
        try:
            import_user_module(name)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError(f"--extension {name} cannot be imported ({reason})") from error
