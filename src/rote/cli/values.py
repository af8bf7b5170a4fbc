"""Values of options: names of a list, which are checked before anything is imported, and rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer

from rote.core.errors import ConfigError, did_you_mean


def choice(flag: str, names: Sequence[str], help: str) -> Any:
    """Return an option whose value is one of the names: shown in the help, completed, checked at once."""
    return typer.Option(
        flag,
        metavar="|".join(names),
        help=help,
        callback=_one_of(flag, names),
        autocompletion=completed(names),
    )


def completed(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what completes one of the names in a shell."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def _one_of(flag: str, names: Sequence[str]) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is not None and value not in names:
            raise ConfigError(f"{flag} {value} is unknown{did_you_mean(value, names)}")
        return value

    return check


def rate(flag: str, help: str) -> Any:
    """Return an option whose value is a share, as 0.01 or 1%."""
    return typer.Option(flag, metavar="RATE", help=help, parser=parse_rate)


def parse_rate(text: str | float) -> float:
    """Return the share that a person wrote.

    Raises
    ------
    typer.BadParameter
        If it is no number.

    >>> parse_rate("0.01"), parse_rate("1%"), parse_rate(".01"), parse_rate("2.5 %")
    (0.01, 0.01, 0.01, 0.025)
    """
    if not isinstance(text, str):  # a default
        return text
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no rate; give one such as 0.01 or 1%") from None
    return value / 100 if text.strip().endswith("%") else value
