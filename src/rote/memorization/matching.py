"""The nearest training item of each query and the nearest one of another duplicate group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.mapped_pages import is_mapped, release_pages
from rote.core.memory import blocks
from rote.data.known import digest_of
from rote.memorization.groups.kin import apart, first_two
from rote.memorization.invariances import Invariances, mirrored, offsets, standardized
from rote.neighbors.numeric import is_long
from rote.neighbors.out_of_core.chunk import nearest_by_chunks
from rote.neighbors.search import INDEX_FROM, Neighbors, nearest_neighbors, open_index
from rote.spaces.gower import Gower
from rote.spaces.space import Space

if TYPE_CHECKING:
    from rote.neighbors.cpu.index import ProjectionIndex
    from rote.neighbors.cpu.long_index import LongIndex
    from rote.neighbors.gpu.index import DeviceIndex

Progress = Callable[[int, int], None]
WIDEST = 2**22
"""Neighbors that a search which widens holds at a time."""


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The k nearest training items, all (N, k), nearest first.

    Attributes
    ----------
    indices
        int64, positions in the training source.
    sq
        Squared distances: int64, or float64 for vectors and under shift or tone.
    transform
        int16: the transform of the query under which each distance was found, 0 for none.
    """

    indices: npt.NDArray[np.int64]
    sq: npt.NDArray[Any]
    transform: npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Matches:
    """NN1 and NN2 of each query, all (N,)."""

    nn1_index: npt.NDArray[np.int64]
    nn2_index: npt.NDArray[np.int64]
    nn1_sq: npt.NDArray[Any]
    nn2_sq: npt.NDArray[Any]
    transform: npt.NDArray[np.int16]

    def take(self, rows: npt.NDArray[np.int64]) -> Matches:
        """Return some of the queries."""
        return Matches(*(getattr(self, one.name)[rows] for one in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Matches]) -> Matches:
        """Put matches behind each other."""
        columns = ([getattr(part, one.name) for part in parts] for one in fields(Matches))
        return Matches(*map(np.concatenate, columns))


class Matcher:
    """Training items prepared for matching.

    Parameters
    ----------
    training
        uint8 (N, H, W, C) images or float32 (N, D) vectors.
    positions
        int64: which of them are references, ascending, exact duplicates once.
    group
        int64 (N,): duplicate group of each item; or (P, N), several partitions of them (the kin of
        `rote.memorization.groups.kin`). Each reference has another one that is no kin of it.
    invariances
        Transforms that a match may undo; only for images.
    device
        "cpu" or "cuda".
    gower
        Measure by Gower's distance instead of L2; squares are returned all the same.
    prepare_from
        Queries x references x dimensions of one search from which the references are prepared, once for
        all searches to come; on a GPU they always are, and stay there as far as they fit.
    """

    def __init__(
        self,
        training: npt.NDArray[Any],
        *,
        positions: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
        invariances: Invariances,
        device: str,
        gower: Gower | None = None,
        prepare_from: float = INDEX_FROM,
    ) -> None:
        # Long images are read where they lie, and seldom: a copy of all is what memory has no room for.
        # So are others where it has none; they are searched block by block.
        self._long = is_long(training)
        self._in_place = self._long or training.nbytes > blocks().references
        plain = gower is None and not invariances.tone
        self._in_place = self._in_place and device == "cpu" and plain
        # Without exact duplicates all are references. Of a mapped file a copy is better all the same: it
        # takes what the mapped pages would, which are read all over by every search.
        whole = len(positions) == len(training) and not is_mapped(training)
        whole = whole or self._in_place
        self._references = training if whole else training[positions]
        release_pages(training)
        self._kept = None
        if training.dtype == np.uint8 and not training.flags.writeable and not invariances.tone:
            self._kept = training, digest_of(positions)
        if invariances.tone:
            self._references = standardized(self._references)
        self._positions = positions
        self._kin = np.atleast_2d(group)
        self._invariances = invariances
        self._device, self._gower = device, gower
        self._prepared: ProjectionIndex | LongIndex | DeviceIndex | None = None
        # Tones of images that are all flat are 0, and too small to be scaled.
        tones = invariances.tone and float(np.abs(self._references).max()) > 1
        self._preparable = device != "cpu" or self._references.dtype == np.uint8 or tones
        self._prepare_from = prepare_from

    def __len__(self) -> int:
        return len(self._positions)

    def match(
        self,
        queries: npt.NDArray[Any],
        *,
        k: int = 2,
        own: npt.NDArray[np.int64] | None = None,
        on_progress: Progress = no_progress,
    ) -> tuple[Matches, Nearest]:
        """Find NN1 and NN2, and return the k >= 2 nearest beside them.

        The search widens (twice as many each time) for those queries alone whose k nearest do not hold
        both. With ``own``, the parts of each query, int64 (P, N), their kin do not count: so training
        items are matched with the rest of the training side. Where that leaves no two, NN2 is NN1.
        """
        nearest = self.nearest(queries, k, on_progress=on_progress)
        first, second = first_two(self._kin, nearest.indices, own)
        rows = np.arange(len(queries))
        matches = Matches(
            nn1_index=nearest.indices[rows, first],
            nn2_index=nearest.indices[rows, second],
            nn1_sq=nearest.sq[rows, first],
            nn2_sq=nearest.sq[rows, second],
            transform=nearest.transform[rows, first],
        )
        left, wide = np.flatnonzero(second == 0), k
        while len(left) and wide < len(self):
            wide, open_ = min(2 * wide, len(self)), []
            step = max(1, WIDEST // wide)
            for rows in (left[start : start + step] for start in range(0, len(left), step)):
                found = self.nearest(queries[rows], wide)
                kin = None if own is None else own[:, rows]
                first, second = first_two(self._kin, found.indices, kin)
                done = np.flatnonzero(second)
                open_.append(np.delete(rows, done))
                rows, first, second = rows[done], first[done], second[done]
                matches.nn1_index[rows] = found.indices[done, first]
                matches.nn2_index[rows] = found.indices[done, second]
                matches.nn1_sq[rows] = found.sq[done, first]
                matches.nn2_sq[rows] = found.sq[done, second]
                matches.transform[rows] = found.transform[done, first]
            left = np.concatenate(open_)
        assert own is not None or not len(left), "a reference without a rival"
        matches.nn2_index[left] = matches.nn1_index[left]
        return matches, nearest

    def nearest_other_group(
        self, items: npt.NDArray[Any], positions: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        """Return the squared distance (N,) of training items to the nearest one that is no kin.

        ``items`` are those at ``positions`` of the training source.
        """
        own, k = self._kin[:, positions], min(2, len(self))
        found: npt.NDArray[Any] | None = None
        left = np.arange(len(items))
        while len(left):
            nearest = self.nearest(items[left], k)
            other = apart(self._kin, nearest.indices, own[:, left])
            done, first = other.any(axis=1), other.argmax(axis=1)
            if found is None:
                found = np.zeros(len(items), nearest.sq.dtype)
            found[left[done]] = nearest.sq[done, first[done]]
            left = left[~done]
            assert not len(left) or k < len(self), "a reference without a rival"
            k = min(2 * k, len(self))
        assert found is not None
        return found

    def nearest(
        self, queries: npt.NDArray[Any], k: int, *, on_progress: Progress = no_progress
    ) -> Nearest:
        """Return the exact k nearest under the minimum over the transforms."""
        if k > len(self):
            raise ConfigError(
                f"`criterion` carlini takes the {k} nearest training images, and `training` has "
                f"{len(self)} distinct ones; use ratio or calibrated, which take two, or give more"
            )
        if self._invariances.tone:
            queries = standardized(queries)
        steps = offsets(self._invariances)
        flips = [False, True] if self._invariances.flip else [False]
        passes = len(steps) * len(flips)
        best: Nearest | None = None
        for number in range(passes):
            offset, mirror = steps[number // len(flips)], flips[number % len(flips)]
            moved = mirrored(queries) if mirror else queries
            references = self._references
            if len(steps) > 1:
                moved, references = offset.query(moved), offset.reference(references)

            def report(done: int, total: int, number: int = number) -> None:
                on_progress((number * total + done) // passes, total)

            found = self._search(moved, references, k, report)
            sq = found.sq_distances
            if self._invariances.shift:
                sq = sq * offset.scale(queries.shape)
            transform = np.full(sq.shape, number, np.int16)
            here = Nearest(self._positions[found.indices], sq, transform)
            best = here if best is None else _merged(best, here)
        assert best is not None
        return best

    def _search(
        self,
        queries: npt.NDArray[Any],
        references: npt.NDArray[Any],
        k: int,
        on_progress: Progress,
    ) -> Neighbors:
        """Search as `nearest_neighbors` does, preparing whole references once for all calls."""
        queries = np.ascontiguousarray(queries)
        if self._gower is not None:
            indices, distances = self._gower.nearest(
                queries, references, k, on_progress=on_progress
            )
            return Neighbors(indices, np.square(distances))
        whole = references is self._references and self._preparable
        if self._in_place and not (whole and self._long):
            return nearest_by_chunks(queries, references, self._positions, k=k)
        large = self._in_place or self._device != "cpu"
        large = large or queries.size * len(references) >= self._prepare_from
        if not whole or not (large or self._prepared is not None):
            return nearest_neighbors(
                queries,
                np.ascontiguousarray(references),
                k=k,
                device=self._device,
                on_progress=on_progress,
            )
        if self._prepared is None:
            self._prepared = self._prepare()
        flat = queries.reshape(len(queries), -1)
        return Neighbors(*self._prepared.nearest(flat, k, on_progress=on_progress))

    def _prepare(self) -> ProjectionIndex | LongIndex | DeviceIndex:
        if self._device != "cpu":
            from rote.neighbors.gpu.index import DeviceIndex

            flat = self._references.reshape(len(self._references), -1)
            return DeviceIndex(flat, device=self._device)
        rows = self._positions if self._in_place else None
        return open_index(self._references, rows, kept=self._kept)


class Reranker(Matcher):
    """A `Matcher` over images with the distances of a space of pairs, among so many near in pixels."""

    def __init__(
        self,
        training: npt.NDArray[Any],
        *,
        positions: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
        space: Space,
        device: str,
    ) -> None:
        super().__init__(
            training, positions=positions, group=group, invariances=Invariances(), device=device
        )
        self._images = training
        self._space = space

    def nearest(
        self, queries: npt.NDArray[Any], k: int, *, on_progress: Progress = no_progress
    ) -> Nearest:
        """Return the k nearest of the candidates; ties to the lowest index."""
        pairs = self._space.pairs
        assert pairs is not None
        wide = min(max(k, self._space.candidates), len(self))
        near = super().nearest(queries, max(wide, k))
        sq = np.empty(near.sq.shape)
        step = 256
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            sq[rows] = pairs(queries[rows], self._images, near.indices[rows])
            on_progress(min(start + step, len(queries)), len(queries))
        order = np.lexsort((near.indices, sq), axis=1)[:, :k]
        return Nearest(
            np.take_along_axis(near.indices, order, axis=1),
            np.take_along_axis(sq, order, axis=1),
            np.take_along_axis(near.transform, order, axis=1),
        )


def _merged(a: Nearest, b: Nearest) -> Nearest:
    """Merge two lists of k nearest: each item once, at its smaller distance; ties to the lower index.

    Exact: were an item of the merged k nearest missing from the list that holds its smaller distance,
    that list would have k items no farther.
    """
    k = a.indices.shape[1]
    indices, sq, transform = (
        np.concatenate(pair, axis=1)
        for pair in ((a.indices, b.indices), (a.sq, b.sq), (a.transform, b.transform))
    )
    # By item, then distance: all but the first of each item are struck out.
    order = np.lexsort((sq, indices), axis=1)
    indices, sq, transform = (
        np.take_along_axis(x, order, axis=1) for x in (indices, sq, transform)
    )
    again = np.zeros(indices.shape, bool)
    again[:, 1:] = indices[:, 1:] == indices[:, :-1]
    order = np.lexsort((indices, sq, again), axis=1)[:, :k]
    indices, sq, transform = (
        np.take_along_axis(x, order, axis=1) for x in (indices, sq, transform)
    )
    return Nearest(indices, sq, transform)
