"""Silent differences between sides of volumes: does a change of one side bring both suddenly together?

Scans turned by one library and not by the other, seen through another window, cut, or at another spacing
have the same form and no copy is found. So a sample of the generated side is searched once more under a
list of such changes, as images are (`rote.memorization.differences.silent_differences`, whose rules say
which one is named). Volumes are looked at in small: means over at most 12 parts a side of at most 48
places a side, which see neither noise nor shifts of a voxel and keep what is asked for here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import adaptive_avg_pool3d

from rote.core.mapped_pages import release_pages
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.sampling import drawn_by_content
from rote.memorization.defaults import RATIO_THRESHOLD
from rote.memorization.differences.image_changes import Change, tones
from rote.memorization.differences.image_sample import seen_places
from rote.memorization.differences.silent_differences import (
    PLAIN,
    Look,
    SilentDifference,
    staged,
)
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher

Voxels = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Shares = tuple[float, float, float]

SAMPLE = 128
"""Generated volumes that are looked at; the first 40 decide whether the others are."""
SEEN, PARTS = 48, 12
"""Places a side that are looked at, and parts a side whose means are compared."""
TOGETHER = 64
"""Volumes in memory together, of which 48 x 48 x 48 places are."""
CUTS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of a side that one side may show of what the other shows."""
MOST_CUT = 4096
"""Training volumes up to which their middles are looked at, too: all are prepared for each cut."""
WHOLE: Shares = (1.0, 1.0, 1.0)
AXES = ("depth", "height", "width")


@dataclass(frozen=True)
class _Way:
    """One way to compare: what is done to the generated side, and with which part of training."""

    change: Change
    made: Shares = WHOLE
    real: Shares = WHOLE
    tone: bool = False


def find_volume_differences(
    generated: Dataset,
    training: Dataset,
    *,
    positions: Places,
    kin: Places,
    leave_out: Sequence[str] = (),
    seed: int = 0,
) -> tuple[SilentDifference, ...]:
    """Look for changes that bring generated volumes suddenly to the training side.

    Parameters
    ----------
    generated, training
        uint8 volumes (N, D, H, W, C) of one form.
    positions
        int64: the training volumes to compare with, exact duplicates once.
    kin
        int64 (P, N): partitions of them; the second neighbor is no kin of the first.
    leave_out
        Names of changes that need no word, such as "mirrored" where matches undo mirrors.
    seed
        Of the sample, which depends on what the volumes hold and not on their order.

    Returns
    -------
    tuple
        The changes that stand out, the most telling first.
    """
    everything = np.arange(len(generated), dtype=np.int64)
    drawn = drawn_by_content(generated.items, everything, seed=child_seed(seed, "probe"))[:SAMPLE]
    sample = np.concatenate(list(_seen(generated.items, drawn)))
    cuts = [shares for shares, _, _ in _middles()] if len(positions) <= MOST_CUT else []
    looked = _Training(training.items, positions, kin, shares=[WHOLE, *cuts])
    ways = [
        way
        for way in _ways(training.shape[1:], _levels(sample), looked.levels)
        if way.change.name not in leave_out and way.real in looked.means
    ]
    changes = [way.change for way in ways]
    return staged(sample, changes, lambda part: looked.look(part, ways), kind="volume")


class _Training:
    """The training side in small: means over all of it, and over its middle for some shares."""

    def __init__(
        self, items: Voxels, positions: Places, kin: Places, *, shares: Sequence[Shares]
    ) -> None:
        self._kin = kin[:, positions]
        self._matchers: dict[tuple[Shares, bool], Matcher] = {}
        self.levels = np.zeros(256, np.int64)
        parts: dict[Shares, list[Voxels]] = {one: [] for one in shares}
        for seen in _seen(items, positions):
            self.levels += _levels(seen)
            for one, means in parts.items():
                means.append(_means(seen, one))
        self.means = {one: np.concatenate(means) for one, means in parts.items()}

    def look(self, sample: Voxels, ways: Sequence[_Way]) -> Look:
        """Return, first without a change and then under each: which are copies, and the distances.

        Both are (1 + ways, sample).
        """
        every = [_Way(PLAIN), *ways]
        means = _means(sample, WHOLE)
        copies, distances = np.empty((2, len(every), len(sample)))
        # What goes to one matcher goes at once.
        for key in dict.fromkeys((way.real, way.tone) for way in every):
            rows = [row for row, way in enumerate(every) if (way.real, way.tone) == key]
            queries = [_of_sample(sample, means, every[row]) for row in rows]
            found = self._matcher(key[0], tone=key[1]).match(np.concatenate(queries))[0]
            close = found.nn1_sq < RATIO_THRESHOLD**2 * found.nn2_sq
            copies[rows] = close.reshape(len(rows), -1)
            distances[rows] = np.sqrt(found.nn1_sq).reshape(len(rows), -1)
        return copies > 0, distances

    def _matcher(self, shares: Shares, *, tone: bool) -> Matcher:
        """Return what searches these means, prepared at its first use."""
        if (shares, tone) not in self._matchers:
            self._matchers[shares, tone] = Matcher(
                self.means[shares],
                positions=np.arange(self._kin.shape[1]),
                group=self._kin,
                invariances=Invariances(tone=tone),
                device="cpu",
            )
        return self._matchers[shares, tone]


def _of_sample(sample: Voxels, means: Voxels, way: _Way) -> Voxels:
    """Return the generated side in small, undone; turns are of means as of volumes."""
    if way.change.keeps_distances:
        return way.change.undone(means)
    return _means(way.change.undone(sample), way.made)


def _seen(items: Voxels, rows: Places) -> Iterator[Voxels]:
    """Yield volumes at no more than `SEEN` places a side, some at a time."""
    depth, height, width = (seen_places(size, SEEN) for size in items.shape[1:4])
    for start in range(0, len(rows), TOGETHER):
        part = rows[start : start + TOGETHER]
        yield items[part[:, None, None, None], depth[:, None, None], height[:, None], width]
        release_pages(items)


def _levels(seen: Voxels) -> Places:
    return np.bincount(seen.ravel(), minlength=256)


def _means(seen: Voxels, shares: Shares) -> Voxels:
    """Return means over the parts of the middle of volumes, which has so large a share of each side."""
    kept = [
        max(1, round(size * share)) for size, share in zip(seen.shape[1:4], shares, strict=True)
    ]
    first = [(size - own) // 2 for size, own in zip(seen.shape[1:4], kept, strict=True)]
    middle = seen[:, *(slice(one, one + own) for one, own in zip(first, kept, strict=True))]
    values = torch.from_numpy(np.ascontiguousarray(middle)).movedim(-1, 1).float()
    depth, height, width = (min(PARTS, size) for size in seen.shape[1:4])
    means = adaptive_avg_pool3d(values, (depth, height, width))
    return np.ascontiguousarray(means.round().byte().movedim(1, -1).numpy())


def _as_it_is(items: Voxels) -> Voxels:
    return items


def _ways(shape: tuple[int, ...], made: Places, real: Places) -> Iterator[_Way]:
    """Yield all changes that volumes of a shape (D, H, W) and of such levels may have."""
    for change in (*_turns(shape), *_tones(made, real)):
        yield _Way(change)
    words = "of another brightness and contrast"
    yield _Way(Change("tone", words, _as_it_is, _as_it_is, keeps_distances=False), tone=True)
    for shares, share, along in _middles():
        cut = f"cut to their middle {share:.0%}{along}, or at {share:g} times their spacing"
        yield _Way(_unlike("cut", cut), real=shares)
        wide = f"within the middle {share:.0%}{along}, or at {1 / share:.3g} times their spacing"
        yield _Way(_unlike("wide", wide), made=shares)


def _middles() -> Iterator[tuple[Shares, float, str]]:
    """Yield the shares of the sides that one side may show of the other; the share, and along what."""
    for axes, along in (
        ((1, 1, 1), ""),
        ((1, 0, 0), " along the depth"),
        ((0, 1, 1), " along width and height"),
    ):
        for share in CUTS:
            depth, height, width = (share if one else 1.0 for one in axes)
            yield (depth, height, width), share, along


def _unlike(name: str, words: str) -> Change:
    return Change(name, words, _as_it_is, _as_it_is, keeps_distances=False)


def _turns(shape: tuple[int, ...]) -> Iterator[Change]:
    """Yield the other ways to lie in the same box: axes exchanged and turned round."""
    for order in itertools.permutations(range(3)):
        if any(shape[old] != shape[new] for new, old in enumerate(order)):
            continue
        for flips in itertools.product((False, True), repeat=3):
            if order == (0, 1, 2) and not any(flips):
                continue

            def undone(
                items: Voxels, order: tuple[int, ...] = order, flips: tuple[bool, ...] = flips
            ) -> Voxels:
                back = np.argsort(order) + 1
                turned = items[:, *(slice(None, None, -1 if one else 1) for one in flips)]
                return turned.transpose(0, *back, 4)

            name, words = _turn_words(order, flips)
            yield Change(name, words, _as_it_is, undone)


def _turn_words(order: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[str, str]:
    """Name a turn: plainly where one axis alone is turned round."""
    if order == (0, 1, 2) and sum(flips) == 1:
        return (
            ("upside-down", "with head and feet exchanged (depth turned round)"),
            ("front-back", "with front and back exchanged (height turned round)"),
            ("mirrored", "with left and right exchanged (width turned round)"),
        )[flips.index(True)]
    told = [
        AXES[old] + (" turned round" if flip else "")
        for old, flip in zip(order, flips, strict=True)
    ]
    name = "axes-" + "".join(
        ("-" if flip else "") + AXES[old][0].upper() for old, flip in zip(order, flips, strict=True)
    )
    return name, f"with their axes in the order {', '.join(told)}"


def _tones(made: Places, real: Places) -> list[Change]:
    """Return other ways to write brightness, given how often the levels of both sides are seen."""
    ends = [(int(np.flatnonzero(one)[0]), int(np.flatnonzero(one)[-1])) for one in (made, real)]
    found = tones(*ends)
    # The level of the training side that as many lie below: another window, cut off at its ends or not.
    shares = [(np.cumsum(one) - one / 2) / one.sum() for one in (made, real)]
    table = np.rint(np.interp(shares[0], shares[1], np.arange(256))).astype(np.uint8)
    words = "through another window of values"
    return [*found, Change("window", words, _as_it_is, lambda x: table[x], keeps_distances=False)]
