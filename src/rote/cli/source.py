"""How sources are read: the options of all commands that take one, and the function that loads it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.flags import as_flags

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.data.tables.encode import Reading


@dataclass(frozen=True)
class ImageOptions:
    """How images are read."""

    resolution: Annotated[
        int | None,
        typer.Option("--resolution", min=1, help="Crop to a square and resize to this height."),
    ] = None
    channels: Annotated[
        int | None, typer.Option("--channels", help="1: turn all to grey; 3: turn all to color.")
    ] = None
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable",
            help="Leave out unreadable files, and rows of a table that miss a value, and count them.",
        ),
    ] = False

    def reading(self, like: Dataset | None = None) -> Reading:
        """Return how tables are read: by the columns of ``like``, where it has some."""
        from rote.data.tables.encode import Reading

        return Reading(schema=None if like is None else like.schema)


@dataclass(frozen=True)
class SourceOptions(ImageOptions):
    """How images and tables are read."""

    categorical: Annotated[
        list[str] | None,
        typer.Option(
            "--categorical",
            metavar="COLUMN",
            help="Tables: this column is categorical though its cells are numbers. Repeatable.",
        ),
    ] = None
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="Tables: the column that holds the labels."),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="COLUMN", help="Tables: leave this column out. Repeatable."
        ),
    ] = None

    def reading(self, like: Dataset | None = None) -> Reading:
        """Return how tables are read: by the columns of ``like``, where it has some."""
        from rote.data.tables.encode import Reading

        if like is not None and like.schema is None:
            return Reading()
        return Reading(
            tuple(self.categorical or ()),
            self.label,
            tuple(self.ignore or ()),
            schema=None if like is None else like.schema,
        )

    def of_images(self) -> SourceOptions:
        """Return the same without what is for tables alone."""
        return replace(self, categorical=None, label=None, ignore=None)


@contextlib.contextmanager
def named(flag: str) -> Iterator[None]:
    """Let errors name the flag that a source was given under; "" if it is an argument without one."""
    from rote.core.errors import DataError

    try:
        yield
    except DataError as error:
        raise DataError(as_flags(str(error), {"source": flag})) from error


def load(
    source: str,
    how: ImageOptions,
    *,
    flag: str = "--data",
    like: Dataset | None = None,
    decoded: Path | None = None,
) -> Dataset:
    """Load a source; say what was left out.

    Parameters
    ----------
    source, decoded
        As in `rote.data.load.load_images`.
    how
        What the options said.
    flag
        Under which the source was given, which errors name; "" if it is an argument without one.
    like
        A data set whose columns a table must have.
    """
    from rote.core.console import progress, say
    from rote.data.load import load_images

    bar = progress()
    task = bar.add_task("downloading", total=None)

    def downloaded(done: int, total: int) -> None:
        bar.start()  # does nothing once started
        bar.update(task, completed=done, total=total)

    try:
        with named(flag):
            dataset = load_images(
                source,
                resolution=how.resolution,
                channels=how.channels,
                skip_unreadable=how.skip_unreadable,
                reading=how.reading(like),
                decoded=decoded,
                progress=downloaded,
            )
    finally:
        if bar.live.is_started:
            bar.stop()
    if dataset.unreadable:
        what = "unreadable files" if dataset.schema is None else "rows that miss a value"
        say(f"{source}: left out {len(dataset.unreadable)} {what}")
    return dataset


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """Return what a data set is, as plain types."""
    return {
        **dataset.describe(),
        "classes": list(dataset.classes),
        "unreadable": list(dataset.unreadable),
    }
