"""`study.json`: what one factor does to memorization."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rote.results.emm import Emm
from rote.results.run import StudyRun
from rote.results.schema import (
    CheckedDifference,
    Count,
    Interval,
    Number,
    Positive,
    Result,
    ResultFile,
)
from rote.results.side import Side

Verdict = Literal["agrees", "disagrees", "not decided"]


class Figure(Result):
    """A rate that the paper gives."""

    value: str
    size: Positive
    rate: Number


class Paper(Result):
    """What the paper says."""

    finding: str
    source: str
    """Where its figures come from."""
    figures: tuple[Figure, ...]


class StudyDesign(Result):
    """What was varied."""

    baseline: str
    values: tuple[str, ...] = ()
    sizes: tuple[Positive, ...] = ()
    """Empty where the size is the factor."""
    seeds: Positive | None = None
    """Runs of a value at a size; the baseline may have more."""
    margin: Number
    """Two rates are alike if they differ by no more than this."""
    second_source: bool = False


class Method(Result):
    """How rates and intervals were had."""

    rates: str
    confidence: Number
    """Of all intervals of the study together."""
    correction: str
    comparisons: Count
    each_confidence: Number | None = None
    """Of one comparison."""
    spread_between_runs: Interval
    """Standard deviation, in logits; that of each value is drawn towards it."""


def _mean(rate: MeanRate) -> MeanRate:
    if not 0 <= rate.low <= rate.value <= rate.high <= 1:
        raise ValueError("a rate with its interval inside 0 to 1")
    return rate


class MeanRate(Interval):
    """The mean rate over runs."""

    runs: Positive | None = None
    confidence: Number | None = None
    known: bool = True
    """False: runs lie so far apart (some take off, some do not) that so few do not tell their mean."""


class StudyCell(Result):
    """One value at one size."""

    value: str
    size: Positive
    settings: dict[str, str] = Field(default_factory=dict)
    """What the value means."""
    rate: Annotated[MeanRate, AfterValidator(_mean)]
    runs: Annotated[tuple[StudyRun, ...], Field(min_length=1)]


class CellName(Result):
    """A value at a size."""

    value: str
    size: Positive


class Effect(Result):
    """A comparison of two cells."""

    first: CellName
    second: CellName
    difference: CheckedDifference
    """Mean rate of the first less the second's."""
    known: bool = True
    """Whether both mean rates are; if not, the interval decides nothing."""
    paper: Literal["more", "less", "like"] | None
    """What the paper says of the first against the second; None: nothing."""
    verdict: Verdict | None


class ValueEmm(Result):
    """The EMM of one value, over its sizes."""

    of: str
    emm: Emm


class RatioEstimate(Interval):
    """A ratio with its interval."""

    confidence: Number | None = None


class EmmRatio(Result):
    """The EMM of one value over that of the baseline."""

    value: str
    ratio: RatioEstimate


class StudyCost(Result):
    """What the study cost; runs that share a training count it once."""

    runs: Count
    images_trained: Count
    images_sampled: Count
    run_seconds: Number
    """Of all runs together."""
    elapsed_seconds: Number | None = None


class StudyFile(ResultFile):
    """`rote study`."""

    kind: Literal["study"]
    study: str
    title: str
    group: Literal["data", "model", "training", "conditioning"]
    question: str
    keeps: str
    """What is the same for all values."""
    scale: str
    """`smoke`, `cpu` or `paper`."""
    sentence: str
    """The answer in words."""
    verdict: Verdict | None
    """With all claims of the paper together; None where it makes none."""
    paper: Paper
    design: StudyDesign
    method: Method
    cells: Annotated[tuple[StudyCell, ...], Field(min_length=1)]
    effects: tuple[Effect, ...]
    emm: tuple[ValueEmm, ...]
    """Of values with at least two sizes."""
    emm_ratios: tuple[EmmRatio, ...]
    """Where both EMMs are bracketed."""
    cost: StudyCost
    data: Side
    seed: Count
    runs_folder: Literal["runs", "../runs"]
    """From this folder."""
    trainer: dict[str, Any] | None = None
    """Who trained in place of rote, and what it was told; see [trainers](../how-to/trainer.md)."""


class PlannedRun(Result):
    """A run of a study."""

    value: str
    size: Positive
    replicate: Count
    key: str


class PlanFile(ResultFile):
    """`plan.json`, for `rote study status`."""

    study: str
    runs_folder: str
    runs: tuple[PlannedRun, ...]
