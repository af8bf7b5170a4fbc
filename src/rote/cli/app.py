"""The app that the command modules add to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from rote.cli.catalogs import load_extensions
from rote.cli.command import only_results
from rote.cli.help import Command, Commands
from rote.cli.options import State

app = typer.Typer(
    name="rote",
    cls=Commands,
    help="Measure what generative image models learn by rote.",
    epilog="rote audit samples/ train/ --out audit     (rote audit -h: all it can do)\n"
    "rote emm digits --preset tiny --out demo  (no data of your own needed)",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def command(
    name: str | None = None, *, example: str, of: typer.Typer = app
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a command, with lines to type that its help ends with."""
    register: Any = of.command(name, cls=Command, epilog=example)
    return register


def _version(wanted: bool) -> None:
    if wanted:
        from rote.core.console import print_text
        from rote.core.installation import DISTRIBUTION, VERSION

        print_text(f"rote {VERSION} ({DISTRIBUTION})")
        raise typer.Exit


@app.callback()
def _global(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    extension: Annotated[
        list[str] | None,
        typer.Option(
            "--extension",
            metavar="MODULE",
            help="Import a module of yours first, which registers criteria, spaces, corruptions or "
            "factors. Repeatable.",
        ),
    ] = None,
) -> None:
    State.debug = debug
    with only_results():
        load_extensions(extension or [])
