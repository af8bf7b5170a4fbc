"""Samples as files: what `rote sample` and `rote optimum` write."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from rote.data.dataset import Dataset

SHEET, TILE, GUTTER = 100, 96, 2
"""Images on a contact sheet, the most pixels of each, and between them."""
_BYTES, _SEED_BYTES = 8, 50
"""Of a number while it is drawn, and of a sample's seed."""

SamplesFile = Annotated[
    Path,
    typer.Option(
        "--out",
        help="A new folder for PNG files, with a contact sheet beside it; or an npz file, of a table "
        "also a csv file.",
    ),
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many samples.")]


def check_file(path: Path, *, kind: str, table: bool) -> None:
    """Refuse where samples cannot be written, or by a name that says no format, before they are drawn."""
    from rote.core.errors import ConfigError

    if path.suffix == ".csv" and not table:
        raise ConfigError(
            f"--out {path}: only rows of a table are written as csv; give an npz file"
        )
    if path.suffix not in ("", ".npz", ".csv"):
        raise ConfigError(
            f"--out {path}: give the name of an npz file, such as samples.npz, or of a folder, which has "
            "no dot"
        )
    if path.suffix:
        return
    if kind != "image":
        raise ConfigError(
            f"--out {path}: only images are written as PNG files into a folder; give an npz file"
        )
    if not path.name or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise ConfigError(
            f"--out {path} holds something already, which an audit would count too; give a new folder"
        )


def check_count(count: int, shape: tuple[int, ...]) -> None:
    """Refuse more samples than the memory can hold, before the first is drawn."""
    from rote.core.errors import ConfigError
    from rote.core.memory import memory_of_machine

    needed, there = count * (math.prod(shape) * _BYTES + _SEED_BYTES), memory_of_machine()
    if needed > there:
        raise ConfigError(
            f"--count {count}: as many samples of {' x '.join(map(str, shape))} numbers need "
            f"{needed / 2**30:,.0f} GiB and this machine has {there / 2**30:,.0f} GiB of memory; give "
            f"{there // (needed // count):,} at most"
        )


def write_samples(path: Path, drawn: Dataset, *, spreadsheet: bool) -> None:
    """Write drawn items: as PNG files into a folder, as rows of a table into a csv, or into an npz."""
    from rote.core.atomic_files import write_lines, write_npz
    from rote.core.console import say
    from rote.core.csv_text import csv_lines
    from rote.data.files.arrays import arrays_of
    from rote.data.tables.files import table_rows

    if not path.suffix:
        _write_pictures(path, drawn)
    elif path.suffix == ".csv":
        write_lines(path, csv_lines(table_rows(drawn), spreadsheet=spreadsheet))
    else:
        write_npz(path, arrays_of(drawn))
    say(f"wrote {len(drawn)} to {path}")


def _write_pictures(folder: Path, drawn: Dataset) -> None:
    """Write a PNG file for each image, all or none, and the sheet beside it, where no audit looks."""
    from rote.core.atomic_files import one_line_io, write_atomic
    from rote.core.console import say
    from rote.experiments.trainers.layout import lay_out

    with one_line_io(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as held:
            layout = "captions" if drawn.captions else "folder"
            lay_out(drawn, Path(held, folder.name), layout=layout).replace(folder)
    sheet = folder.with_name(f"{folder.name}-contact-sheet.png")
    write_atomic(sheet, lambda path: contact_sheet(drawn.items).save(path, "PNG"))
    say(f"the first {min(len(drawn), SHEET):,} at a glance: {sheet}")


def contact_sheet(images: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the first images (N, H, W, C) beside each other: small ones enlarged, large ones reduced."""
    from PIL import Image

    from rote.experiments.trainers.layout import picture

    tiles = [picture(image) for image in images[:SHEET]]
    columns = math.ceil(math.sqrt(len(tiles)))
    width, height = tiles[0].size
    scale = TILE // max(width, height) or TILE / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    rows = math.ceil(len(tiles) / columns)
    size = (columns * (width + GUTTER) + GUTTER, rows * (height + GUTTER) + GUTTER)
    sheet = Image.new(tiles[0].mode, size, "white")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        place = (GUTTER + column * (width + GUTTER), GUTTER + row * (height + GUTTER))
        sheet.paste(tile.resize((width, height), how), place)
    return sheet
