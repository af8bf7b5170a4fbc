"""What the gallery shows of items that are no pictures: bars of vectors, cells of rows, lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.report import words
from rote.results.gallery import Gallery

MOST_COLUMNS = 64
MOST_TIMES = 240
MOST_CHANNELS = 6
LONGEST_CELL = 40


def other_than_pictures(gallery: Gallery, keep: NDArray[np.int64]) -> dict[str, Any]:
    """Return the data of the cards at ``keep``, by the kind of their items."""
    if gallery.generated.ndim == 3:
        return {"series": _series(gallery, keep)}
    if gallery.cells is not None:
        return {"table": _table(gallery, keep)}
    return {"vectors": _vectors(gallery, keep)}


def _sides(gallery: Gallery, keep: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return generated, nearest and second nearest, (cards, 3, ...), without what no chart can show."""
    sides = (gallery.generated[keep], gallery.nn1[keep], gallery.nn2[keep])
    return np.nan_to_num(np.stack(sides, axis=1).astype(np.float64), posinf=0.0, neginf=0.0)


def _vectors(gallery: Gallery, keep: NDArray[np.int64]) -> dict[str, Any]:
    """Return the first columns, rounded for the eye."""
    shown = _sides(gallery, keep)[:, :, :MOST_COLUMNS]
    return {
        "columns": int(gallery.generated.shape[1]),
        "values": shown.round(4).tolist(),
        "largest": float(np.abs(shown).max(initial=0.0)) or 1.0,
    }


def _table(gallery: Gallery, keep: NDArray[np.int64]) -> dict[str, Any]:
    """Return the cells of each card, and how far each training cell is from the generated one."""
    assert gallery.cells is not None
    assert gallery.apart is not None
    return {
        "columns": [_short(name) for name in gallery.columns],
        "cells": [
            [[_short(cell) for cell in row] for row in card]
            for card in gallery.cells[keep].tolist()
        ],
        "apart": np.nan_to_num(gallery.apart[keep]).astype(np.float64).round(4).tolist(),
    }


def _series(gallery: Gallery, keep: NDArray[np.int64]) -> dict[str, Any]:
    """Return channels and times, thinned evenly where there are too many, rounded for the eye."""
    _, times, channels = gallery.generated.shape
    at = np.unique(np.linspace(0, times - 1, min(times, MOST_TIMES)).round().astype(np.int64))
    shown = _sides(gallery, keep)[:, :, at, :MOST_CHANNELS]
    return {
        "times": int(times),
        "channels": int(channels),
        "at": at.tolist(),
        "values": shown.swapaxes(2, 3).round(3).tolist(),
        "low": float(shown.min(initial=0.0)),
        "high": float(shown.max(initial=0.0)),
    }


def _short(text: object) -> str:
    """Return a cell or a name without invisible characters and within reason."""
    told = words.plain(text)
    return told if len(told) <= LONGEST_CELL else f"{told[: LONGEST_CELL - 1]}…"
