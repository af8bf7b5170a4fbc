"""`rote dedup`: a source without its near-duplicates, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.source import ImageOptions, check_source, named
from rote.cli.values import choice
from rote.core.errors import ConfigError


@command(example="rote dedup photos/ --out clean --keep largest --resolution 64")
@takes_options
@options.answers_in_time
def dedup(
    *,
    source: Annotated[
        str,
        typer.Argument(
            help="A folder, an archive, or any other source of images; with --undo the --out of "
            "`rote dedup`."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="A new folder for the files that stay; of images that are no files a new npz file.",
        ),
    ] = None,
    keep: Annotated[
        str,
        choice(
            "--keep", ("first", "largest", "sharpest"), "Which of each group of duplicates stays."
        ),
    ] = "first",
    duplicate_rms: Annotated[
        float | None,
        typer.Option(
            "--duplicate-rms",
            help="Images this near to each other (RMS difference, in 8-bit levels) are duplicates; "
            "0: exact ones only. [default: 0.23 of their spacing]",
        ),
    ] = None,
    invariances: Annotated[
        str,
        typer.Option(
            "--invariances",
            metavar="flip,tone",
            help="Mirrored or retoned twins are duplicates too.",
        ),
    ] = "",
    how: ImageOptions,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put what was dropped back, from the record.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Keep one of each group of near-duplicate images, with captions and a record of what was dropped.

    Images are compared as the options read them (--resolution where sizes differ); files are copied as
    they are, and SOURCE is not changed.
    """
    check_source(source, flag="")
    from rote.core.console import print_result, print_text, say
    from rote.core.progress.display import progress
    from rote.memorization.dedup.dedup import dedup as run_dedup
    from rote.memorization.dedup.dedup import undo_dedup

    if undo:
        count = undo_dedup(source)
        if json:
            print_result({"restored": count})
        else:
            print_text(f"{count:,} images put back")
        return
    if out is None:
        raise ConfigError("give --out, a new folder or npz file for what stays")
    with named(""), progress("near-duplicates"):
        found = run_dedup(
            source,
            out,
            keep=keep,
            duplicate_rms=duplicate_rms,
            invariances=invariances,
            options=how.read(),
        )
    if json:
        print_result(found.to_json())
        return
    first, *rest = found.sentences()
    for line in rest:
        say(line)
    print_text(first)
