"""Spaces of pairs: a distance between two images, taken among candidates that are near in pixels.

`patch`     the worst of 4 x 4 tiles, RMS in 8-bit units: near in every part of the image
`st-lpips`  the square root of ST-LPIPS: alike to an eye that does not mind small shifts

Such a distance has no rows to search in. The nearest under it are looked for among the nearest in pixels,
as many as ``candidates`` says; a copy that pixels put beyond all of these is missed.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.progress.work import counted
from rote.spaces.factory import SpaceFactory
from rote.spaces.packaged_network import FEATURES, Packaged, loaded, read_state
from rote.spaces.parse import Wanted, check_options, size_of
from rote.spaces.preprocess import Preprocessing
from rote.spaces.space import Images, Space

GRID = 4
PATCH_CANDIDATES, STLPIPS_CANDIDATES = 50, 10
BLOCK = 16
"""Queries whose candidates' rows are in memory together: 0.6 MB each at 64x64."""

STLPIPS = Packaged(
    package="stlpips_pytorch",
    version="0.0.2",
    file="weights/vST0.0/alex_shift_tolerant.pth",
    sha256="b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
    license="BSD-2-Clause",
)


def patch(wanted: Wanted, device: str) -> Space:
    """Return the space of the worst tile; errors as `check_options`."""
    check_options(wanted, ())
    grid = size_of(wanted.argument or str(GRID), wanted, least=2)

    def pairs(
        queries: Images, references: Images, candidates: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        columns = [
            tile_squares(queries, references[column], grid=grid).max(axis=(1, 2))
            for column in candidates.T
        ]
        return np.stack(columns, axis=1)

    return Space(
        name=wanted.text,
        preprocessing=f"8-bit values as they are, {grid}x{grid} tiles",
        pairs=pairs,
        candidates=PATCH_CANDIDATES,
        smallest=grid,
    )


def tile_squares(queries: Images, references: Images, *, grid: int) -> npt.NDArray[np.float64]:
    """Return the mean squared difference of each tile, float64 (N, grid, grid).

    Parameters
    ----------
    queries, references
        uint8 (N, H, W, C), compared row by row. Where the grid does not divide the size, some tiles are a
        pixel larger; images smaller than the grid have a tile for each pixel.
    """
    rows, columns = (list(_bounds(size, grid)) for size in queries.shape[1:3])
    found = np.empty((len(queries), len(rows), len(columns)))
    for (i, (top, bottom)), (j, (left, right)) in itertools.product(
        enumerate(rows), enumerate(columns)
    ):
        part = (slice(None), slice(top, bottom), slice(left, right))
        difference = queries[part].astype(np.int32) - references[part]
        found[:, i, j] = np.square(difference).mean(axis=(1, 2, 3), dtype=np.float64)
    return found


def _bounds(length: int, parts: int) -> Iterator[tuple[int, int]]:
    parts = min(parts, length)
    return itertools.pairwise(length * number // parts for number in range(parts + 1))


def st_lpips(wanted: Wanted, device: str) -> Space:
    """Return the space of ST-LPIPS; errors as `read_state`."""
    from rote.spaces.networks import stlpips

    check_options(wanted, ())
    least = size_of(wanted.argument or str(stlpips.SMALLEST), wanted, least=32)
    preprocessing = Preprocessing("half", least=least)
    rows = Space(
        name=wanted.text,
        preprocessing=str(preprocessing),
        prepare=Preprocessing("half", least=least, device=device),
        network=loaded(stlpips.STLPIPS(), read_state(STLPIPS, wanted), wanted, device),
        tile=BLOCK,
    )
    return Space(
        name=wanted.text,
        preprocessing=str(preprocessing),
        source=STLPIPS.source,
        license=STLPIPS.license,
        weights_sha256=STLPIPS.sha256,
        pairs=functools.partial(_between_rows, rows),
        candidates=STLPIPS_CANDIDATES,
    )


def _between_rows(
    space: Space, queries: Images, references: Images, candidates: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return squared distances (N, k) between rows that are computed block by block and let go."""
    found = np.empty(candidates.shape)
    for start in counted(range(0, len(queries), BLOCK), "blocks of pairs compared"):
        part = slice(start, start + BLOCK)
        needed, place = np.unique(candidates[part], return_inverse=True)
        theirs = space.features(references[needed])
        place = place.reshape(candidates[part].shape)
        for row, own in enumerate(space.features(queries[part])):
            difference: npt.NDArray[Any] = theirs[place[row]] - own
            found[start + row] = np.square(difference).sum(axis=1, dtype=np.float64)
    return found


PATCH = SpaceFactory(
    "patch",
    "The worst of 4x4 tiles, among the 50 nearest in pixels: near in every part of the image.",
    patch,
    usage="patch[:GRID]",
)
ST_LPIPS = SpaceFactory(
    "st-lpips",
    "A perceptual distance of pairs that forgives small shifts, among the 10 nearest in pixels.",
    st_lpips,
    needs=FEATURES,
)
