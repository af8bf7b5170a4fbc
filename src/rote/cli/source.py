"""How sources are read: the options of all commands that take one, and the function that loads it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from rote.cli import options
from rote.cli.command import given_options
from rote.cli.flags import as_flags
from rote.cli.values import choice
from rote.data.ahead.existing import existing_path
from rote.data.named.names import named_sources
from rote.data.options import Alpha, Exif, Frames, Resize

if TYPE_CHECKING:
    from rote.data.account import Account
    from rote.data.dataset import Dataset
    from rote.data.files.listing import Listing
    from rote.data.options import ReadOptions
    from rote.data.tables.table import Reading

FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
"""How a function in a module is named."""


@dataclass(frozen=True)
class ImageOptions:
    """How images are read."""

    resolution: Annotated[
        int | None,
        typer.Option("--resolution", min=1, help="Make all square, of this height and width."),
    ] = None
    channels: Annotated[
        int | None,
        typer.Option("--channels", metavar="1|3", help="Turn all to grey (1) or to color (3)."),
    ] = None
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable",
            help="Leave out files, and rows of a table, that cannot be read, and count them.",
        ),
    ] = False
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="PATTERN",
            help="Of folders and archives: read such files alone, as '*.png'. Repeatable.",
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="PATTERN", help="Leave such files out, as '*_mask.*'. Repeatable."
        ),
    ] = None
    resize: Annotated[
        str,
        choice(
            "--resize",
            get_args(Resize),
            "How --resolution makes pictures square: cut off the sides, squeeze, or add black bars.",
        ),
    ] = "crop"
    alpha: Annotated[
        str,
        choice(
            "--alpha", get_args(Alpha), "What is under transparent pixels; drop: their own color."
        ),
    ] = "white"
    exif: Annotated[
        str,
        choice(
            "--exif", get_args(Exif), "What to do with the turn that a camera noted in its files."
        ),
    ] = "apply"
    frames: Annotated[
        str,
        choice(
            "--frames",
            get_args(Frames),
            "Of animations and files of several pages; volume: the pages of a TIFF are one volume.",
        ),
    ] = "first"
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="LOW,HIGH",
            help="Values that become black and white, of 16-bit and other deep images and of volumes; "
            "or percentile.",
        ),
    ] = None
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes", help="Order of an array's axes, as NHWC, NCHW, CHW, HWN or, of volumes, NDHW."
        ),
    ] = None
    spacing: Annotated[
        str | None,
        typer.Option(
            "--spacing",
            metavar="D,H,W",
            help="Volumes: bring voxels to so many millimeters; one number for all three.",
        ),
    ] = None
    crop: Annotated[
        str | None,
        typer.Option(
            "--crop",
            metavar="D,H,W",
            help="Volumes: keep so many voxels around the middle; black where there are fewer.",
        ),
    ] = None
    slices: Annotated[
        str | None,
        typer.Option(
            "--slices",
            metavar="AXIS:FIRST:LAST",
            help="Volumes: take these slices along D, H or W as images, as D:40:60.",
        ),
    ] = None
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            help="Sound: make all clips so long; longer ones are cut, shorter ones silent at the end.",
        ),
    ] = None

    def bound(self) -> dict[str, Any]:
        """Return what a folder that was written with these options belongs to."""
        always = ("resolution", "channels", "skip_unreadable")
        return {name: getattr(self, name) for name in always} | given_options(self)

    def read(self, like: Dataset | None = None) -> ReadOptions:
        """Return how images are read: with the window of ``like``, where it has one.

        Raises
        ------
        DataError
            If a value is not one of those that the help names.
        """
        from rote.data.options import ReadOptions, parse_slices, parse_three, parse_window

        return ReadOptions(
            resolution=self.resolution,
            channels=self.channels,
            skip_unreadable=self.skip_unreadable,
            include=tuple(self.include or ()),
            exclude=tuple(self.exclude or ()),
            resize=cast("Any", self.resize),
            alpha=cast("Any", self.alpha),
            exif=cast("Any", self.exif),
            frames=cast("Any", self.frames),
            window=None if self.window is None else parse_window(self.window),
            axes=self.axes,
            spacing=None if self.spacing is None else cast("Any", parse_three(self.spacing)),
            crop=None if self.crop is None else cast("Any", parse_three(self.crop)),
            seconds=self.seconds,
            slices=None if self.slices is None else cast("Any", parse_slices(self.slices)),
        ).with_window(None if like is None else like.window)

    def reading(self, like: Dataset | None = None) -> Reading:
        """Return how tables are read: by the columns of ``like``, where it has some."""
        from rote.data.tables.table import Reading

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
        from rote.data.tables.table import Reading

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
    listing: Listing | None = None,
    groups: str | None = None,
) -> Dataset:
    """Load a source; say in one line what was left out and what was changed.

    Parameters
    ----------
    source, decoded, listing
        As in `rote.data.load.load_images`.
    how
        What the options said.
    flag
        Under which the source was given, which errors name; "" if it is an argument without one.
    like
        A data set whose columns a table must have, and whose window deep images are seen through.
    groups
        The rule of its groups: of a table it may name a column.
    """
    check_source(source, flag=flag)  # before what reads it is imported
    from rote.core.progress.display import progress
    from rote.data.groups.rules import read_by
    from rote.data.load import load_images
    from rote.data.messages import shown

    with (
        options.interruptible(in_time=True),
        named(flag),
        progress(f"reading {shown(source)}") as downloaded,
    ):
        dataset = load_images(
            source,
            options=how.read(like),
            reading=read_by(how.reading(like), groups),
            decoded=decoded,
            progress=downloaded,
            listing=listing,
        )
    say_account(source, dataset.account)
    return dataset


def check_source(source: str, *, flag: str = "--data") -> None:
    """Refuse a source that is not there; errors name the flag of it."""
    with named(flag):
        if source not in named_sources():
            existing_path(source)


def check_sources(sides: dict[str, str]) -> None:
    """Refuse sides that are not there; the generated one may be a function."""
    for name, source in sides.items():
        if name != "generated" or not FUNCTION.fullmatch(source):
            check_source(source, flag=f"--{name}")


def say_account(source: str, account: Account | None) -> None:
    """Say in one line what of a source was not read, and what may decide what is a copy."""
    from rote.core.console import say
    from rote.data.messages import shown

    parts = [] if account is None else account.parts()
    if parts:
        say(f"{shown(source)}: {'; '.join(parts)}")


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """Return what a data set is and what was read for it, as plain types."""
    return {
        **dataset.provenance(),
        "classes": list(dataset.classes),
        "unreadable": list(dataset.unreadable),
    }
