"""What an audit writes of its spaces: parts of `audit.json`, `spaces.npz` and `disputes.npz`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rote.memorization.audit.agreement import MOST_DISPUTED, Agreement, sights
from rote.spaces.pairwise import GRID, tile_squares

if TYPE_CHECKING:
    from rote.memorization.audit.per_space import SpaceResult
    from rote.memorization.audit.result import Audit


def of_spaces(found: Audit, agreed: Agreement | None) -> dict[str, Any]:
    """Return the keys of `audit.json` that tell of all spaces."""
    seen = sights(
        found.spaces,
        false_positive_rate=found.settings.false_positive_rate,
        confidence=found.settings.confidence,
    )
    return {
        "ruler": None if found.brought is None else found.brought.to_json(),
        "spaces": [_space(result) for result in found.spaces],
        "agreement": None if agreed is None else agreed.to_json(),
        "recall_at_rate": None if seen is None else seen.to_json(),
    }


def _space(result: SpaceResult) -> dict[str, Any]:
    from rote.memorization.audit.files import criterion_json

    return {
        "space": result.space,
        "criteria": [criterion_json(criterion) for criterion in result.criteria],
        "positive_control": positive_json(result),
    }


def positive_json(result: SpaceResult) -> dict[str, Any] | None:
    """Return the positive control of one space."""
    if not result.positive:
        return None
    return {
        "copies": result.positive[0].found.total,
        "cells": [cell.to_json() for cell in result.positive],
    }


def space_arrays(found: Audit, agreed: Agreement | None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `spaces.npz`: a row per space, or per ruler, a column per image."""
    matches = [result.measured.matches for result in found.spaces]
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.stack([getattr(match, name) for match in matches])
        for name in ("nn1_index", "nn2_index")
    }
    for name in ("nn1_sq", "nn2_sq"):
        arrays[name] = np.stack([getattr(match, name).astype(np.float64) for match in matches])
    if agreed is not None:
        arrays["memorized"] = np.stack([ruling.memorized for ruling in agreed.rulings])
        arrays["score"] = np.stack([ruling.score for ruling in agreed.rulings])
    return arrays


def dispute_arrays(found: Audit, agreed: Agreement) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `disputes.npz`: pictures of the images that divide the rulers most."""
    chosen = agreed.disputed[:MOST_DISPUTED]
    nearest = np.stack([r.measured.matches.nn1_index[chosen] for r in found.spaces], axis=1)
    shape = (*nearest.shape, *found.training.items.shape[1:])
    pictures = np.asarray(found.training.items[nearest.ravel()]).reshape(shape)
    generated = np.asarray(found.generated.items[chosen])
    return {
        "generated_index": chosen,
        "generated": generated,
        "nearest_index": nearest,
        "nearest": pictures,
        "memorized": np.stack([r.memorized[chosen] for r in agreed.rulings], axis=1),
        "score": np.stack([r.score[chosen] for r in agreed.rulings], axis=1),
        **_tiles(found, generated, pictures),
    }


def _tiles(
    found: Audit, generated: npt.NDArray[np.uint8], nearest: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]:
    """Return where the copy is: how far each tile lies from the nearest image under `patch`."""
    names = [result.space["name"] for result in found.spaces]
    if "patch" not in names or not len(generated):
        return {}
    squares = tile_squares(generated, nearest[:, names.index("patch")], grid=GRID)
    return {"tiles": np.sqrt(squares).astype(np.float32)}
