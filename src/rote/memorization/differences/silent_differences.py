"""Silent differences: does a simple change of one side bring the two sides suddenly together?

Samples written with one library and training images read with another may differ in the order of their
channels, be mirrored, inverted, turned, or lie in another range of values. Then every copy is missed, and
the rate of 0 looks like any other. So a sample of the generated side is searched once more under a list
of such changes. A change is named where it makes images copies that are none as they are, or where it
brings nearly all of them much nearer to the training set.

The search is coarse first (block means of at most 8x8) and exact for what it leaves, on at most 128x128
places of an image, so that it may always run; it reads every training image once. An audit, a metric
and a monitor all ask `Probe`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.mapped_pages import release_pages
from rote.memorization.defaults import RATIO_THRESHOLD
from rote.memorization.differences.image_changes import Change, bounds, changes_of
from rote.memorization.differences.image_sample import SEEN, ImageSample, seen, seen_places
from rote.memorization.notice import Notice
from rote.neighbors.search import nearest_neighbors
from rote.stats.rates import mcnemar

Pixels = npt.NDArray[np.uint8]

FIRST = 40
"""Images that are looked at first; the rest only where these give a reason."""
COARSE = 8
"""Pixels a side of the coarse images."""
FOUND, CANDIDATES = 16, 4
"""Neighbors of each image in images of half as many pixels, and those measured in full."""
PREPARED_FROM = 10_000
"""Training images from which images of half as many pixels a side are searched before the coarse ones."""
CHUNK, CHUNK_BYTES = 2048, 2**26
FEWEST = 4
"""Images that a change must make copies before it is named."""
CHANCE = 5e-4
"""Largest p-value (McNemar, over the images that are copies in one way alone) of a change named."""
MUCH_NEARER = 0.6
"""Median distance under a change over that without it, below which it is named without any copy."""
NEARLY_ALL = 0.9
"""Share of images that lie nearer under such a change."""


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
    kind
        "image" or "volume".
    """

    name: str
    words: str
    sampled: int
    copies: int
    copies_changed: int
    nearer: float
    kind: str = "image"

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)

    def __str__(self) -> str:
        ending = "; are both sides read alike?"
        real = f"training {self.kind}s"
        if self.copies_changed >= self.copies + FEWEST:
            return (
                f"of {self.sampled} generated {self.kind}s looked at, {self.copies_changed} are copies "
                f"of {real} {self.words}, and {self.copies} of {real} as they are{ending}"
            )
        return (
            f"generated {self.kind}s lie {1 - self.nearer:.0%} nearer to {real} {self.words} than to "
            f"{real} as they are (median of {self.sampled}){ending}"
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
    generated
        uint8 (N, H, W, C), of the training images' shape.
    training, positions, group, leave_out
        As `Probe` takes them.
    seed
        Of the sample, which depends on what the images hold and not on their order.

    Returns
    -------
    tuple
        The changes that stand out, the most telling first.
    """
    sample = ImageSample(seed=seed)
    sample.see(generated)
    probe = Probe(training, positions=positions, group=group, leave_out=leave_out)
    return probe.differences(sample)


def notices_of(found: Sequence[SilentDifference]) -> list[Notice]:
    """Return the most telling difference as a notice, if there is one."""
    return [Notice("difference", str(one), one.to_json()) for one in found[:1]]


class Probe:
    """The training images, prepared at the first look for all looks.

    Parameters
    ----------
    training
        uint8 (N, H, W, C).
    positions
        int64: the training images to compare with, exact duplicates once; None: all.
    group
        int64 (len(training),): duplicate groups; the second neighbor is of another group than the first.
        None: each image is its own.
    leave_out
        Names of changes that need no word, such as "mirrored" where matches undo mirrors.
    """

    def __init__(
        self,
        training: Pixels,
        *,
        positions: npt.NDArray[np.int64] | None = None,
        group: npt.NDArray[np.int64] | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        self._images, self._leave_out = training, leave_out
        self._positions = np.arange(len(training)) if positions is None else positions
        self._group = np.arange(len(training)) if group is None else group
        self._searched: _Coarse | None = None

    def differences(self, sample: ImageSample) -> tuple[SilentDifference, ...]:
        """Return the changes that stand out in a sample of images, the most telling first."""
        training = self._images
        if not len(sample) or len(training) < 2 or min(training.shape[1:3]) < 2:
            return ()
        if self._searched is None:
            self._searched = _Coarse(training, self._positions)
        pixels = sample.pixels
        found = changes_of(pixels.shape, sample.bounds, self._searched.bounds)
        changes = [change for change in found if change.name not in self._leave_out]
        return staged(pixels, changes, lambda part: self._look(part, changes))

    def _look(self, sample: Pixels, changes: Sequence[Change]) -> Look:
        """Return, first without a change and then under each: which are copies, and the distances.

        Both are (1 + changes, sample).
        """
        assert self._searched is not None
        near = self._searched.near(np.concatenate([sample, *(x.undone(sample) for x in changes)]))
        near = near.reshape(1 + len(changes), len(sample), -1)
        # Many are near under several changes: each is read once.
        read, place = np.unique(near, return_inverse=True)
        place = place.reshape(near.shape)
        step = max(1, CHUNK_BYTES // self._images[:1].nbytes)
        pictures = np.empty((len(read), *sample.shape[1:]), np.uint8)
        for start in range(0, len(read), step):
            pictures[start : start + step] = seen(self._images, read[start : start + step])
            release_pages(self._images)
        group = self._group[read]
        looks = [_measured(sample, pictures, group, place[0], PLAIN)]
        for places, change in zip(place[1:], changes, strict=True):
            # What is near to the image as it is may be nearer still once it is changed.
            both = np.concatenate([places, place[0]], axis=1)
            looks.append(_measured(sample, pictures, group, both, change))
        copies, distances = zip(*looks, strict=True)
        return np.stack(copies), np.stack(distances)


def _measured(
    sample: Pixels,
    pictures: Pixels,
    group: npt.NDArray[np.int64],
    near: npt.NDArray[np.int64],
    change: Change,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return which images are copies of pictures near (Q, k), changed, and the distances."""
    sq = np.empty(near.shape, np.int64)
    for row, (image, places) in enumerate(zip(sample, near, strict=True)):
        differences = change.done(pictures[places]).astype(np.int32).reshape(len(places), -1)
        differences -= image.reshape(-1)
        sq[row] = np.square(differences, out=differences).sum(axis=1, dtype=np.int64)
    first = sq.argmin(axis=1)[:, None]
    nearest = np.take_along_axis(sq, first, axis=1)[:, 0]
    own = np.take_along_axis(group[near], first, axis=1)
    second = np.where(group[near] == own, np.inf, sq).min(axis=1)
    copies = nearest < RATIO_THRESHOLD**2 * np.where(np.isfinite(second), second, -1.0)
    return copies, np.sqrt(nearest)


PLAIN = Change("", "", lambda x: x, lambda x: x)
Look = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]


def coarse(images: Pixels) -> Pixels:
    """Return means of four pixels of each block, uint8 (N, h, w, C) with h and w at most `COARSE`."""
    rows, columns = (_sampled(length) for length in images.shape[1:3])
    return _halved(images[:, rows[:, None], columns])


def _sampled(length: int) -> npt.NDArray[np.int64]:
    """Return two places in each of at most `COARSE` equal blocks."""
    places = 2 * min(COARSE, length)
    return ((np.arange(places) + 0.5) * length / places).astype(np.int64)


def _halved(images: Pixels) -> Pixels:
    """Return means of 2x2 pixels; an odd row or column is left out."""
    height, width = (length // 2 * 2 for length in images.shape[1:3])
    even = images[:, :height, :width].astype(np.uint16)
    pairs = even[:, ::2] + even[:, 1::2]
    return ((pairs[:, :, ::2] + pairs[:, :, 1::2] + 2) // 4).astype(np.uint8)


class _Coarse:
    """The training images, coarse, for several searches."""

    def __init__(self, training: Pixels, positions: npt.NDArray[np.int64]) -> None:
        self._positions = positions
        self.bounds = bounds(training)
        rows, columns = (seen_places(size) for size in training.shape[1:3])
        rows, columns = rows[_sampled(len(rows))][:, None], columns[_sampled(len(columns))]
        found = []
        step = max(1, min(CHUNK, CHUNK_BYTES // training[:1].nbytes))
        for start in range(0, len(positions), step):
            part = positions[start : start + step]
            if max(training.shape[1:3]) <= SEEN:  # whole rows are faster than places
                found.append(_halved(training[part][:, rows, columns]))
            else:
                found.append(_halved(training[part[:, None, None], rows, columns]))
            release_pages(training)
        self._coarse = np.concatenate(found)
        self._prepared: Any = None
        if len(positions) >= PREPARED_FROM:
            from rote.neighbors.cpu.index import ProjectionIndex  # numba takes a moment to import

            self._prepared = ProjectionIndex(_halved(self._coarse), threads=torch.get_num_threads())

    def near(self, queries: Pixels) -> npt.NDArray[np.int64]:
        """Return the positions (Q, k) of the training images that are nearest in coarse pixels."""
        wanted = coarse(queries)
        if self._prepared is None:
            k = min(CANDIDATES, len(self._positions))
            return self._positions[nearest_neighbors(wanted, self._coarse, k=k).indices]
        found = self._prepared.nearest(_halved(wanted).reshape(len(wanted), -1), FOUND)[0]
        differences = self._coarse[found].reshape(*found.shape, -1).astype(np.int32)
        differences -= wanted.reshape(len(wanted), 1, -1)
        sq = np.square(differences, out=differences).sum(axis=2)
        nearest = np.argsort(sq, axis=1, kind="stable")[:, :CANDIDATES]
        return self._positions[np.take_along_axis(found, nearest, axis=1)]


def staged(
    sample: Pixels,
    changes: Sequence[Change],
    look: Callable[[Pixels], Look],
    *,
    kind: str = "image",
) -> tuple[SilentDifference, ...]:
    """Look at the first `FIRST` items, at the others where these give a reason, and say what stands out.

    ``look`` returns, first without a change and then under each: which are copies, and the distances,
    both (1 + changes, items).
    """
    found = look(sample[:FIRST])
    if not _promising(*found):
        return ()
    if len(sample) > FIRST:
        both = zip(found, look(sample[FIRST:]), strict=True)
        copies, distances = (np.concatenate(pair, axis=1) for pair in both)
        found = copies, distances
    return _telling(changes, *found, kind=kind)


def makes_copies(before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]) -> bool:
    """Return whether a change makes items (N,) copies that are none without it, beyond chance."""
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return gained >= FEWEST and gained > lost and mcnemar(gained, lost) < CHANCE


def _shares(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return distances as shares of those without a change."""
    plain = np.broadcast_to(distances[0], distances.shape)
    return np.divide(distances, plain, out=np.ones(plain.shape), where=plain > 0)


def _promising(copies: npt.NDArray[np.bool_], distances: npt.NDArray[np.float64]) -> bool:
    """Return whether more images could name a change."""
    gained = (copies & ~copies[0]).sum(axis=1).max()
    return bool(gained >= 2 or np.median(_shares(distances), axis=1).min() < 1.2 * MUCH_NEARER)


def _telling(
    changes: Sequence[Change],
    copies: npt.NDArray[np.bool_],
    distances: npt.NDArray[np.float64],
    *,
    kind: str,
) -> tuple[SilentDifference, ...]:
    """Return the changes that stand out."""
    found = []
    few = copies[0].mean() < 0.5
    for change, own, shares in zip(changes, copies[1:], _shares(distances)[1:], strict=True):
        nearer = float(np.median(shares))
        together = (
            change.keeps_distances
            and few
            and len(shares) >= FEWEST
            and nearer < MUCH_NEARER
            and float((shares < 1).mean()) >= NEARLY_ALL
        )
        if makes_copies(copies[0], own) or together:
            counts = int(copies[0].sum()), int(own.sum())
            found.append(
                SilentDifference(change.name, change.words, len(shares), *counts, nearer, kind)
            )
    return tuple(sorted(found, key=lambda one: (-one.copies_changed, one.nearer)))
