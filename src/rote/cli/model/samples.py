"""Samples as files: what `rote sample` and `rote optimum` write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

_BYTES, _SEED_BYTES = 8, 50
"""Of a number while it is drawn, and of a sample's seed."""

SamplesFile = Annotated[
    Path, typer.Option("--out", help="The npz file to write; of a table also a csv file.")
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many samples.")]


def check_file(path: Path, *, table: bool) -> None:
    """Refuse a name that says no format in which samples are written, before they are drawn."""
    from rote.core.errors import ConfigError

    if path.suffix == ".csv" and not table:
        raise ConfigError(
            f"--out {path}: only rows of a table are written as csv; give an npz file"
        )
    if path.suffix not in (".npz", ".csv"):
        raise ConfigError(f"--out {path}: give the name of an npz file, such as samples.npz")


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
    """Write drawn items; of a table as rows where the file is a csv."""
    from rote.core.atomic_files import write_lines, write_npz
    from rote.core.console import say
    from rote.core.csv_text import csv_lines
    from rote.data.files.arrays import arrays_of
    from rote.data.tables.files import table_rows

    if path.suffix == ".csv":
        write_lines(path, csv_lines(table_rows(drawn), spreadsheet=spreadsheet))
    else:
        write_npz(path, arrays_of(drawn))
    say(f"wrote {len(drawn)} to {path}")
