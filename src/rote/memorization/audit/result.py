"""What an audit found, as data; `rote.memorization.audit.audit.Audit` adds its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups
from rote.memorization.audit.agreement import Agreement, agreement
from rote.memorization.audit.gate import Gate, decide, decide_groups, strictest
from rote.memorization.audit.options import Settings
from rote.memorization.audit.per_group import Clusters, GroupedRates
from rote.memorization.audit.per_space import SpaceResult
from rote.memorization.audit.prepare import Preprocessing
from rote.memorization.audit.provenance import Provenance
from rote.memorization.captions.rates import CaptionRates, caption_rates
from rote.memorization.controls import Leaks, Recall
from rote.memorization.criteria import RatioCriterion, distance_ratio
from rote.memorization.criteria.tolerance import Tolerance
from rote.memorization.criteria.verdicts import CriterionResult
from rote.memorization.evaluator import Measured
from rote.memorization.groups.reproduced import ReproducedGroups
from rote.memorization.matching import Matches
from rote.memorization.notice import Notice
from rote.memorization.summary import coverage
from rote.metrics.population import Population
from rote.metrics.quality import Quality
from rote.stats.rates import Rate


@dataclass(frozen=True)
class SupplementaryMetrics:
    """What an audit has beside its rates, each None where it was not asked for."""

    quality: Quality | None = None
    population: Population | None = None
    clusters: GroupedRates | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entries of `audit.json`."""
        return {
            "quality": None if self.quality is None else self.quality.to_json(),
            "population": None if self.population is None else self.population.to_json(),
            "clusters": None if self.clusters is None else self.clusters.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Findings:
    """What an audit found.

    Attributes
    ----------
    rate
        Share of memorized items under the ratio.
    memorized
        bool (N,): the verdict of each generated item under the ratio.
    verdict
        int8 (N,): 2 memorized, 1 collapsed (a duplicate of another generated item, and not memorized),
        0 novel.
    nn1_index, nn2_index
        int64 (N,): positions of the nearest training item and of the nearest one of another
        duplicate group.
    nn1_sq, nn2_sq
        Squared distances (N,): int64 for images, float64 for vectors and under shift or tone.
    control
        The same rate over held-out items, or None.
    duplicates, groups, collapse
        Exact duplicates of the training side; those within the radius; those of the generated side.
    measured, held_out
        All that was measured of the generated items, and of the held-out items that remain.
    leaks
        Held-out items that equal a training item, and were taken out of the control; and near ones.
    spaces
        What every space says, the primary one, whose numbers are the fields above, first.
    preprocessing
        What was done to the images before they were measured; ``generated`` and ``training`` are as they
        were then.
    notices
        What to know before any rate, such as what makes it doubtful.
    provenance
        With what, when and from where it was made.
    within
        Some training items matched with the rest of the training side.
    tolerance
        How far from its source a copy may lie and still be flagged by the ratio.
    reproduced
        What was reproduced of the groups of the training side; None where it has none.
    clusters
        Groups of the generated items, where rates of groups were asked for.
    supplement
        Quality, definitions over whole sets and rates per group, as far as asked for.
    seconds
        Wall-clock seconds per stage; in no result file.
    """

    rate: Rate
    memorized: npt.NDArray[np.bool_]
    verdict: npt.NDArray[np.int8]
    criterion: RatioCriterion
    criteria: tuple[CriterionResult, ...]
    duplicates: DuplicateGroups
    groups: DuplicateGroups
    collapse: DuplicateGroups
    generated: Dataset
    training: Dataset
    measured: Measured
    settings: Settings
    control: Rate | None = None
    holdout: Dataset | None = None
    held_out: Measured | None = None
    leaks: Leaks | None = None
    positive: tuple[Recall, ...] = ()
    within: Matches | None = None
    tolerance: Tolerance | None = None
    spaces: tuple[SpaceResult, ...] = ()
    preprocessing: Preprocessing | None = None
    gate: Gate | None = None
    notices: tuple[Notice, ...] = ()
    provenance: Provenance | None = None
    reproduced: ReproducedGroups | None = None
    clusters: Clusters | None = None
    supplement: SupplementaryMetrics | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def nn1_index(self) -> npt.NDArray[np.int64]:
        return self.measured.matches.nn1_index

    @property
    def nn2_index(self) -> npt.NDArray[np.int64]:
        return self.measured.matches.nn2_index

    @property
    def nn1_sq(self) -> npt.NDArray[Any]:
        return self.measured.matches.nn1_sq

    @property
    def nn2_sq(self) -> npt.NDArray[Any]:
        return self.measured.matches.nn2_sq

    @property
    def ratio(self) -> npt.NDArray[np.float64]:
        """|x - NN1| / |x - NN2| of each item, float64 (N,) in [0, 1]."""
        return distance_ratio(self.nn1_sq, self.nn2_sq)

    @property
    def by_ratio(self) -> npt.NDArray[np.int64]:
        """Positions of the generated items, lowest ratio first, ties by position: int64 (N,)."""
        return np.argsort(self.ratio, kind="stable")

    @cached_property
    def agreement(self) -> Agreement | None:
        """How far all rulers of this audit agree; None where there is only one."""
        settings = self.settings
        return agreement(
            self.spaces,
            seed=settings.seed,
            confidence=settings.confidence,
            clusters=self.clusters,
        )

    @cached_property
    def captions(self) -> CaptionRates | None:
        """Rates by caption; None where no generated item has one."""
        return caption_rates(
            self.generated,
            self.training,
            memorized=self.memorized,
            ratio=self.ratio,
            nearest=self.nn1_index,
            group=self.groups.group,
            confidence=self.rate.confidence,
        )

    def coverage(self) -> dict[str, Any]:
        """Return which training items were reproduced, and how concentrated."""
        return coverage(self.nn1_index[self.memorized], self.groups.group, self.training.names)


def doubt_of(found: Findings) -> str | None:
    """Return what makes the rates doubtful, so that a gate decides nothing; None: nothing."""
    return next((notice.text for notice in found.notices if notice.doubtful), None)


def groups_gate(found: Findings) -> Gate | None:
    """Hold the share of groups reproduced against its limit, where there is one."""
    limit, gated = found.settings.fail_above_groups, found.settings.gated
    if limit is None:
        return None
    assert found.reproduced is not None, "checked before anything was measured"
    rate = found.reproduced.reproduced[gated]
    return decide_groups(rate, limit, criterion=gated, doubt=doubt_of(found))


def gate_of(found: Findings) -> Gate | None:
    """Hold the rates of the gated criterion against their limits, where there are some."""
    settings, own = found.settings, None
    if settings.fail_above is not None:
        rate = next(c.rate for c in found.criteria if c.name == settings.gated)
        assert rate is not None, "checked before anything was measured"
        own = decide(rate, settings.fail_above, criterion=settings.gated, doubt=doubt_of(found))
    return strictest(own, groups_gate(found))
