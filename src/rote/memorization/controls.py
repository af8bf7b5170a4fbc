"""Controls, printed beside every rate: what the ruler flags wrongly, and what it would have seen.

The **held-out control** scores real images that were not trained on as if they had been generated. Images
that equal a training image are no such images: they are counted and taken out. Those within the duplicate
radius of one are counted and stay: a new image may lie there by chance, and the rate of the control, and
the threshold that is calibrated by it, must be those of all new images (decision 24).

The **positive control** degrades training items in known ways and strengths, audits these copies by the
same ruler, and reports the share that is recognized. A rate of 0 says only what the recall beside it
lets it say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.memory import blocks
from rote.core.progress.work import counted_results
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.resample import workers
from rote.data.sampling import drawn_by_content
from rote.memorization.corruptions import Degradation, degradations, given_to, seeds
from rote.memorization.corruptions.numbers import items_of, numbers_of
from rote.memorization.criteria import RatioCriterion
from rote.memorization.criteria.tolerance import within_tolerance
from rote.memorization.evaluator import CriteriaEvaluator, Measured
from rote.memorization.matching import Nearest
from rote.stats.clustered import rate_over
from rote.stats.rates import Rate


@dataclass(frozen=True, eq=False)
class Leaks:
    """Held-out images that equal a training image, and those within the radius of one.

    Attributes
    ----------
    exact, near, images
        How many of each kind, of how many held-out images.
    near_flagged
        How many of the near ones the ratio flags, in the data's own space.
    index
        int64: positions of both kinds among the held-out images.
    equal
        int64: positions of those that equal a training image, and leave.
    nn1_index, sq
        The training image that each is, or is near to, and the squared distance.
    """

    exact: int
    near: int
    near_flagged: int
    images: int
    index: npt.NDArray[np.int64]
    equal: npt.NDArray[np.int64]
    nn1_index: npt.NDArray[np.int64]
    sq: npt.NDArray[Any]

    def to_json(self) -> dict[str, int]:
        """Return the counts as plain types."""
        return {
            "exact": self.exact,
            "near": self.near,
            "near_flagged": self.near_flagged,
            "images": self.images,
        }


def find_leaks(
    measured: Measured, ratio: RatioCriterion, *, sq_radius: float, levels: Nearest | None = None
) -> tuple[Leaks, npt.NDArray[np.bool_]]:
    """Return the leaks among measured held-out items and a mask (N,) of those that remain.

    Parameters
    ----------
    measured
        The held-out items.
    ratio
        That counts which of the near ones it flags.
    sq_radius
        Of near-duplicates, squared.
    levels
        Their nearest in 8-bit levels, where the matches are of matched tones: an item is near if either
        lies within the radius, as such items are grouped.
    """
    matches = measured.matches
    nn1_index, nn1_sq = matches.nn1_index, matches.nn1_sq
    exact = nn1_sq == 0
    near = nn1_sq <= sq_radius
    if levels is not None:
        own = levels.sq[:, 0]
        exact = own == 0
        closer = own <= sq_radius
        near = near | closer
        nn1_index = np.where(closer, levels.indices[:, 0], nn1_index)
        nn1_sq = np.where(closer, own, nn1_sq)
    near = near & ~exact
    index = np.flatnonzero(exact | near)
    leaks = Leaks(
        exact=int(exact.sum()),
        near=int(near.sum()),
        near_flagged=int((near & ratio.memorized(matches.nn1_sq, matches.nn2_sq)).sum()),
        images=len(exact),
        index=index,
        equal=np.flatnonzero(exact),
        nn1_index=nn1_index[index],
        sq=nn1_sq[index],
    )
    return leaks, ~exact


@dataclass(frozen=True)
class Recall:
    """One cell of the positive control."""

    kind: Degradation
    found: Rate
    """Copies whose nearest training item is the one they were made of, or a duplicate of it."""
    predicted: Rate | None
    """Copies within the tolerance of the ratio; None where that is not known."""
    recall: dict[str, Rate]
    """Copies that count as memorized, per criterion."""

    def to_json(self) -> dict[str, Any]:
        """Return the cell as plain types."""
        return {
            **self.kind.to_json(),
            "found": self.found.to_json(),
            "predicted": None if self.predicted is None else self.predicted.to_json(),
            "recall": {name: rate.to_json() for name, rate in self.recall.items()},
        }


@dataclass(frozen=True, eq=False)
class Copies:
    """Training items degraded on purpose, all corruptions and strengths behind each other.

    Attributes
    ----------
    chosen
        int64 (each,): the training items, the same in every kind.
    kinds
        Every corruption at each of its strengths.
    make
        Writes all copies of one item, given its place in ``chosen`` and room (kinds, ...).
    shape, dtype
        Of a copy.
    """

    chosen: npt.NDArray[np.int64]
    kinds: tuple[Degradation, ...]
    make: Callable[[int, npt.NDArray[Any]], None]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def batches(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the copies item by item, as those of as many items at a time as fit into a block.

        What fits at once is made once; more is made again for each who asks, and gone with the next.
        """
        each = len(self.kinds) * math.prod(self.shape) * self.dtype.itemsize
        step = max(1, blocks().block // max(1, each))
        if step >= len(self.chosen):
            yield self._all
            return
        # In the same place each time: new memory costs as much as a mild corruption.
        room = np.empty((step, len(self.kinds), *self.shape), self.dtype)
        for start in range(0, len(self.chosen), step):
            yield self._made(start, room[: len(self.chosen) - start])

    @property
    def by_kind(self) -> npt.NDArray[np.int64]:
        """Where the copies lie among all `batches`, in the order of ``kinds``: int64 (kinds * each,)."""
        return np.arange(len(self.sources)).reshape(-1, len(self.kinds)).T.ravel()

    @cached_property
    def _all(self) -> npt.NDArray[Any]:
        room = np.empty((len(self.chosen), len(self.kinds), *self.shape), self.dtype)
        return self._made(0, room)

    def _made(self, start: int, room: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Make the copies of as many items as there is room for, with all cores."""
        with ThreadPoolExecutor(workers()) as pool:
            done = pool.map(self.make, range(start, start + len(room)), room)
            counted_results(done, "items degraded", len(room))
        return room.reshape(-1, *self.shape)

    @property
    def sources(self) -> npt.NDArray[np.int64]:
        """The training item that each copy was made of, int64."""
        return np.tile(self.chosen, len(self.kinds))


def degraded_copies(
    training: Dataset,
    *,
    positions: npt.NDArray[np.int64],
    copies: int,
    seed: int,
) -> Copies | None:
    """Degrade training items in every kind that is for them and changes any; None if none does.

    Parameters
    ----------
    training
        Images or volumes, or vectors or series in units of each column's spread.
    positions
        int64: the training items to choose from.
    copies
        Items per corruption and strength; at most all of ``positions``.
    seed
        Root seed; the same items are degraded in every cell, whatever their order, and at all strengths
        of a corruption by the same randomness.
    """
    if copies > len(positions):
        raise ConfigError(
            f"`positive_control` is {copies}, and `training` has {len(positions)} distinct items; "
            "give at most that many"
        )
    drawn = drawn_by_content(training.items, positions, seed=child_seed(seed, "degrade"))
    chosen = drawn[:copies]
    kinds = degradations(training.kind)
    shape, dtype = training.items.shape[1:], training.items.dtype
    if training.in_levels:
        make = _degrading(training.items, chosen, kinds, seed=seed)
        return Copies(chosen, kinds, make, shape, dtype)
    originals = training.items[chosen]
    numbers = numbers_of(training, drawn[: max(copies, 2)])[:copies]
    items = [
        items_of(kind(numbers, seed=child_seed(seed, "degrade", number)), training)
        for number, kind in enumerate(kinds, start=1)
    ]
    # Noise on a table of categories, or far below whole numbers, says nothing.
    changed = [n for n, one in enumerate(items) if not np.array_equal(one, originals)]
    if not changed:
        return None
    made = np.stack([items[n] for n in changed], axis=1)

    def copied(row: int, out: npt.NDArray[Any]) -> None:
        out[:] = made[row]

    return Copies(chosen, tuple(kinds[n] for n in changed), copied, shape, dtype)


def _degrading(
    items: npt.NDArray[Any],
    chosen: npt.NDArray[np.int64],
    kinds: Sequence[Degradation],
    *,
    seed: int,
) -> Callable[[int, npt.NDArray[Any]], None]:
    """Return what spoils one image in every way, so that it is read once and lies in the cache."""
    ways = [(one, list(group)) for one, group in itertools.groupby(kinds, lambda k: k.corruption)]
    roots = [seeds(child_seed(seed, "degrade", n), len(chosen)) for n in range(1, len(ways) + 1)]
    images = [items[row] for row in chosen]  # views: a copy would be there for as long as the audit

    def make(row: int, out: npt.NDArray[Any]) -> None:
        room = iter(out)
        for (corruption, told), own in zip(ways, roots, strict=True):
            given = given_to(corruption, images, row)
            for copy in corruption.at((kind.strength for kind in told), given, own[row]):
                next(room)[:] = copy

    return make


def recall_of(
    ruler: CriteriaEvaluator,
    measured: Measured,
    copies: Copies,
    *,
    group: npt.NDArray[np.int64],
    other_sq: npt.NDArray[Any] | None,
    ratio_threshold: float,
    confidence: float,
    cluster: npt.NDArray[np.int64] | None = None,
) -> tuple[Recall, ...]:
    """Return the recall of every kind of copies.

    Parameters
    ----------
    ruler
        Calibrated, where that is asked for.
    measured
        The copies, measured by it.
    group
        int64: duplicate group of every training image.
    other_sq
        (each,): squared distance of each source to the nearest training item of another group, for what
        the tolerance predicts; None predicts nothing.
    ratio_threshold
        Of the ratio.
    cluster
        int64 (each,): sources that belong together, for the intervals; None: none do.
    """
    verdicts = ruler.verdicts(measured)
    matches = measured.matches
    hit = group[matches.nn1_index] == group[copies.sources]
    # The error of a copy is its distance to its source; one that lies nearer to another item is, by the
    # triangle, farther from its source than half of d, and so beyond any tolerance below that.
    within = None
    if other_sq is not None:
        far = np.tile(other_sq, len(copies.kinds))
        within = hit & within_tolerance(matches.nn1_sq, far, ratio_threshold=ratio_threshold)
    each, cells = len(copies.chosen), []
    for number, kind in enumerate(copies.kinds):
        rows = slice(number * each, (number + 1) * each)

        def rate(mask: npt.NDArray[np.bool_], rows: slice = rows) -> Rate:
            return rate_over(mask[rows], cluster, confidence=confidence)

        recall = {name: rate(mask) for name, mask in verdicts.items()}
        predicted = None if within is None else rate(within)
        cells.append(Recall(kind, rate(hit), predicted, recall))
    return tuple(cells)
