"""Rulers side by side: how far they agree, on which images they do not, and which sees what.

A ruler is a criterion in a space. **Agreement** between two of them is told twice: Spearman's rank
correlation of their scores (do they put images in one order?), and Cohen's kappa of their verdicts (do
they flag the same images, beyond what their rates alone would give?):

    kappa = (p - e) / (1 - e),    p = share of equal verdicts,
                                  e = r s + (1 - r) (1 - s) for rates r and s

**Which ruler sees what** is the positive control at one price: every score gets the threshold that the
same share of held-out images would pass (by order statistics, as the calibrated ratio has it), so that
recalls of different spaces can be compared.

Intervals are those of `rote.stats.agreement`.

Sources: Spearman (1904); Cohen, "A coefficient of agreement for nominal scales" (1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.audit.per_group import Clusters
from rote.memorization.audit.per_space import SpaceResult
from rote.memorization.corruptions import Degradation
from rote.memorization.evaluator import Measured
from rote.stats.agreement import (
    Interval,
    kappa_interval,
    kappa_of,
    spearman_intervals,
    verdict_table,
)
from rote.stats.conformal import calibrate
from rote.stats.rates import Rate, wilson

MOST_DISPUTED = 48


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The verdicts of one ruler.

    Attributes
    ----------
    score
        float64 (N,), lower is more of a copy.
    memorized
        bool (N,).
    """

    space: str
    criterion: str
    rate: Rate
    control: Rate | None
    score: npt.NDArray[np.float64]
    memorized: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Agreement:
    """All rulers of an audit, two and more.

    Attributes
    ----------
    spearman, kappa
        Of every pair of rulers, symmetric; None where one of them tells no two images apart.
    spearman_interval, kappa_interval
        Low and high of each, None with it; a ruler agrees with itself by definition, (1, 1).
    confidence
        Of the intervals.
    unit
        What the intervals take for independent: "caption" or "label"; None: each image.
    disputed
        int64: the images on which verdicts differ, those that divide the rulers most evenly first.
    """

    rulers: tuple[Verdicts, ...]
    spearman: tuple[tuple[float | None, ...], ...]
    kappa: tuple[tuple[float | None, ...], ...]
    spearman_interval: tuple[tuple[Interval | None, ...], ...]
    kappa_interval: tuple[tuple[Interval | None, ...], ...]
    confidence: float
    unit: str | None
    disputed: npt.NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Return the agreement as plain types."""
        return {
            "rulers": [
                {
                    "space": ruler.space,
                    "criterion": ruler.criterion,
                    "rate": ruler.rate.to_json(),
                    "control": None if ruler.control is None else ruler.control.to_json(),
                }
                for ruler in self.rulers
            ],
            "spearman": [list(row) for row in self.spearman],
            "spearman_interval": _plain(self.spearman_interval),
            "kappa": [list(row) for row in self.kappa],
            "kappa_interval": _plain(self.kappa_interval),
            "confidence": self.confidence,
            "unit": self.unit,
            "disputed": len(self.disputed),
        }


def _plain(rows: tuple[tuple[Interval | None, ...], ...]) -> list[list[list[float] | None]]:
    return [[None if cell is None else list(cell) for cell in row] for row in rows]


def agreement(
    spaces: Sequence[SpaceResult],
    *,
    seed: int,
    confidence: float = 0.95,
    clusters: Clusters | None = None,
) -> Agreement | None:
    """Compare all rulers that gave verdicts; None where there is only one.

    Parameters
    ----------
    spaces
        What every space says of the same images.
    seed
        Root seed; intervals resample images by its child.
    confidence
        Two-sided confidence of the intervals, in (0, 1).
    clusters
        Groups of the images, which the intervals then take for the unit.
    """
    cluster = None if clusters is None else clusters.cluster
    rulers = [
        Verdicts(
            space=result.space["name"],
            criterion=found.name,
            rate=found.rate,
            control=found.control,
            score=result.measured.scores[found.score],
            memorized=found.memorized,
        )
        for result in spaces
        for found in result.criteria
        if found.memorized is not None and found.rate is not None
    ]
    if len(rulers) < 2:
        return None
    ranks = [_ranks(ruler.score) for ruler in rulers]
    verdicts = [ruler.memorized for ruler in rulers]
    orders = tuple(tuple(_correlation(a, b) for b in ranks) for a in ranks)
    sure = spearman_intervals(
        [r.score for r in rulers], seed=seed, confidence=confidence, cluster=cluster
    )
    return Agreement(
        rulers=tuple(rulers),
        spearman=orders,
        kappa=tuple(tuple(kappa(a, b) for b in verdicts) for a in verdicts),
        spearman_interval=tuple(
            tuple(_holding(interval, value) for interval, value in zip(*row, strict=True))
            for row in zip(sure, orders, strict=True)
        ),
        kappa_interval=_kappa_intervals(
            verdicts, seed=seed, confidence=confidence, cluster=cluster
        ),
        confidence=confidence,
        unit=None if clusters is None else clusters.by,
        disputed=_disputed(np.stack(verdicts)),
    )


def _holding(interval: Interval | None, value: float | None) -> Interval | None:
    """Return the interval, rounded so that it holds the value; at 1 they differ in the last bit."""
    if interval is None or value is None:
        return None
    return min(interval[0], value), max(interval[1], value)


def _kappa_intervals(
    verdicts: Sequence[npt.NDArray[np.bool_]],
    *,
    seed: int,
    confidence: float,
    cluster: npt.NDArray[np.int64] | None,
) -> tuple[tuple[Interval | None, ...], ...]:
    size = len(verdicts)
    found: list[list[Interval | None]] = [[None] * size for _ in range(size)]
    for i, a in enumerate(verdicts):
        found[i][i] = None if kappa(a, a) is None else (1.0, 1.0)
        for j in range(i):
            own = kappa_interval(a, verdicts[j], seed=seed, confidence=confidence, cluster=cluster)
            found[i][j] = found[j][i] = own
    return tuple(tuple(row) for row in found)


def spearman(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float | None:
    """Return the rank correlation of scores (N,) and (N,); None where one of them is constant.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    return _correlation(_ranks(a), _ranks(b))


def kappa(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float | None:
    """Return Cohen's kappa of verdicts (N,) and (N,); None where both are constant and equal.

    >>> kappa(np.array([True, True, False, False]), np.array([True, False, False, False]))
    0.5
    """
    value = float(kappa_of(verdict_table(a, b)))
    return None if np.isnan(value) else value


def _ranks(score: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return ranks around 0, those of ties averaged."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(score), np.float64) - (len(score) + 1) / 2


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float | None:
    length = float(np.sqrt((a @ a) * (b @ b)))
    return None if length == 0 else max(-1.0, min(1.0, float(a @ b) / length))


def _disputed(verdicts: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the images (columns) on which rulers (rows) differ, the most evenly divided first."""
    yes = verdicts.sum(axis=0)
    minority = np.minimum(yes, len(verdicts) - yes)
    order = np.argsort(-minority, kind="stable")
    return order[: int((minority > 0).sum())].astype(np.int64)


@dataclass(frozen=True)
class Detector:
    """One score of one space with the threshold that costs the asked false-positive rate."""

    space: str
    score: str
    threshold: float


@dataclass(frozen=True)
class RecallAtFPR:
    """Recall of every kind of copy by every score at one false-positive rate.

    Attributes
    ----------
    recall
        One row per corruption and strength, in the order of ``kinds``, one rate per detector.
    """

    false_positive_rate: float
    held_out: int
    detectors: tuple[Detector, ...]
    kinds: tuple[Degradation, ...]
    recall: tuple[tuple[Rate, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the recalls as plain types."""
        return {
            "false_positive_rate": self.false_positive_rate,
            "held_out": self.held_out,
            "rulers": [
                {"space": s.space, "score": s.score, "threshold": s.threshold}
                for s in self.detectors
            ],
            "cells": [
                {**kind.to_json(), "recall": [rate.to_json() for rate in rates]}
                for kind, rates in zip(self.kinds, self.recall, strict=True)
            ],
        }


def recall_at_fpr(
    spaces: Sequence[SpaceResult], *, false_positive_rate: float, confidence: float
) -> RecallAtFPR | None:
    """Return which score of which space sees which copies; None without both controls.

    Scores are those of the criteria and "distance", the plain distance to the nearest.
    """
    detectors, columns, held_out = [], [], 0
    kinds = tuple(cell.kind for cell in spaces[0].positive)
    for result in spaces:
        if result.held_out is None or result.degraded is None:
            return None
        held, degraded = _scores(result.held_out), _scores(result.degraded)
        held_out = len(result.held_out)
        for name, score in held.items():
            found = calibrate(
                score,
                asked=false_positive_rate,
                confidence=confidence,
                group=result.held_out_group,
            )
            if found.threshold is None:
                return None
            detectors.append(Detector(result.space["name"], name, found.threshold))
            columns.append(found.flags(degraded[name]).reshape(len(kinds), -1))
    rows = tuple(
        tuple(wilson(int(c[row].sum()), c.shape[1], confidence=confidence) for c in columns)
        for row in range(len(kinds))
    )
    return RecallAtFPR(false_positive_rate, held_out, tuple(detectors), kinds, rows)


def _scores(measured: Measured) -> dict[str, npt.NDArray[np.float64]]:
    distance = np.sqrt(measured.matches.nn1_sq.astype(np.float64))
    first = {"ratio": measured.scores["ratio"], "distance": distance}
    return first | measured.scores
