"""Copies of series that plain distances miss: matching over delays, gains and polarity.

Series are taken as lines that hold their training mean, 0 as they are scaled, outside their times. With
invariances shift, gain and polarity the distance of a query q to a reference r is

    shift     min over delays s of up to a quarter of the length: sum over all times of
              (q(t - s) - r(t))^2
    polarity  min over q and -q
    gain      taken between z(q) and z(r), z(x) = x R / max(|x|, R / 100), R the length |x| of a series of
              usual spread: one loudness for all; what is 40 dB below the usual stays as quiet as it is

and all combine. Delays and polarity keep distances between lines, so the minimum is a distance, too. The
best delay is found for every reference by a cross-correlation (FFT in float64); the distances of the k
nearest are then summed over the lines themselves, so that an exact delayed copy lies at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import fft

from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.data.scaling import VECTOR_STD
from rote.memorization.invariances import MOST_SHIFT, Invariances
from rote.memorization.matching import Matcher, Nearest, Progress, no_progress

Lines = npt.NDArray[np.float64]

LONGEST = 2**14 - 1
"""Times that a series may be delayed by at most: two directions and two polarities in 16 bits."""
SHARE = 4
"""Of the length: a series may be delayed by one in so many of its times."""
QUIET = 0.01
"""Share of the usual loudness below which gain is not made equal."""
SPARE = 4
"""References beyond the k nearest by the FFT whose distances are summed exactly."""
BLOCK_BYTES = 2**27


def most_delay(times: int) -> int:
    """Return by how many times a series of so many may be delayed, to either side.

    >>> most_delay(16000), most_delay(3)
    (4000, 0)
    """
    return min(times // SHARE, LONGEST)


def most_moved(training: Dataset) -> int:
    """Return by how much an item may be moved: pixels of an image, times of a series."""
    return most_delay(training.items.shape[1]) if training.kind == "series" else MOST_SHIFT


def describe_delay(transform: int) -> str:
    """Name a transform of a series, as `AlignedMatcher` numbers them.

    >>> describe_delay(0), describe_delay(-73)
    ('as it is', 'moved by -37 times, inverted')
    """
    delay, inverted = divmod(transform, 2)
    words = [f"moved by {delay} times"] if delay else []
    return ", ".join([*words, *(["inverted"] if inverted else [])]) or "as it is"


def in_one_gain(lines: Lines) -> Lines:
    """Return lines (N, C, T) in one loudness: z of the module's docstring."""
    usual = VECTOR_STD * np.sqrt(lines[0].size)
    length = np.sqrt(np.square(lines).sum(axis=(1, 2), keepdims=True))
    return lines * (usual / np.maximum(length, QUIET * usual))


@dataclass(frozen=True)
class _Fit:
    """How one query lies best on each reference: squared distance, delay and sign, (references,) each."""

    sq: Lines
    delay: npt.NDArray[np.int64]
    sign: Lines


class AlignedMatcher(Matcher):
    """A `Matcher` of series under delays, gains and polarity.

    Parameters
    ----------
    training
        float32 (N, T, C), scaled.
    positions, group, invariances
        As `Matcher` takes them; of the invariances shift, gain and polarity.
    """

    def __init__(
        self,
        training: npt.NDArray[Any],
        *,
        positions: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
        invariances: Invariances,
    ) -> None:
        super().__init__(
            training, positions=positions, group=group, invariances=Invariances(), device="cpu"
        )
        self._aligned = invariances
        self._lines = self._prepared_lines(training[positions])
        self._energy = np.square(self._lines).sum(axis=(1, 2))
        times = training.shape[1]
        self._most = most_delay(times) if invariances.shift else 0
        self._length = fft.next_fast_len(times + self._most, real=True)

    def nearest(
        self, queries: npt.NDArray[Any], k: int, *, on_progress: Progress = no_progress
    ) -> Nearest:
        """Return the k nearest under the minimum over delays, gains and polarity."""
        if k > len(self):
            raise ConfigError(
                f"{k} nearest training series are needed and `training` has {len(self)} distinct ones; "
                "leave out the `criterion` that needs them, or give more training series"
            )
        lines = self._prepared_lines(queries)
        indices = np.empty((len(lines), k), np.int64)
        sq, transform = np.empty(indices.shape), np.empty(indices.shape, np.int16)
        for start in range(0, len(lines), self._step):
            part = lines[start : start + self._step]
            for row, fit in enumerate(self._fits(part), start=start):
                found = np.argsort(fit.sq, kind="stable")[: k + SPARE]
                exact = np.array(
                    [self._distance(lines[row], n, fit.delay[n], fit.sign[n]) for n in found]
                )
                order = np.lexsort((found, exact))[:k]
                best = found[order]
                indices[row], sq[row] = self._positions[best], exact[order]
                transform[row] = 2 * fit.delay[best] + (fit.sign[best] < 0)
                on_progress(row + 1, len(lines))
        return Nearest(indices, sq, transform)

    @property
    def _step(self) -> int:
        """Queries whose fits to all references are in memory together."""
        return max(1, BLOCK_BYTES // (32 * len(self)))

    def _prepared_lines(self, items: npt.NDArray[Any]) -> Lines:
        lines = np.ascontiguousarray(items.swapaxes(1, 2), dtype=np.float64)
        return in_one_gain(lines) if self._aligned.gain else lines

    def _fits(self, queries: Lines) -> list[_Fit]:
        """Return how each query lies on all references, these some at a time."""
        shape = (len(queries), len(self._lines))
        best, delay = np.empty(shape), np.zeros(shape, np.int64)
        spectra = None
        if self._most:
            spectra = np.conj(fft.rfft(queries, self._length, workers=torch.get_num_threads()))
        room = 16 * self._lines[0].size // self._lines.shape[2] * self._length
        step = max(1, BLOCK_BYTES // room)
        for start in range(0, len(self._lines), step):
            part = self._lines[start : start + step]
            columns = slice(start, start + len(part))
            if spectra is None:
                best[:, columns] = queries.reshape(len(queries), -1) @ part.reshape(len(part), -1).T
                continue
            theirs = fft.rfft(part, self._length, workers=torch.get_num_threads())
            for row, ours in enumerate(spectra):
                best[row, columns], delay[row, columns] = self._peaks((ours * theirs).sum(axis=1))
        sign = np.where(best < 0, -1.0, 1.0) if self._aligned.polarity else np.ones(shape)
        energy = np.square(queries).sum(axis=(1, 2))
        sq = energy[:, None] + self._energy - 2 * sign * best
        return [_Fit(*one) for one in zip(sq, delay, sign, strict=True)]

    def _peaks(self, product: npt.NDArray[np.complex128]) -> tuple[Lines, npt.NDArray[np.int64]]:
        """Return the largest correlation with each reference, and its delay, given products of spectra.

        Of equal ones it is the first of 0, 1, 2, ... to the right, then of those to the left.
        """
        whole = fft.irfft(product, self._length, workers=torch.get_num_threads())
        found = np.concatenate([whole[:, : self._most + 1], whole[:, -self._most :]], axis=1)
        at = (np.abs(found) if self._aligned.polarity else found).argmax(axis=1)
        delay = np.where(at > self._most, at - found.shape[1], at)
        return np.take_along_axis(found, at[:, None], axis=1)[:, 0], delay

    def _distance(self, query: Lines, reference: int, delay: int, sign: float) -> float:
        """Return the squared distance of a line (C, T), moved by a delay, to a reference."""
        ours, theirs = sign * query, self._lines[reference]
        if delay < 0:
            ours, theirs, delay = theirs, ours, -delay
        kept = ours.shape[1] - delay
        over = np.square(ours[:, :kept] - theirs[:, delay:]).sum()
        return float(over + np.square(ours[:, kept:]).sum() + np.square(theirs[:, :delay]).sum())
