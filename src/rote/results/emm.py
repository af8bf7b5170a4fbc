"""`emm.json`: the answer of a search, and all that it rests on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rote.results.criterion import RatioRule, Tolerance
from rote.results.gap import Onset
from rote.results.run import Point
from rote.results.schema import (
    CheckedRate,
    Count,
    Interval,
    Number,
    Positive,
    Result,
    ResultFile,
)
from rote.results.side import Side


class Emm(Result):
    """An EMM with its interval, in training items.

    `bracketed`: the interval lies within the sizes that were trained. Else `value` is None, and `low` or
    `high` (both None where neither is known) is a one-sided bound; `unknown`: the runs do not lie on a
    falling curve, and nothing is said.
    """

    value: Number | None
    low: Number | None
    high: Number | None
    status: Literal["bracketed", "above", "below", "unknown"]
    confidence: Number = 0.95

    @model_validator(mode="after")
    def _is_whole(self) -> Emm:
        numbers = (self.value, self.low, self.high)
        if self.status == "bracketed" and any(x is None or x <= 0 for x in numbers):
            raise ValueError("an EMM with value, low and high above 0, as a bracketed one has")
        return self


class AtEpsilon(Result):
    """Of one epsilon."""

    epsilon: Number


class EpsilonEmm(Emm, AtEpsilon):
    """The EMM for another epsilon, from the same runs."""


class Estimand(Result):
    """What exactly is estimated."""

    text: str
    """In plain words; then the same as keys."""
    subset: Literal["random", "archive"] | None = None
    stratify: bool | None = None
    over: tuple[str, ...] = ()
    """What the expectation runs over."""
    snapshot: Literal["best", "last"] | None = None
    weights: Literal["ema", "raw"] | None = None
    budget: dict[str, Number | None] | None = None
    """Length of a training: `images` seen, or `epochs`."""
    snapshot_images: Positive | None = None
    """Images seen between two snapshots."""
    ratio_threshold: Number | None = None


class SearchPoint(Point):
    """One run of the search."""

    decision: Literal["at-least", "less", "undecided"]
    """This run's own interval against 1 - epsilon."""


class BandRow(Result):
    """The mean rate over runs at one size."""

    size: Number
    rate: Number
    low: Number
    high: Number


class Curve(Result):
    """The mean rate over the training-set size."""

    runs: Positive
    confidence: Number
    logits_per_doubling: Interval
    """Fall around the EMM."""
    spread_between_runs: Interval
    """Standard deviation, in logits."""
    band: tuple[BandRow, ...]


class SetAside(Result):
    """A run that the EMM leaves out: it alone lies off the curve, as a failed training does."""

    size: Positive
    replicate: Count
    rate: Number


class Fit(Result):
    """Whether the runs lie on one falling curve."""

    odds: Number | None
    """That they lie off it, against on it. None: fewer than six runs."""
    limit: Number
    """Odds above which the EMM is unknown."""
    kind: Literal["split", "stretch", "run"] | None
    """The likeliest way off it: two curves, a stretch of sizes with a rate of its own, one run."""
    sizes: tuple[Positive, Positive] | None
    """Smallest and largest size off it; of a split, from the first on the second curve."""
    set_aside: tuple[SetAside, ...]


class Density(Result):
    """The posterior of the logarithm of the EMM at one size."""

    size: Number
    density: Number
    """Per e-fold."""


class Exposures(Result):
    """How often a training item was seen at the EMM; None where the EMM has no such end."""

    value: Number | None
    low: Number | None
    high: Number | None


class HalfWay(Result):
    """The EMM half-way through the training."""

    share: Number
    """Of the training, on average over the runs."""
    emm: Interval


class Budget(Result):
    """The budget that the EMM belongs to."""

    images: Count | None
    """Seen in a whole training; None where its length is in epochs, or not known."""
    epochs: Number | None
    exposures: Exposures | None
    """Its ends are those of the EMM."""
    elasticity: Interval | None
    """d ln EMM / d ln budget, from half of the training to all; 1: twice the one, twice the other."""
    half_way: HalfWay | None
    reason: str | None
    """Why something is None."""
    sentence: str


class GapCalibration(Result):
    """How gap and rate go together."""

    statistic: str
    center: Number
    slope: Number
    scatter: Number
    runs: Positive
    source: str


class WithoutSampling(Result):
    """The EMM from the gaps alone, calibrated on this search's snapshots."""

    emm: Emm | None
    reason: str | None = None
    """Why there is none."""
    statistic: str | None = None
    runs: Count | None = None
    """Runs whose gap it rests on."""
    calibration: GapCalibration | None = None


class RunName(Result):
    """A run of a round."""

    size: Positive
    replicate: Count


class Round(Result):
    """One round: what was trained, and why."""

    runs: tuple[RunName, ...]
    why: str
    emm: Emm | None
    """Before the round."""


class Design(Result):
    """How the search went."""

    epsilon: Number | None = None
    tolerance: Number | None = None
    """Width of the interval that was asked for, in octaves."""
    replicates: Positive | None = None
    max_runs: Positive | None = None
    early_stop: bool | None = None
    budget: dict[str, Number | None] | None = None
    """`images` and `seconds`."""
    sizes: tuple[Positive, ...] = ()
    """Sizes that could be trained."""
    rounds: tuple[Round, ...]
    stopped: str
    """Why no further round began."""

    @field_validator("rounds")
    @classmethod
    def _knows_the_emm(cls, rounds: tuple[Round, ...]) -> tuple[Round, ...]:
        if any(one.emm is None for one in rounds[1:]):
            raise ValueError("a list whose rounds after the first have an emm")
        return rounds


class SizeRate(Result):
    """A control, at one size."""

    size: Positive
    rate: CheckedRate


class Controls(Result):
    """Two measurements whose result is known beforehand."""

    optimum: SizeRate
    """Samples of the theoretical optimum: must be 1."""
    holdout: SizeRate | None
    """Real items outside the subset: near 0. None where there are none."""
    tolerance: Tolerance | None = None
    """Of the ratio against that subset; None in older files."""


class Whole(Result):
    """The same runs without early ends."""

    images_trained: Count
    images_sampled: Count


class FixedGrid(Result):
    """Octaves around the EMM that would have given as narrow an interval, by a simulation."""

    sizes: Annotated[tuple[Positive, ...], Field(min_length=1)]
    repeats: Positive | None
    """Runs of each size; None, as the rest: more than 20."""
    runs: Positive | None
    images_trained: Positive | None


class Cost(Result):
    """What the search cost."""

    images_trained: Count
    images_sampled: Count
    whole: Whole | None = None
    """None, as the next: of a training that is not rote's own."""
    fixed_grid: FixedGrid | None = None
    """None: the interval is open."""
    seconds: Number
    """Alone differs between two runs of one command on one machine."""


class EmmFile(ResultFile):
    """`rote emm`."""

    kind: Literal["emm"]
    emm: Emm
    sentence: str
    """The answer in words."""
    epsilon: Number
    confidence: Number | None = None
    estimand: Estimand
    criterion: RatioRule
    data: Side
    preset: str | None = None
    seed: Count
    points: Annotated[tuple[SearchPoint, ...], Field(min_length=1)]
    """Every run, by size, then replicate."""
    curve: Curve
    fit: Fit | None = None
    """None in older files."""
    budget: Budget | None = None
    """None in older files."""
    posterior: tuple[Density, ...]
    other_epsilons: tuple[EpsilonEmm, ...]
    without_sampling: WithoutSampling | None = None
    design: Design
    controls: Controls
    onset: Onset | None
    """None where no snapshots were scored."""
    config: dict[str, dict[str, Any]]
    """`model`, `train`, `sample` and `search`, as in [the configuration](configuration.md); of a training
    that is not rote's own, `trainer` and `search`."""
    cost: Cost
