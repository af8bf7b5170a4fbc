"""Rows of whole data sets: computed once, kept under a digest of images, weights and preprocessing.

Where it cannot be known what a space reads, as of a function, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rote.data.dataset import Dataset
from rote.data.files.decoded_cache import keep_rows
from rote.data.messages import storable
from rote.spaces.guard import try_out
from rote.spaces.space import Rows, Space

VERSION = 2
KEPT_FROM = 256
"""Images from which rows are kept: those of fewer are computed again in no time."""
Said = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Timed:
    """What computing rows took; ``known``: whether all that they depend on is, so they can be kept."""

    images: int
    seconds: float
    known: bool = True

    @staticmethod
    def joined(parts: Sequence[Timed]) -> Timed | None:
        """Return what several computations took together; None where there were none."""
        if not parts:
            return None
        return Timed(
            sum(part.images for part in parts),
            sum(part.seconds for part in parts),
            known=all(part.known for part in parts),
        )


def rows_of(
    space: Space,
    dataset: Dataset,
    *,
    folder: Path | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Rows, Timed | None]:
    """Return the rows of a data set, and what they took; None where they were kept from before.

    Parameters
    ----------
    space
        One that has rows.
    dataset
        Of images; those mapped from a file need not be in memory together.
    folder
        Where rows are kept and then mapped from; None keeps them in memory.
    device
        Part of what the rows are: last bits differ between devices.

    Returns
    -------
    tuple
        float32 (N, D), and the time.
    """
    start = time.perf_counter()
    images = dataset.items
    if space.foreign:
        try_out(space, images)
    if folder is None or space.beside is None or len(images) < KEPT_FROM:
        rows = space.features(images, on_progress=on_progress)
        return rows, Timed(len(images), time.perf_counter() - start, known=space.beside is not None)
    first = space.rows_of_tile(images[: space.tile])
    computed = False

    def compute(room: Rows) -> None:
        nonlocal computed
        computed = True
        space.features(images, out=room, on_progress=on_progress)

    rows = keep_rows(
        compute,
        shape=(len(images), first.shape[1]),
        key=_key(space, dataset, device),
        source=storable(f"{space.name}: {dataset.source}"),
        folder=folder,
    )
    return rows, Timed(len(images), time.perf_counter() - start) if computed else None


def _key(space: Space, dataset: Dataset, device: str) -> str:
    """Return what a row depends on; threads and tiles of other sizes are none of it."""
    parts = {
        "version": VERSION,
        "space": space.describe(),
        "beside": space.beside,
        "tile": space.tile,
        "torch": torch.__version__,
        "device": device,
        "images": dataset.digest,
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
