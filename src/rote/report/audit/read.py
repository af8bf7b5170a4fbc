"""Reads the result files of a run directory into frozen records, checking all that a page relies on.

The formats are those of `docs/reference/files.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.atomic_files import read_json
from rote.core.errors import RunError
from rote.report.arrays import read_arrays, read_optional
from rote.report.audit.rows import Rows, read_rows
from rote.report.fields import Fields
from rote.stats.rates import Rate

SIDES = ("generated", "training", "holdout")
"""By the numbers of ``small_side``."""


@dataclass(frozen=True)
class Gallery:
    """The images of `gallery.npz`: the lowest ratios, some of the rest, some of each listed group."""

    generated_index: NDArray[np.int64]
    generated: NDArray[Any]  # uint8 (n, H, W, C), float (n, D) or (n, T, C); nn1 and nn2 alike
    nn1: NDArray[Any]
    nn2: NDArray[Any]
    nn1_index: NDArray[np.int64]
    labels: NDArray[np.int64]  # -1: none
    small: NDArray[Any]  # one picture of each image that the page lists
    small_keys: tuple[tuple[str, int], ...]  # the side and the index of each
    columns: tuple[str, ...] = ()  # names of a table's columns
    cells: NDArray[Any] | None = None  # text (n, 3, columns): generated, nn1, nn2
    apart: NDArray[Any] | None = None  # float (n, 2, columns): nn1 and nn2 from the generated row


@dataclass(frozen=True)
class Audit:
    """An audit: `audit.json` with its arrays; ``ratios`` has one row per generated image."""

    text: str
    fields: Fields
    rate: Rate
    confidence: float
    ratio_threshold: float
    space: str
    ratios: NDArray[np.float64]
    nearest: NDArray[np.float64]  # distance to the nearest training image, one per generated image
    rows: Rows
    held_out: Others | None
    within: Others | None  # training images matched with the rest of the training set
    gallery: Gallery


@dataclass(frozen=True)
class Others:
    """Other images scored as if they had been generated; one row per image."""

    ratios: NDArray[np.float64]
    nearest: NDArray[np.float64]


def read_manifest(run_dir: Path) -> dict[str, Any]:
    """Return `manifest.json`, empty where the directory has none."""
    path = run_dir / "manifest.json"
    return read_json(path) if path.exists() else {}


def read_audit(folder: Path) -> Audit:
    """Read an audit directory.

    Raises
    ------
    RunError
        If a file is missing or damaged, or if the files contradict each other.
    """
    path = folder / "audit.json"
    fields = Fields(path, read_json(path))
    fields.one_of("kind", "audit")
    rate = fields.rate("rate")
    criterion = fields.child("criterion")
    threshold = criterion.number("ratio_threshold")
    ratios, nearest = _read_ratios(folder / "neighbors.npz", threshold, rate)
    return Audit(
        text=path.read_text(encoding="utf-8"),
        fields=fields,
        rate=rate,
        confidence=rate.confidence,
        ratio_threshold=threshold,
        space=criterion.text("space"),
        ratios=ratios,
        nearest=nearest,
        rows=read_rows(folder / "neighbors.npz", rate.total),
        held_out=_read_others(folder / "neighbors.npz", "holdout"),
        within=_read_others(folder / "neighbors.npz", "training"),
        gallery=_read_gallery(
            folder / "gallery.npz",
            total=len(ratios),
            columns=tuple(
                column.text("name")
                for column in fields.child("training").optional_children("columns")
            ),
        ),
    )


def _ratios(
    path: Path, nn1_sq: NDArray[Any], nn2_sq: NDArray[Any], rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nn1 / nn2 and nn1; 0/0 is 0, for such an image is a copy."""
    nn1, nn2 = (np.asarray(a, dtype=np.float64) for a in (nn1_sq, nn2_sq))
    if not nn1.shape == nn2.shape == (rows,):
        raise RunError(f"{path} is damaged: it does not have {rows} rows; run again")
    if not (np.isfinite(nn1).all() and np.isfinite(nn2).all() and (nn1 >= 0).all()):
        raise RunError(f"{path} is damaged: a distance is negative or not finite; run again")
    ratios = np.sqrt(np.divide(nn1, nn2, out=np.zeros_like(nn1), where=nn2 > 0))
    return ratios, np.sqrt(nn1)


def _read_ratios(
    path: Path, threshold: float, rate: Rate
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ratio and the nearest distance of every generated image."""
    nn1_sq, nn2_sq, memorized = read_arrays(path, "nn1_sq", "nn2_sq", "memorized")
    ratios, nearest = _ratios(path, nn1_sq, nn2_sq, rate.total)
    verdict = memorized.astype(bool)
    if verdict.shape != ratios.shape:
        raise RunError(f"{path} is damaged: it does not have {rate.total} rows; run again")
    # The stored verdict was decided on exact distances with the threshold as a fraction. Where the
    # rounded ratio lands on the wrong side of the threshold, move it there, so that every count on
    # the page agrees with the verdict; further off, the files do not belong together.
    differs = (ratios < threshold) != verdict
    if (np.abs(ratios[differs] - threshold) > 1e-3).any() or verdict.sum() != rate.count:
        raise RunError(f"{path} does not belong to the audit.json beside it; run again")
    ratios[differs & verdict] = np.nextafter(threshold, 0.0)
    ratios[differs & ~verdict] = threshold
    return ratios, nearest


def _read_others(path: Path, side: str) -> Others | None:
    arrays = read_optional(path, f"{side}_nn1_sq", f"{side}_nn2_sq")
    if arrays is None or len(arrays[0]) == 0:
        return None
    nn1_sq, nn2_sq = arrays
    ratios, nearest = _ratios(path, nn1_sq, nn2_sq, len(nn1_sq))
    return Others(ratios, nearest)


def _read_gallery(path: Path, *, total: int, columns: tuple[str, ...]) -> Gallery:
    names = ("generated_index", "generated", "nn1", "nn2", "nn1_index", "labels")
    index, generated, nn1, nn2, nn1_index, labels = read_arrays(path, *names)
    rows = len(index)
    same = generated.shape == nn1.shape == nn2.shape and len(generated) == rows
    picture = generated.dtype == np.uint8 and generated.ndim == 4 and generated.shape[3] in (1, 3)
    other = generated.dtype.kind == "f" and generated.ndim in (2, 3)
    if not same or not (picture or other) or nn1_index.shape != (rows,) or labels.shape != (rows,):
        raise RunError(f"{path} is damaged: its arrays do not fit together; run again")
    if rows and not (index.min() >= 0 and index.max() < total):
        raise RunError(f"{path} does not belong to the audit.json beside it; run again")
    small, keys = _read_small(path, generated)
    found = Gallery(index, generated, nn1, nn2, nn1_index, labels, small, keys)
    table = read_optional(path, "cells", "apart") if columns else None
    if table is None:
        return found
    cells, apart = table
    if (
        cells.shape != (rows, 3, len(columns))
        or apart.shape != (rows, 2, len(columns))
        or (cells.dtype.kind, apart.dtype.kind) != ("U", "f")
    ):
        raise RunError(f"{path} is damaged: its cells do not fit the columns; run again")
    return replace(found, columns=columns, cells=cells, apart=apart)


def _read_small(
    path: Path, generated: NDArray[Any]
) -> tuple[NDArray[Any], tuple[tuple[str, int], ...]]:
    """Return the small pictures and what they are of; none in older files."""
    arrays = read_optional(path, "small", "small_side", "small_index")
    if arrays is None:
        return generated[:0], ()
    small, side, index = arrays
    fits = small.dtype == generated.dtype and small.shape[1:] == generated.shape[1:]
    known = side.shape == index.shape == (len(small),) and np.isin(side, range(len(SIDES))).all()
    if not fits or not known:
        raise RunError(f"{path} is damaged: its small pictures do not fit; run again")
    names = (SIDES[number] for number in side.tolist())
    return small, tuple(zip(names, index.tolist(), strict=True))
