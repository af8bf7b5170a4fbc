"""`gap.json`: how far each snapshot is from the optimum; and the onset of memorization."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rote.results.schema import Count, Interval, Number, Positive, Result, ResultFile
from rote.results.side import Side

Levels = tuple[Number | None, ...]


class GapSnapshot(Result):
    """The gap to the optimum of one snapshot, by noise level; None where both optima are the same."""

    images_seen: Count
    sigmas: Annotated[tuple[Number, ...], Field(min_length=1)]
    """Noise levels."""
    gap: Levels
    """0: the model is the optimum of its training set; 1: as far from it as that of unseen items."""
    standard_error: Levels | None = None
    low: Levels
    high: Levels
    numerator: Levels | None = None
    """Mean squared difference to the optimum of the training set, per element."""
    denominator: Levels | None = None
    """The same between both optima."""
    points: Positive
    """Noisy items at each level."""
    holdout: Positive
    """Unseen items."""
    confidence: Number | None = None
    """Of `low` and `high`."""

    @field_validator("gap", "standard_error", "low", "high", "numerator", "denominator")
    @classmethod
    def _fits(cls, values: Any, info: ValidationInfo) -> Any:
        if values is not None and len(values) != len(info.data.get("sigmas", values)):
            raise ValueError("a list with one entry per noise level")
        return values


class GapFile(ResultFile):
    """`rote train --gap`, `rote gap`."""

    kind: Literal["gap"]
    seed: int
    weights: Literal["ema", "raw"]
    sigmas: tuple[Number, ...]
    """Noise levels."""
    points: Positive
    """Noisy items at each level."""
    training: Side
    holdout: Side
    snapshots: tuple[GapSnapshot, ...]


class OnsetRule(Result):
    """When the copies of a snapshot are more than false alarms."""

    test: Literal["fisher", "binomial"]
    control: tuple[Count, Positive] | None = None
    """`fisher`: flagged held-out items, of how many."""
    null_rate: Number | None = None
    """`binomial`: the rate of false alarms that is assumed."""
    alpha: Number
    """Level of the test."""


class OnsetRun(Result):
    """One run: memorization began between two of its snapshots."""

    size: Positive
    low: Number
    """Images seen; 0 where it began before the first snapshot."""
    high: Number | None
    """Images seen; None where it never began within the training."""
    visible: Number | None = None
    """The smallest rate that would have been seen."""

    @model_validator(mode="after")
    def _has_a_place(self) -> OnsetRun:
        if max(self.low, self.high or 0) <= 0:
            raise ValueError("between the images seen of two snapshots")
        return self


class OnsetLaw(Result):
    """Images seen at the onset = a * size^exponent, with a spread between runs."""

    a: Interval
    exponent: Interval
    scatter: Interval
    """Standard deviation of the logarithm."""
    confidence: Number
    runs: Positive
    sizes: tuple[Positive, Positive]
    """The smallest and the largest."""


class OnsetAdvice(Result):
    """What the law says of one size."""

    size: Positive
    onset: Interval
    """Typical onset, images seen."""
    stop_before: Number | None
    """A new run begins before it with the chance `risk`."""
    extrapolated: bool
    """Beyond the sizes of the runs."""


class OnsetNeed(Result):
    """The size that a length of training takes."""

    images: Positive
    """Images seen."""
    size: Positive | None
    """None: more than the law can tell."""
    extrapolated: bool


class Onset(Result):
    """From when on runs copy, the law of it, and what it advises (`rote.emm.onset.onset_json`)."""

    sentence: str | None = None
    rule: OnsetRule
    runs: tuple[OnsetRun, ...]
    law: OnsetLaw | None
    reason: str | None
    """Why there is no law."""
    risk: Number
    """Chance that a new run begins before `stop_before`."""
    advice: tuple[OnsetAdvice, ...]
    needed: tuple[OnsetNeed, ...]
