"""Reads an audit directory: `audit.json` with its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rote.core.files.saved_together import read_together
from rote.results.audit import AuditFile
from rote.results.gallery import Gallery, read_gallery
from rote.results.neighbors import Neighbors, read_neighbors
from rote.results.schema import read_result
from rote.results.tables import Members, Pairs, read_tables


@dataclass(frozen=True)
class Audit:
    """An audit: `audit.json`, `neighbors.npz`, `gallery.npz` and, of newer ones, `tables.npz`."""

    file: AuditFile
    neighbors: Neighbors
    gallery: Gallery
    tables: tuple[Pairs, Members] | None


def read_audit(folder: Path) -> Audit:
    """Read an audit directory.

    Raises
    ------
    RunError
        If a file is missing or damaged, or if the files contradict each other.
    """
    return read_together(folder, partial(_read, folder))


def _read(folder: Path) -> Audit:
    file = read_result(folder / "audit.json", AuditFile)
    neighbors = read_neighbors(folder / "neighbors.npz", file.rate)
    columns = tuple(column.name for column in file.training.columns)
    gallery = read_gallery(folder / "gallery.npz", total=file.rate.total, columns=columns)
    tables = read_tables(folder / "tables.npz", total=file.rate.total)
    return Audit(file, neighbors, gallery, tables)
