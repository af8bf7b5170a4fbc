"""What registers spaces, criteria and more from outside, and what is said of code that is run."""

from __future__ import annotations

from collections.abc import Iterable


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
