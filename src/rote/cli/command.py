"""Option objects: a command takes frozen dataclasses, and the command line sees their fields as flags.

    @dataclass(frozen=True)
    class SubsetOptions:
        size: Annotated[int | None, typer.Option("--size")] = None
        first: Annotated[bool, typer.Option("--first")] = False

    @app.command()
    @takes_options
    def train(*, out: Out, subset: SubsetOptions, seed: Seed = 0) -> None: ...

is the command ``train --out --size --first --seed``. A field may be an option object itself.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any, get_type_hints

from rote.core.console import results_alone
from rote.core.errors import RunError


def takes_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flat signature that typer reads, with the fields of its option objects.

    Raises
    ------
    ValueError
        If two of them have one name.
    """

    @functools.wraps(function)
    def command(**given: Any) -> None:
        with only_results():
            _call(function, given)

    signature = inspect.Signature(list(_parameters(function)))
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command


@contextlib.contextmanager
def only_results() -> Iterator[None]:
    """Run a command, in which code of others may run: it does not print to stdout, nor end the command.

    Raises
    ------
    RunError
        If something called `sys.exit`, whose code would pass a gate.
    """
    try:
        with results_alone():
            yield
    except SystemExit as end:
        raise RunError(
            f"a function or module that is no part of rote called sys.exit({end.code!r}), so nothing was "
            "decided; let it return, or raise an error (--debug shows where)"
        ) from end


def _parameters(target: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a function or of an option object, those of objects in their place."""
    hints = get_type_hints(target, include_extras=True)
    for parameter in inspect.signature(target).parameters.values():
        kind = hints[parameter.name]
        if is_dataclass(kind):
            yield from _parameters(kind)  # type: ignore[arg-type]
        else:
            yield parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)


def _call(target: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Call a function, or make an option object, from flat values."""
    hints = get_type_hints(target, include_extras=True)
    return target(
        **{
            name: _call(hints[name], given) if is_dataclass(hints[name]) else given[name]
            for name in inspect.signature(target).parameters
        }
    )
