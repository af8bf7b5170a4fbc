"""One audit in several spaces: each has its own ruler, its own controls, and its own verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.sampling import drawn_by_content
from rote.memorization.audit.prepare import Duplicates, Prepared
from rote.memorization.audit.provenance import Stages
from rote.memorization.controls import (
    Copies,
    Leaks,
    Recall,
    degraded_copies,
    find_leaks,
    recall_of,
)
from rote.memorization.corruptions import default_copies
from rote.memorization.criteria import applied_criteria
from rote.memorization.criteria.tolerance import Tolerance, has_tolerance, tolerance_of
from rote.memorization.criteria.verdicts import CriterionResult, criterion_results
from rote.memorization.evaluator import CriteriaEvaluator, Measured
from rote.memorization.groups.kin import numbers_of
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher, Matches, Progress, no_progress
from rote.memorization.open_matcher import open_matcher
from rote.spaces.feature_cache import Timed, rows_of
from rote.spaces.guard import check_spread
from rote.spaces.space import Space

SOURCES = 200
"""Training items whose tolerance is looked at where nothing else looks at any."""


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
    held_out_group
        int64: which of the held-out items belong together; None: each stands for itself.
    positive
        The positive control.
    timed
        What computing its features took: images and seconds; in no result file.
    """

    space: dict[str, Any]
    criteria: tuple[CriterionResult, ...]
    measured: Measured
    held_out: Measured | None
    held_out_group: npt.NDArray[np.int64] | None
    degraded: Measured | None
    positive: tuple[Recall, ...]
    timed: Timed | None


@dataclass(frozen=True, eq=False)
class Controls:
    """What is measured beside the generated items, the same in every space.

    Attributes
    ----------
    leaks
        Held-out items that lie in the training set, or near to it; None without a held-out side.
    kept
        int64: positions of the held-out items that remain.
    held_out_group
        int64: the group of each of these; None where they have none.
    held_out
        The held-out items measured in the data's own space.
    copies
        The copies of the positive control, or None.
    """

    leaks: Leaks | None
    kept: npt.NDArray[np.int64]
    held_out_group: npt.NDArray[np.int64] | None
    held_out: Measured | None
    copies: Copies | None


class SpaceAudit:
    """One space prepared for an audit: its ruler over the training side, and its rows of other sides.

    Parameters
    ----------
    space
        Where to measure.
    prepared, duplicates
        The audit; groups of duplicates are those of the items themselves in every space.
    folder
        Where features are kept; None keeps none.
    on_progress
        Called with items done and their total.
    """

    def __init__(
        self,
        space: Space,
        prepared: Prepared,
        duplicates: Duplicates,
        *,
        stages: Stages,
        folder: Path | None = None,
        on_progress: Progress = no_progress,
    ) -> None:
        self.space = space
        self._prepared, self._duplicates = prepared, duplicates
        self._stages, self._folder, self._on_progress = stages, folder, on_progress
        self._computed: list[Timed] = []
        with stages("features" if space.kind == "rows" else "search"):
            training = self._rows(prepared.training)
            if space.kind == "rows":
                check_spread(space, training, duplicates.positions)
            self.ruler = self._evaluator(training)

    def measure(
        self, side: Dataset, *, stage: str, on_progress: Progress = no_progress
    ) -> Measured:
        """Measure a side under all criteria."""
        with self._stages("features" if self.space.kind == "rows" else stage):
            rows = self._rows(side)
        with self._stages(stage):
            return self.ruler.measure(rows, on_progress=on_progress)

    def audit(self, controls: Controls) -> SpaceResult:
        """Calibrate by the held-out items, measure the generated ones, then the copies."""
        prepared, settings = self._prepared, self._prepared.settings
        held_out = degraded = None
        if prepared.holdout is not None and len(controls.kept):
            if self.space is prepared.own:
                whole = controls.held_out
                assert whole is not None
            else:
                whole = self.measure(prepared.holdout, stage="controls")
            held_out = whole.take(controls.kept)
            self.ruler.calibrate(
                held_out, confidence=settings.confidence, group=controls.held_out_group
            )
        if settings.has_gate:
            _check_decided(self.ruler, settings.gated)
        measured = self.measure(prepared.generated, stage="search", on_progress=self._on_progress)
        positive: tuple[Recall, ...] = ()
        if controls.copies is not None:
            parts = [*self._measured(controls.copies)]
            degraded = Measured.joined(parts).take(controls.copies.by_kind)
            positive = recall_of(
                self.ruler,
                degraded,
                controls.copies,
                group=self._duplicates.near.group,
                other_sq=self._other_sq(controls.copies.chosen),
                ratio_threshold=settings.ratio.threshold,
                confidence=settings.confidence,
                cluster=numbers_of(prepared.training.groups, controls.copies.chosen),
            )
        return SpaceResult(
            space=self.space.describe(int(np.prod(self.ruler.training.shape[1:]))),
            criteria=criterion_results(
                self.ruler, measured, held_out, controls.held_out_group, settings.confidence
            ),
            measured=measured,
            held_out=held_out,
            held_out_group=controls.held_out_group,
            degraded=degraded,
            positive=positive,
            timed=Timed.joined(self._computed),
        )

    def tolerance(self, within: Matches | None) -> Tolerance | None:
        """Return the tolerance of the ratio, of the items that ``within`` has looked at, or of a few."""
        items, settings = self._prepared.training.items, self._prepared.settings
        if within is None:
            seed = child_seed(settings.seed, "within")
            drawn = drawn_by_content(items, self._duplicates.positions, seed=seed)
            other_sq = self._other_sq(drawn[:SOURCES])
        else:
            other_sq = within.nn1_sq
        return tolerance_of(
            other_sq,
            self.space,
            settings.invariances,
            shape=self.ruler.training.shape[1:],
            ratio_threshold=settings.ratio.threshold,
        )

    def _other_sq(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[Any] | None:
        """Return the squared distance of training items to the nearest one of another group."""
        if not has_tolerance(self.space, self._prepared.settings.invariances):
            return None
        with self._stages("controls"):
            return self.ruler.matcher.nearest_other_group(self.ruler.training[chosen], chosen)

    def _measured(self, copies: Copies) -> Iterator[Measured]:
        """Measure degraded copies, some of them in memory at a time."""
        batches = copies.batches()
        while True:
            with self._stages("controls"):
                made = next(batches, None)
            if made is None:
                return
            yield self.measure(Dataset(made, source="degraded copies"), stage="controls")

    def _rows(self, side: Dataset) -> npt.NDArray[Any]:
        """Return what is measured of a side: its items, or their features."""
        if self.space.kind != "rows":
            return side.items
        rows, timed = rows_of(
            self.space,
            side,
            folder=self._folder,
            device=self._prepared.device,
            on_progress=self._on_progress,
        )
        self._computed += [timed] if timed else []
        return rows

    def _evaluator(self, training: npt.NDArray[Any]) -> CriteriaEvaluator:
        """Prepare the references for measuring; invariances and tiles are of pixels alone."""
        space, settings = self.space, self._prepared.settings
        own = settings.invariances if space.kind == "images" else Invariances()
        main = self._matcher(training, own)
        plain = self._matcher(training, Invariances()) if own.names else main
        untoned = replace(own, tone=False)
        if own.tone:
            without_tone = self._matcher(training, untoned) if untoned.names else plain
        else:
            without_tone = main
        return CriteriaEvaluator(
            criteria=applied_criteria(settings.criteria, settings.conditions(space)),
            matcher=main,
            without_tone=without_tone,
            without_invariances=plain,
            training=training,
        )

    def _matcher(self, rows: npt.NDArray[Any], invariances: Invariances) -> Matcher:
        return open_matcher(
            rows,
            space=self.space,
            training=self._prepared.training,
            positions=self._duplicates.positions,
            group=self._duplicates.kin,
            invariances=invariances,
            device=self._prepared.device,
        )


def make_controls(
    own: SpaceAudit, prepared: Prepared, duplicates: Duplicates, stages: Stages
) -> Controls:
    """Find which held-out items lie in the training set, and make the copies of the positive control.

    What lies in the training set is found in the data's own space, whatever the spaces.
    """
    training, holdout, settings = prepared.training, prepared.holdout, prepared.settings
    leaks, kept, group, measured = None, np.empty(0, np.int64), None, None
    if holdout is not None:
        with stages("controls"):
            values = int(np.prod(holdout.items.shape[1:]))
            measured = own.ruler.measure(holdout.items)
            leaks, remains = find_leaks(
                measured,
                settings.ratio,
                sq_radius=settings.duplicate_rms**2 * values,
                levels=own.ruler.nearest_in_levels(holdout.items),
            )
            kept = np.flatnonzero(remains)
            group = numbers_of(holdout.groups, kept)
    positions, count = duplicates.positions, settings.positive_control
    if count is None:
        count = min(default_copies(training.items[:1].nbytes), len(positions))
    copies = None
    if count:
        with stages("controls"):
            copies = degraded_copies(
                training, positions=positions, copies=count, seed=settings.seed
            )
    return Controls(leaks, kept, group, measured, copies)


def _check_decided(ruler: CriteriaEvaluator, gated: str) -> None:
    """Refuse, before the search, a gate against a threshold that could not be calibrated."""
    for criterion in ruler.criteria:
        if criterion.name == gated and criterion.undecided:
            raise ConfigError(f"`fail_above` needs a rate, and {criterion.undecided}")
