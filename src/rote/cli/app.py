"""The app that the command modules add to."""

from __future__ import annotations

from typing import Annotated

import typer

from rote.cli.catalogs import load_extensions
from rote.cli.command import only_results
from rote.cli.options import State

app = typer.Typer(
    name="rote",
    help="Measure what generative image models learn by rote.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
