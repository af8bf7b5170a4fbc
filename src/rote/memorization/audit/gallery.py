"""What the report of an audit shows: `gallery.npz`, `disputes.npz`, large pictures beside the page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.core.mapped_pages import release_pages
from rote.data.convert import in_own_units
from rote.data.duplicates import DuplicateGroups
from rote.data.resample import workers
from rote.memorization.audit.agreement import MOST_DISPUTED, Agreement
from rote.memorization.audit.result import Findings
from rote.memorization.invariances import undone
from rote.results.gallery import (
    EXACT,
    FEWEST_HEARD,
    HEARD_BYTES,
    LARGE,
    LONG_SERIES,
    LOOKED_THROUGH,
    MOST_HEARD,
    MOST_LOOKED_THROUGH,
    MOST_SECONDS,
    factor_of,
    in_colors,
    peaks_of,
    picture_of,
    planes_of,
    planes_shape,
    shrink,
    smaller,
    to_pcm,
)
from rote.results.supplement import MOST_PICTURED, SHOWN
from rote.spaces.gower import Gower
from rote.spaces.pairwise import GRID, tile_squares

LOWEST, SPREAD = 100, 100
"""Pairs of the lowest ratios, and of all others evenly: these have large pictures."""
QUALITY = 90
"""Of large pictures, as JPEG: a pair of 512 x 512 takes about 150 kB."""
DIGITS = 5
"""Of the numbers of a table, as the page shows them."""
LARGEST_GROUPS, OF_EACH = 12, 6
GENERATED, TRAINING, HOLDOUT = 0, 1, 2
"""Sides of the small pictures."""


def gallery(found: Findings, labels: npt.NDArray[np.int64] | None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `gallery.npz`, as `docs/reference/files.md` tells them."""
    chosen = _chosen(found)
    if labels is None:
        labels = np.full(len(found.ratio), -1, np.int64)
    generated, training = found.generated.items, found.training.items
    return {
        "generated_index": chosen,
        "generated": pictures_of(generated, chosen),
        "nn1": pictures_of(training, found.nn1_index[chosen]),
        "nn2": pictures_of(training, found.nn2_index[chosen]),
        "shrunk": np.array(_shrunk(training), np.int64),
        "ratio": found.ratio[chosen],
        "memorized": found.memorized[chosen],
        "nn1_index": found.nn1_index[chosen],
        "labels": labels[chosen],
        **_matched_tiles(found, chosen),
        **_voxels(found, chosen),
        **_sounds(found, chosen),
        **_small(found),
        **_cells(found, chosen),
    }


def _shrunk(items: npt.NDArray[Any]) -> int:
    if items.dtype != np.uint8:
        return 1
    if items.ndim == 5:
        return factor_of(*planes_shape(items.shape[1:]))
    return factor_of(*items.shape[1:3])


def pictures_of(items: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return some items, images at most `LONGEST` pixels each way; each is read once, a few at a time.

    Of volumes it is their three middle planes, of long series their peaks.
    """
    factor = _shrunk(items)
    volumes = items.ndim == 5
    if factor == 1 and not volumes:
        some = np.asarray(items[rows])
        return peaks_of(some) if some.ndim == 3 and some.shape[1] > LONG_SERIES else some
    single, place = np.unique(rows, return_inverse=True)
    way = planes_of if volumes else shrink
    with ThreadPoolExecutor(workers()) as pool:
        found = list(pool.map(lambda row: way(np.asarray(items[row]), factor), single))
    release_pages(items)
    shape = way(np.empty(items.shape[1:], np.uint8), factor).shape
    return np.array(found, np.uint8).reshape(len(single), *shape)[place]


def _has_large(found: Findings) -> bool:
    """Say whether the items are images that a page shows as thumbnails."""
    items = found.generated.items
    return items.dtype == np.uint8 and items.ndim == 4 and max(items.shape[1:3]) > EXACT


def write_large(found: Findings, folder: Path) -> None:
    """Write a picture of each pair of the lowest ratios and of the spread, if a page shows thumbnails."""
    if not _has_large(found):
        return
    generated, training = found.generated.items, found.training.items
    factor = factor_of(*generated.shape[1:3], longest=LARGE)
    folder.mkdir()

    def write(row: int) -> None:
        pair = np.concatenate([generated[row], training[found.nn1_index[row]]], axis=1)
        picture = picture_of(pair)
        if factor > 1:
            height, width = (size // factor for size in generated.shape[1:3])
            picture = picture.resize((2 * width, height), Image.Resampling.BOX)
        picture.save(folder / f"{row}.jpg", quality=QUALITY)

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(write, _chosen(found)[: LOWEST + SPREAD].tolist()))
    release_pages(generated)
    release_pages(training)


def _voxels(found: Findings, chosen: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return the volumes of the first pairs, small, for a page to look through; nothing of others."""
    sides = (found.generated.items, found.training.items)
    if sides[0].ndim != 5:
        return {}
    factor = factor_of(*sides[0].shape[1:3], *sides[0].shape[3:4], longest=LOOKED_THROUGH)
    rows = chosen[:MOST_LOOKED_THROUGH]
    pairs = [
        [
            smaller(in_colors(np.asarray(side[row])), factor)
            for side, row in zip(sides, pair, strict=True)
        ]
        for pair in zip(rows.tolist(), found.nn1_index[rows].tolist(), strict=True)
    ]
    return {"voxels": np.array(pairs, np.uint8), "voxels_shrunk": np.array(factor, np.int64)}


def _sounds(found: Findings, chosen: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return the first pairs of sound as they are heard, for a page to play; nothing of other items."""
    generated, training = found.generated, found.training
    if training.sample_rate is None:
        return {}
    times = min(training.items.shape[1], round(MOST_SECONDS * training.sample_rate))
    each = 4 * times * training.items.shape[2]
    rows = chosen[: max(FEWEST_HEARD, min(MOST_HEARD, HEARD_BYTES // each))]
    sides = [(generated, rows), (training, found.nn1_index[rows])]
    heard = [in_own_units(side.take(own))[:, :times] for side, own in sides]
    return {
        "sounds": to_pcm(np.stack(heard, axis=1)),
        "sample_rate": np.array(training.sample_rate),
    }


def _matched_tiles(found: Findings, chosen: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return how far each tile of a pair is apart, as the two match; NaN without a large picture."""
    generated, training = found.generated.items, found.training.items
    if generated.dtype != np.uint8 or generated.ndim != 4:
        return {}
    most = LOWEST + SPREAD if _has_large(found) else len(chosen)
    transform = found.measured.matches.transform

    def squares(row: int) -> npt.NDArray[np.float64]:
        mirrored, offset = undone(int(transform[row]), found.settings.invariances)
        own = np.asarray(generated[row])[:, :: -1 if mirrored else 1]
        own = np.roll(own, (offset.down, offset.right), axis=(0, 1))
        return tile_squares(own[None], training[found.nn1_index[[row]]], grid=GRID)[0]

    with ThreadPoolExecutor(workers()) as pool:
        known = np.sqrt(list(pool.map(squares, chosen[:most].tolist())))
    rest = len(chosen) - len(known)
    return {
        "tiles": np.pad(known, ((0, rest), (0, 0), (0, 0)), constant_values=np.nan).astype(
            np.float32
        )
    }


def disputes(found: Findings, agreed: Agreement) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `disputes.npz`: pictures of the images that divide the rulers most."""
    chosen = agreed.disputed[:MOST_DISPUTED]
    nearest = np.stack([r.measured.matches.nn1_index[chosen] for r in found.spaces], axis=1)
    pictures = pictures_of(_pictured(found.training.items), nearest.ravel())
    return {
        "generated_index": chosen,
        "generated": pictures_of(_pictured(found.generated.items), chosen),
        "nearest_index": nearest,
        "nearest": pictures.reshape(*nearest.shape, *pictures.shape[1:]),
        "memorized": np.stack([r.memorized[chosen] for r in agreed.rulers], axis=1),
        "score": np.stack([r.score[chosen] for r in agreed.rulers], axis=1),
        **_tiles(found, chosen, nearest),
    }


def space_arrays(found: Findings, agreed: Agreement | None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `spaces.npz`: a row per space, or per ruler, a column per image."""
    matches = [result.measured.matches for result in found.spaces]
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.stack([getattr(match, name) for match in matches])
        for name in ("nn1_index", "nn2_index")
    }
    for name in ("nn1_sq", "nn2_sq"):
        arrays[name] = np.stack([getattr(match, name).astype(np.float64) for match in matches])
    if agreed is not None:
        arrays["memorized"] = np.stack([ruler.memorized for ruler in agreed.rulers])
        arrays["score"] = np.stack([ruler.score for ruler in agreed.rulers])
    return arrays


def _pictured(items: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return items that are pictures; of all others, which a page tells by number, nothing."""
    return items if items.dtype == np.uint8 else np.zeros((len(items), 0, 0, 1), np.uint8)


def _tiles(
    found: Findings, chosen: npt.NDArray[np.int64], nearest: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Return where the copy is: how far each tile lies from the nearest image under `patch`."""
    names = [result.space["name"] for result in found.spaces]
    if "patch" not in names or not len(chosen):
        return {}
    generated, training = found.generated.items, found.training.items
    squares = [
        tile_squares(generated[[row]], training[[near]], grid=GRID)
        for row, near in zip(chosen, nearest[:, names.index("patch")], strict=True)
    ]
    return {"tiles": np.sqrt(np.concatenate(squares)).astype(np.float32)}


def _cells(found: Findings, chosen: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return the cells of a table's rows as texts, and how far apart they are; nothing of other items."""
    schema, scaling = found.training.schema, found.training.scaling
    if schema is None:
        return {}
    training = found.training.items
    scaled = (
        found.generated.items[chosen],
        training[found.nn1_index[chosen]],
        training[found.nn2_index[chosen]],
    )
    sides = scaled if scaling is None else [scaling.invert(side) for side in scaled]
    cells = [schema.cells(side, digits=DIGITS) for side in sides]
    gower = Gower.of(found.training)
    apart = [gower.by_column(scaled[0], side, schema) for side in scaled[1:]]
    shape = (len(chosen), len(schema.columns))
    return {
        "cells": np.stack([np.array(side, np.str_).reshape(shape) for side in cells], axis=1),
        "apart": np.stack(apart, axis=1).astype(np.float32),
    }


def _chosen(found: Findings) -> npt.NDArray[np.int64]:
    """Return generated positions: lowest ratios, an even spread, then some of each listed group."""
    order = found.by_ratio
    # The lowest ratios are what an auditor wants to see; the spread shows what the rest is like.
    lowest, rest = order[:LOWEST], order[LOWEST:]
    spread = np.linspace(0, len(rest) - 1, min(SPREAD, len(rest)))
    parts = [lowest, rest[np.unique(spread.round().astype(np.int64))]]
    nearest = found.nn1_index[order]
    for index in _top(found):
        parts.append(order[nearest == index][:OF_EACH])
    for number in _largest(found.groups):
        parts.append(order[found.groups.group[nearest] == number][:OF_EACH])
    for number in _largest(found.collapse):
        parts.append(order[found.collapse.group[order] == number][:OF_EACH])
    everything = np.concatenate(parts)
    _, first = np.unique(everything, return_index=True)
    return everything[np.sort(first)]


def _small(found: Findings) -> dict[str, npt.NDArray[Any]]:
    """Return one picture of everything that the page lists, each once."""
    wanted = [(TRAINING, index) for index in _top(found)]
    for side, groups in ((TRAINING, found.groups), (GENERATED, found.collapse)):
        wanted += [(side, int(groups.representative[number])) for number in _largest(groups)]
    if found.leaks is not None:
        for index, near in zip(found.leaks.index, found.leaks.nn1_index, strict=True):
            if len(wanted) < 6 * LARGEST_GROUPS:
                wanted += [(HOLDOUT, int(index)), (TRAINING, int(near))]
    captions = () if found.captions is None else found.captions.captions
    for one in [caption for caption in captions if caption.rate.count][:SHOWN]:
        wanted += [(GENERATED, one.example), (TRAINING, int(found.nn1_index[one.example]))]
        wanted += [(TRAINING, one.training)] if one.training >= 0 else []
    if found.reproduced is not None:
        nearest = found.reproduced.nearest[found.reproduced.by_copies]
        for near in nearest[nearest >= 0][:MOST_PICTURED].tolist():
            wanted += [(GENERATED, near), (TRAINING, int(found.nn1_index[near]))]
    wanted = list(dict.fromkeys(wanted))
    sides = (found.generated, found.training, found.holdout)
    images = []
    for side, index in wanted:
        held = sides[side]
        assert held is not None, side
        images.append(pictures_of(held.items, np.array([index]))[0])
    none = pictures_of(found.training.items, np.empty(0, np.int64))
    return {
        "small": np.stack(images) if images else none,
        "small_side": np.array([side for side, _ in wanted], np.int8),
        "small_index": np.array([index for _, index in wanted], np.int64),
    }


def _top(found: Findings) -> list[int]:
    return [int(entry["index"]) for entry in found.coverage()["top"]]


def _largest(groups: DuplicateGroups) -> npt.NDArray[np.int64]:
    """Return the numbers of the largest groups of two and more, ties to the lower number."""
    sizes = groups.sizes
    order = np.argsort(-sizes, kind="stable")[:LARGEST_GROUPS]
    return order[sizes[order] > 1]
