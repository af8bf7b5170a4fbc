"""One audit in several spaces: each has its own ruler, its own controls, and its own verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups
from rote.memorization.audit.options import Settings
from rote.memorization.audit.prepare import build_ruler
from rote.memorization.controls import Copies, Recall, recall_of
from rote.memorization.criteria import RatioCriterion
from rote.memorization.evaluator import CriteriaEvaluator, Measured
from rote.memorization.matching import Progress, no_progress
from rote.spaces.feature_cache import Timed, rows_of
from rote.spaces.gower import Gower
from rote.spaces.space import Space
from rote.stats.rates import Rate, wilson


@dataclass(frozen=True, eq=False)
class CriterionResult:
    """What one criterion says.

    Attributes
    ----------
    description
        Name, formula, source, direction and numbers, as plain types.
    memorized
        bool (N,), or None where it could not be applied (too few held-out items to calibrate).
    rate, control
        Of the generated and of the held-out items.
    unproven
        Items whose verdict is not proven for the whole training side (tiles only, else 0).
    """

    name: str
    description: dict[str, Any]
    memorized: npt.NDArray[np.bool_] | None
    rate: Rate | None
    control: Rate | None
    unproven: int


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """What one space says.

    Attributes
    ----------
    space
        Its description: name, metric, preprocessing, hash of the weights, dimension, source, license.
    measured, held_out, degraded
        All that was measured of the generated items, of the held-out items that remain, and of the
        degraded copies.
    positive
        The positive control.
    timed
        What computing its features took: images and seconds; in no result file.
    """

    space: dict[str, Any]
    criteria: tuple[CriterionResult, ...]
    measured: Measured
    held_out: Measured | None
    degraded: Measured | None
    positive: tuple[Recall, ...]
    timed: Timed | None


class SpaceAudit:
    """One space prepared for an audit: its ruler over the training side, and its rows of other sides.

    Parameters
    ----------
    space
        Where to measure.
    ratio, training, positions, groups, settings
        As `build_ruler` takes them.
    device
        "cpu" or "cuda".
    folder
        Where features are kept; None keeps none.
    on_progress
        Called with images whose features are done, and their total.
    """

    def __init__(
        self,
        space: Space,
        *,
        ratio: RatioCriterion,
        training: Dataset,
        positions: npt.NDArray[np.int64],
        groups: DuplicateGroups,
        settings: Settings,
        device: str,
        folder: Path | None,
        on_progress: Progress = no_progress,
    ) -> None:
        self.space = space
        self._device, self._folder = device, folder
        self._on_progress = on_progress
        self._computed: list[Timed] = []
        self.ruler: CriteriaEvaluator = build_ruler(
            ratio,
            self.rows(training),
            positions,
            groups,
            settings,
            device,
            space=space,
            gower=Gower.of(training) if space.metric == "gower" else None,
        )

    def rows(self, side: Dataset) -> npt.NDArray[Any]:
        """Return what the ruler measures of a side: its images, or their features."""
        if self.space.kind != "rows":
            return side.items
        rows, timed = rows_of(
            self.space,
            side,
            folder=self._folder,
            device=self._device,
            on_progress=self._on_progress,
        )
        self._computed += [timed] if timed else []
        return rows

    @property
    def timed(self) -> Timed | None:
        """Images whose features were computed, and the seconds; None where none were."""
        if not self._computed:
            return None
        return Timed(
            sum(part.images for part in self._computed),
            sum(part.seconds for part in self._computed),
        )

    def result(
        self,
        measured: Measured,
        *,
        held_out: Measured | None,
        copies: Copies | None,
        degraded: Measured | None,
        group: npt.NDArray[np.int64],
        confidence: float,
    ) -> SpaceResult:
        """Put together what this space says."""
        ruler = self.ruler
        positive: tuple[Recall, ...] = ()
        if copies is not None and degraded is not None:
            positive = recall_of(ruler, degraded, copies, group=group, confidence=confidence)
        values = int(np.prod(ruler.training.shape[1:]))
        return SpaceResult(
            space=self.space.describe(values),
            criteria=_results(ruler, measured, held_out, confidence),
            measured=measured,
            held_out=held_out,
            degraded=degraded,
            positive=positive,
            timed=self.timed,
        )


def _results(
    ruler: CriteriaEvaluator, measured: Measured, held_out: Measured | None, confidence: float
) -> tuple[CriterionResult, ...]:
    def rate(mask: npt.NDArray[np.bool_] | None) -> Rate | None:
        return None if mask is None else wilson(int(mask.sum()), len(mask), confidence=confidence)

    found = ruler.verdicts(measured)
    control = ruler.verdicts(held_out) if held_out is not None else {}
    return tuple(
        CriterionResult(
            name=name,
            description=ruler.describe(name),
            memorized=found.get(name),
            rate=rate(found.get(name)),
            control=rate(control.get(name)),
            unproven=int(measured.unproven.sum()) if name == "tiles" else 0,
        )
        for name in ruler.names
    )
