"""Silent differences: does a simple change of one side bring the two sides suddenly together?

Samples written with one library and training images read with another may differ in the order of their
channels, be mirrored, inverted, turned, or lie in another range of values. Then every copy is missed, and
the rate of 0 looks like any other. So a sample of the generated side is searched once more under a list
of such changes. A change is named where it makes images copies that are none as they are, or where it
brings nearly all of them much nearer to the training set.

The search is coarse first (block means of at most 8x8) and exact for what it leaves, on at most 128x128
places of an image, so that it may always run; it reads every training image once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.mapped_pages import release_pages
from rote.core.seeds import child_seed
from rote.data.sampling import drawn_by_content
from rote.memorization.defaults import RATIO_THRESHOLD
from rote.memorization.image_changes import Change, changes_of
from rote.neighbors.search import nearest_neighbors
from rote.stats.rates import mcnemar

Pixels = npt.NDArray[np.uint8]

SAMPLE = 128
FIRST = 48
"""Images that are looked at first; the rest only where these give a reason."""
COARSE = 8
"""Pixels a side of the coarse images."""
SEEN = 128
"""Places a side of larger images that are compared in full."""
CANDIDATES = 4
"""Coarse neighbors of each image that are measured in full."""
PREPARED_FROM = 10_000
"""Training images from which the search is prepared once for both looks."""
CHUNK, CHUNK_BYTES = 2048, 2**26
FEWEST = 4
"""Images that a change must make copies before it is named."""
CHANCE = 5e-4
"""Largest p-value (McNemar, over the images that are copies in one way alone) of a change named."""
MUCH_NEARER = 0.6
"""Median distance under a change over that without it, below which it is named without any copy."""
NEARLY_ALL = 0.9


@dataclass(frozen=True)
class SilentDifference:
    """A change that brings the two sides together.

    Attributes
    ----------
    name, words
        Of the change, as in `Change`.
    sampled
        Generated images that were looked at.
    copies, copies_changed
        How many of them are copies of training images as these are, and of training images changed.
    nearer
        Median, over them, of the distance to the nearest changed training image, as a share of the
        distance to the nearest one as it is.
    """

    name: str
    words: str
    sampled: int
    copies: int
    copies_changed: int
    nearer: float

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)

    def __str__(self) -> str:
        ending = "; are both sides read alike?"
        if self.copies_changed > self.copies:
            return (
                f"of {self.sampled} generated images looked at, {self.copies_changed} are copies of "
                f"training images {self.words}, and {self.copies} of training images as they are{ending}"
            )
        return (
            f"generated images lie {1 - self.nearer:.0%} nearer to training images {self.words} than to "
            f"training images as they are (median of {self.sampled}){ending}"
        )


def find_silent_differences(
    generated: Pixels,
    training: Pixels,
    *,
    positions: npt.NDArray[np.int64] | None = None,
    group: npt.NDArray[np.int64] | None = None,
    leave_out: Sequence[str] = (),
    seed: int = 0,
) -> tuple[SilentDifference, ...]:
    """Look for changes that bring the generated side suddenly to the training side.

    Parameters
    ----------
    generated, training
        uint8 (N, H, W, C) of one shape.
    positions
        int64: the training images to compare with, exact duplicates once; None: all.
    group
        int64 (len(training),): duplicate groups; the second neighbor is of another group than the first.
        None: each image is its own.
    leave_out
        Names of changes that need no word, such as "mirrored" where matches undo mirrors.
    seed
        Of the sample, which depends on what the images hold and not on their order.

    Returns
    -------
    tuple
        The changes that stand out, the most telling first.
    """
    if not len(generated) or len(training) < 2 or min(training.shape[1:3]) < 2:
        return ()
    positions = np.arange(len(training)) if positions is None else positions
    group = np.arange(len(training)) if group is None else group
    drawn = drawn_by_content(generated, np.arange(len(generated)), seed=child_seed(seed, "probe"))
    sample = generated[drawn[:SAMPLE]]
    changes = [change for change in changes_of(sample, training) if change.name not in leave_out]
    side = _TrainingSide(training, positions, group)
    first = _look(sample[:FIRST], side, changes)
    if not _promising(*first):
        return ()
    if len(sample) <= FIRST:
        return _telling(changes, *first)
    rest = _look(sample[FIRST:], side, changes)
    return _telling(
        changes, *(np.concatenate(pair, axis=1) for pair in zip(first, rest, strict=True))
    )


def coarse(images: Pixels) -> Pixels:
    """Return means of four pixels of each block, uint8 (N, h, w, C) with h and w at most `COARSE`."""
    rows, columns = (_sampled(size) for size in images.shape[1:3])
    return _means(images[:, rows[:, None], columns])


def _means(places: Pixels) -> Pixels:
    few = places.astype(np.uint16)
    pairs = few[:, ::2] + few[:, 1::2]
    return ((pairs[:, :, ::2] + pairs[:, :, 1::2] + 2) // 4).astype(np.uint8)


def _sampled(size: int) -> npt.NDArray[np.int64]:
    """Return two places in each of at most `COARSE` equal blocks."""
    places = 2 * min(COARSE, size)
    return ((np.arange(places) + 0.5) * size / places).astype(np.int64)


def _seen(images: Pixels, rows: npt.NDArray[np.int64] | slice = slice(None)) -> Pixels:
    """Return some images at no more than `SEEN` places a side, which a mirror changes as it does them."""
    if max(images.shape[1:3]) <= SEEN:
        return images[rows]

    def places(size: int) -> npt.NDArray[np.int64]:
        half = ((np.arange(SEEN // 2) + 0.5) * size / SEEN).astype(np.int64)
        return np.concatenate([half, size - 1 - half[::-1]]) if size > SEEN else np.arange(size)

    down, right = (places(size) for size in images.shape[1:3])
    return images[np.arange(len(images))[rows][:, None, None], down[:, None], right]


class _TrainingSide:
    """The training images, coarse, for several searches."""

    def __init__(
        self,
        training: Pixels,
        positions: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
    ) -> None:
        self.images, self.group = training, group
        self._positions = positions
        rows, columns = (_sampled(size)[:, None] for size in training.shape[1:3])
        found = []
        step = max(1, min(CHUNK, CHUNK_BYTES // training[:1].nbytes))
        for start in range(0, len(positions), step):
            part = positions[start : start + step, None, None]
            found.append(_means(training[part, rows, columns[:, 0]]))
            release_pages(training)
        self._coarse = np.concatenate(found)
        self._prepared: Any = None
        if len(positions) >= PREPARED_FROM:
            from rote.neighbors.cpu.index import ProjectionIndex  # numba takes a moment to import

            self._prepared = ProjectionIndex(self._coarse, threads=torch.get_num_threads())

    def near(self, wanted: Pixels) -> npt.NDArray[np.int64]:
        """Return the positions (Q, k) of the training images that are nearest to coarse images."""
        k = min(CANDIDATES, len(self._positions))
        if self._prepared is None:
            found = nearest_neighbors(wanted, self._coarse, k=k).indices
        else:
            found = self._prepared.nearest(wanted.reshape(len(wanted), -1), k)[0]
        return self._positions[found]


Look = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]


def _look(sample: Pixels, side: _TrainingSide, changes: Sequence[Change]) -> Look:
    """Return, first without a change and then under each: which images are copies, and the distances.

    Both are (1 + changes, sample).
    """
    wanted = [coarse(sample), *(coarse(change.undone(sample)) for change in changes)]
    near = side.near(np.concatenate(wanted)).reshape(len(wanted), len(sample), -1)
    sample = _seen(sample)
    plain = Change("", "", lambda x: x, lambda x: x)
    copies, distances = [], []
    for places, change in zip(near, (plain, *changes), strict=True):
        # What is near to the image as it is may be nearer still once it is changed.
        both = np.concatenate([places, near[0]], axis=1)
        others = change.done(_seen(side.images, both.ravel()))
        release_pages(side.images)
        others = others.reshape(*both.shape, *sample.shape[1:])
        differences = (others.astype(np.int32) - sample[:, None]).reshape(*both.shape, -1)
        sq = np.square(differences).sum(axis=2, dtype=np.int64)
        first = sq.argmin(axis=1)[:, None]
        nearest = np.take_along_axis(sq, first, axis=1)[:, 0]
        own = np.take_along_axis(side.group[both], first, axis=1)
        second = np.where(side.group[both] == own, np.inf, sq).min(axis=1)
        copies.append(nearest < RATIO_THRESHOLD**2 * np.where(np.isfinite(second), second, -1.0))
        distances.append(np.sqrt(nearest))
    return np.stack(copies), np.stack(distances)


def _shares(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return distances as shares of those without a change."""
    plain = np.broadcast_to(distances[0], distances.shape)
    return np.divide(distances, plain, out=np.ones(plain.shape), where=plain > 0)


def _promising(copies: npt.NDArray[np.bool_], distances: npt.NDArray[np.float64]) -> bool:
    """Return whether more images could name a change."""
    gained = (copies & ~copies[0]).sum(axis=1).max()
    return bool(gained >= 2 or np.median(_shares(distances), axis=1).min() < 1.2 * MUCH_NEARER)


def _telling(
    changes: Sequence[Change], copies: npt.NDArray[np.bool_], distances: npt.NDArray[np.float64]
) -> tuple[SilentDifference, ...]:
    """Return the changes that stand out."""
    found = []
    few = copies[0].mean() < 0.5
    for change, own, shares in zip(changes, copies[1:], _shares(distances)[1:], strict=True):
        gained, lost = int((own & ~copies[0]).sum()), int((copies[0] & ~own).sum())
        nearer = float(np.median(shares))
        stands_out = gained >= FEWEST and gained > lost and mcnemar(gained, lost) < CHANCE
        together = (
            change.keeps_distances
            and few
            and len(shares) >= FEWEST
            and nearer < MUCH_NEARER
            and float((shares < 1).mean()) >= NEARLY_ALL
        )
        if stands_out or together:
            counts = int(copies[0].sum()), int(own.sum())
            found.append(SilentDifference(change.name, change.words, len(shares), *counts, nearer))
    return tuple(sorted(found, key=lambda one: (-one.copies_changed, one.nearer)))
