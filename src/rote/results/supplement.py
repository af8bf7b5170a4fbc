"""What an audit measures beside its rates: quality, definitions over whole sets, rates of groups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rote.results.schema import CheckedRate, Count, Number, Positive, Result
from rote.stats.clustered import ClusteredRate
from rote.stats.jackknife import Estimate

Against = Literal["holdout", "training"]


class Statistics(Result):
    """Quality of one set of items against a reference."""

    frechet: Estimate
    """Frechet distance; less is better."""
    precision: Estimate
    """Items inside the manifold of the reference."""
    recall: Estimate
    """Reference inside the manifold of the items."""
    density: Estimate
    """1 for equal distributions."""
    coverage: Estimate
    """Reference with one of the items in its neighborhood."""


class Available(Result):
    """Items there were to take from."""

    generated: Count
    reference: Count


class Neighborhoods(Result):
    """Neighbors that make a neighborhood."""

    precision: Positive
    """For precision and recall."""
    density: Positive
    """For density and coverage."""


class Quality(Result):
    """How good the generated items are, copied or not."""

    space: str
    against: Against
    """The reference; against its training set a copier is best."""
    count: Positive
    """Items of each set."""
    available: Available | None = None
    distinct: Available | None = None
    """Different items among those taken of each set."""
    dimensions: Positive | None = None
    """Numbers per item."""
    generated: Statistics
    control: Statistics | None
    """Other real items against the same reference."""
    control_of: Against | None
    """What the control is made of."""
    expected_coverage: Number | None = None
    """Of two equal distributions, at this count."""
    neighbors: Neighborhoods | None = None
    seed: int | None = None


class VoronoiCell(Result):
    """A region of the three-sample test."""

    generated: Count
    training: Count
    holdout: Count
    z: Number | None


class ThreeSample(Result):
    """The data-copying test: are generated items nearer to the training set than held-out ones are?"""

    statistic: Estimate
    """C_T; far below 0 is copying."""
    p_value: Number | None = None
    """One-sided, for copying."""
    nearer: Estimate
    """Chance that a generated item lies nearer than a held-out one; 0.5 without copying."""
    z: Number | None = None
    """Of the whole set as one cell."""
    cells: tuple[VoronoiCell, ...] = ()
    control: Number | None
    """C_T of one half of the held-out items against the other; None: too few."""
    draws: tuple[Number, Number] | None = None
    """Independent generated and held-out items that weigh as much: repeats, near-duplicates and what
    `--cluster-by` puts together are one draw."""


class LikelihoodGap(Result):
    """How much likelier the training set is than the held-out one, under the generated items."""

    gap: Estimate
    control: Estimate
    """One half of the held-out items against the other: of fewer items than `gap`, not to be compared."""
    excess: Estimate | None = None
    """The gap of as many generated items as the control has, on the same held-out half, less the
    control; 0 without copying."""
    dimensions: Positive | None = None
    dropped: Count | None = None
    at_floor: Count | None = None
    """Generated items that sit on training items."""


class NearestAccuracy(Result):
    """How well the nearest neighbor tells generated from real items."""

    accuracy: Estimate
    """0.5 for equal distributions; below it is copying."""
    on_generated: Estimate | None = None
    on_real: Estimate | None = None
    count: Positive | None = None
    """Items of each side."""
    distinct: tuple[Count, Count] | None = None
    """Different items among them (generated, real): repeats draw the accuracies to 1."""


class Compared(Result):
    """How many items entered."""

    count: Count
    """Of each side, in the accuracies."""
    generated: Count
    training: Count
    holdout: Count


class Population(Result):
    """One number for the whole set, by several definitions; None where one does not apply."""

    space: str
    three_sample: ThreeSample | None = None
    likelihood_gap: LikelihoodGap | None = None
    accuracy: NearestAccuracy | None = None
    """Generated against training items."""
    accuracy_fresh: NearestAccuracy | None = None
    """Generated against held-out items."""
    accuracy_control: NearestAccuracy | None = None
    """Training against held-out items."""
    likelihood_generated: Count | None = None
    """Generated items that the likelihood was fitted around."""
    compared: Compared
    reasons: dict[str, str] = Field(default_factory=dict)
    """Why a definition is None, by its key."""


def _some(rates: dict[str, ClusteredRate]) -> dict[str, ClusteredRate]:
    for rate in rates.values():
        if not 0 <= rate.low <= rate.value <= rate.high <= 1:
            raise ValueError("rates with their intervals inside 0 to 1")
    return rates


class GroupRate(Result):
    """The rate of one group."""

    name: str
    """Its caption, label or name; untrusted text."""
    rate: CheckedRate


class Clusters(Result):
    """Rates with the caption, the label or another group of the generated side as the unit."""

    by: str
    """`caption`, `label` or `group`."""
    rates: Annotated[dict[str, ClusteredRate], AfterValidator(_some)]
    """By criterion."""
    groups: tuple[GroupRate, ...]
    """Highest first, by the ratio."""


SHOWN = 24
"""Captions that a page lists with pictures."""


class PromptSet(Result):
    """The generated items of some captions."""

    captions: Positive
    """How many different ones."""
    rate: CheckedRate
    """With the caption as the unit where there are several."""
    own: Count
    """Copies of an item that was trained with the caption."""


class TimesInTraining(PromptSet):
    """The generated items of captions that were in training so often."""

    low: Positive
    """From so many times on: items with the caption, each with its repeats."""
    high: Positive
    """Up to so many."""


class OneCaption(Result):
    """The generated items of one caption."""

    text: str
    """Untrusted."""
    rate: CheckedRate
    """Over its samples."""
    own: Count
    """Copies of an item that was trained with it."""
    times: Count
    """In training."""
    example: Count
    """The generated item of the lowest ratio."""
    training: int
    """The first training item with the caption; -1: none."""


class Captions(Result):
    """Rates by the captions of the generated items."""

    training_captions: Count
    """Different captions of the training side; 0: it has none."""
    without: Count
    """Generated items without a caption, which are in no rate here."""
    distinct: Count
    """Different captions of the generated side."""
    sets: dict[Literal["trained", "control", "empty"], PromptSet] = Field(default_factory=dict)
    """Captions in training, those that are not, and the empty one; nothing without training captions."""
    by_times: tuple[TimesInTraining, ...] = ()
    """By how often a caption was in training."""
    captions: tuple[OneCaption, ...] = ()
    """The most copied first, at most 200; all are in `captions.csv`."""


MOST_PICTURED = 12
"""Groups that a page lists with pictures."""


class ReproducedGroup(Result):
    """A group of the training side, such as a patient."""

    name: str
    """Untrusted text."""
    items: Positive
    """Its training items."""
    copies: Count
    """Generated items that are copies of one of them, by the ratio."""
    nearest: Count
    """The generated item of lowest ratio whose nearest training item is of this group."""
    ratio: Number
    """Of that item."""


class Groups(Result):
    """What was reproduced of the groups of the training side."""

    count: Positive
    """Groups among the references."""
    holdout: Count | None
    """Held-out groups in the control; None without a control."""
    reproduced: dict[str, CheckedRate]
    """By criterion: groups of which a generated item is a copy, of all groups."""
    flagged: dict[str, CheckedRate]
    """By criterion: held-out groups with an item that is flagged; empty without a control."""
    top: tuple[ReproducedGroup, ...] = ()
    """Those copied most, then those of lowest ratio; all are in `groups.csv`."""
