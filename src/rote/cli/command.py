"""Option objects: a command takes frozen dataclasses, and the command line sees their fields as flags.

    @dataclass(frozen=True)
    class SubsetOptions:
        size: Annotated[int | None, typer.Option("--size")] = None
        first: Annotated[bool, typer.Option("--first")] = False

    @app.command()
    @takes_options
    def train(*, out: Out, subset: SubsetOptions, seed: Seed = 0) -> None: ...

is the command ``train --out --size --first --seed``. A field may be an option object itself.

An option that is annotated with a `Place` too can be given without its flag:

    generated: Annotated[str, typer.Option("--generated"), Place("GENERATED")]

is ``audit GENERATED`` as well as ``audit --generated GENERATED``.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, get_args, get_type_hints

import typer

from rote.core.console import results_alone
from rote.core.errors import ConfigError, RunError


@dataclass(frozen=True)
class Place:
    """Says of an option that it can be given by position as well, under this name in the help."""

    metavar: str
    required: bool = False
    """Whether it has no default; found by `takes_options`."""

    @property
    def argument(self) -> str:
        """The parameter that holds what was given by position."""
        return f"{self.metavar.lower()}_by_position"


def given_options(options: Any) -> dict[str, Any]:
    """Return what of an option object is not as usual, by the names of its fields."""
    return {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if getattr(options, field.name) != field.default
    }


def refuse_given(options: Any, why: str) -> None:
    """Refuse an option object unless all of it is as usual.

    Raises
    ------
    ConfigError
        That names the first flag that is not, and says why.
    """
    if wrong := given_options(options):
        raise ConfigError(f"--{next(iter(wrong)).replace('_', '-')} {why}")


def takes_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flat signature that typer reads, with the fields of its option objects.

    Raises
    ------
    ValueError
        If two of them have one name.
    """
    own = list(_parameters(function))
    places = {p.name: place for p in own if (place := _place_of(p)) is not None}

    @functools.wraps(function)
    def command(*, typer_context: typer.Context | None = None, **given: Any) -> None:
        if typer_context is not None:
            _by_position(typer_context, places, given)
        with only_results():
            _call(function, given)

    signature = inspect.Signature([*_arguments(places), *(_flat(p, places) for p in own)])
    command.places = places  # type: ignore[attr-defined]
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command


def places_of(command: Any) -> dict[str, Place]:
    """Return which options of a command can be given by position, by the parameter's name."""
    return getattr(command.callback, "places", {})


def _place_of(parameter: inspect.Parameter) -> Place | None:
    required = parameter.default is inspect.Parameter.empty
    found = (each for each in get_args(parameter.annotation)[1:] if isinstance(each, Place))
    return next((replace(place, required=required) for place in found), None)


def _arguments(places: dict[str, Place]) -> Iterator[inspect.Parameter]:
    """Yield what takes the values without a flag; the options themselves tell what they are."""
    kind = inspect.Parameter.KEYWORD_ONLY
    if places:
        yield inspect.Parameter("typer_context", kind, annotation=typer.Context)
    for place in places.values():
        argument = typer.Argument(metavar=place.metavar, hidden=True)
        annotation = Annotated[str | None, argument]
        yield inspect.Parameter(place.argument, kind, default=None, annotation=annotation)


def _flat(parameter: inspect.Parameter, places: dict[str, Place]) -> inspect.Parameter:
    """Return an option as typer is to read it: one with a place is asked for by `_by_position`."""
    if parameter.name not in places or not places[parameter.name].required:
        return parameter
    kind, *others = get_args(parameter.annotation)
    return parameter.replace(default=None, annotation=Annotated[(kind | None, *others)])


def _by_position(context: typer.Context, places: dict[str, Place], given: dict[str, Any]) -> None:
    """Put what was given by position where its option is.

    Raises
    ------
    ConfigError
        If one thing is given by position and by its flag.
    """
    for name, place in places.items():
        here, flag = given.pop(place.argument), f"--{name.replace('_', '-')}"
        source = context.get_parameter_source(name)
        if here is not None and source is not None and source.name == "COMMANDLINE":
            raise ConfigError(
                f"{place.metavar} is given twice, as {here} and as {flag} {given[name]}; give it once"
                + (", and both sides in the same way" if len(places) > 1 else "")
            )
        if here is not None:
            given[name] = here
        if place.required and given[name] is None:
            context.fail(f"Missing {place.metavar} (or {flag}).")


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
