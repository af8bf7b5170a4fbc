"""`criteria.json`: the runs of a search or a study under other definitions (`rote rescore`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rote.results.criterion import Tolerance
from rote.results.emm import BandRow, Emm, SizeRate
from rote.results.schema import (
    CheckedDifference,
    CheckedRate,
    Count,
    Number,
    Positive,
    Result,
    ResultFile,
)
from rote.results.side import Side
from rote.results.study import CellName, MeanRate
from rote.results.supplement import Quality


class RescoredRun(Result):
    """One run under every criterion that could be applied."""

    value: str | None = None
    """Of a study: the value of its cell."""
    size: Positive
    replicate: Count
    key: str | None = None
    """Of a study: the name of its folder."""
    run: str | None = None
    """Of a search: its folder."""
    used: bool | None = None
    """Of a search: False where it was ended early, and left out of all criteria."""
    bound: Literal["exact", "at-least", "at-most"] | None = None
    """Of a search, as in `emm.json`."""
    rates: dict[str, CheckedRate]
    controls: dict[str, CheckedRate] = Field(default_factory=dict)
    excess: dict[str, CheckedDifference] = Field(default_factory=dict)
    thresholds: dict[str, Number | None] = Field(default_factory=dict)
    tolerance: Tolerance | None = None
    """Of the ratio as it was applied; None in older files."""
    neighbors: Positive | None = None
    """Of `carlini`."""
    quality: Quality | None


class Ruler(Result):
    """What was measured otherwise than when the runs were made."""

    resolution: Positive | None = None
    """Height and width that all was scaled down to; None: to none."""
    tolerance: Number | None = None
    """Median tolerance that the ratio was given in every run; None: the threshold of the runs."""


class ChosenByRatio(Result):
    """Whether the ratio decided these."""

    snapshot: bool
    samples: bool


class CriterionEmm(Result):
    """The EMM under one criterion."""

    name: str
    title: str = ""
    """Its name for people; empty in older files, with the next."""
    words: str = ""
    """What it is, for people who do not know it."""
    formula: str
    source: str
    runs: Count
    control: SizeRate | None
    """Of the run nearest the search's own EMM."""
    emm: Emm | None
    band: tuple[BandRow, ...] = ()
    """The mean rate over runs."""
    reason: str | None = None
    """Why there is no EMM."""


class SearchCriteriaFile(ResultFile):
    """A search under other definitions."""

    kind: Literal["criteria"]
    epsilon: Number
    confidence: Number
    ruler: Ruler | None = None
    data: Side | None = None
    seed: Count | None = None
    searched: Emm | None = None
    """The search's own EMM."""
    chosen_by_ratio: ChosenByRatio
    runs: tuple[RescoredRun, ...]
    left_out: Count
    criteria: tuple[CriterionEmm, ...]


class CellRate(CellName):
    """The mean rate of one value at one size."""

    rate: MeanRate


class CriterionEffect(Result):
    """A comparison of two cells under one criterion."""

    first: CellName
    second: CellName
    difference: CheckedDifference
    known: bool = True
    """Whether both mean rates are."""


class CriterionEffects(Result):
    """A study's comparisons under one criterion, by its own model and correction."""

    name: str
    title: str = ""
    """Its name for people; empty in older files, with the next."""
    words: str = ""
    """What it is, for people who do not know it."""
    formula: str
    source: str
    cells: tuple[CellRate, ...] = ()
    effects: tuple[CriterionEffect, ...]
    reason: str | None = None
    """Why there are none."""


class StudyCriteriaFile(ResultFile):
    """A study under other definitions."""

    kind: Literal["study-criteria"]
    study: str
    confidence: Number
    ruler: Ruler | None = None
    data: Side | None = None
    seed: Count | None = None
    runs: tuple[RescoredRun, ...]
    criteria: tuple[CriterionEffects, ...]
