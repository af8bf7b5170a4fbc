"""`remedies.json`: what each remedy did to a model (`rote remedy try`)."""

from __future__ import annotations

from typing import Literal

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
from rote.stats.jackknife import Estimate

Verdict = Literal["helps", "evades", "harms", "undecided"]


def title_of(name: str, setting: str, basis: str) -> str:
    """Return what a remedy is called: name, setting, and what was equal in its training.

    >>> title_of("dedup", "", "equal images")
    'dedup, equal images'
    """
    named = f"{name}:{setting}" if setting else name
    return f"{named}, {basis}" if basis else named


class Judged(Result):
    """What one judge sees before and after, on samples of equal noise seeds."""

    judge: str
    before: CheckedRate
    after: CheckedRate
    difference: CheckedDifference
    """after - before."""
    p_value: Number
    """McNemar's, exact and two-sided."""
    control: Number
    """What the judge says of held-out items."""


class Loss(Result):
    """One statistic of quality, more is better."""

    name: str
    before: Estimate
    after: Estimate
    loss: Estimate
    """before - after, of the same held-out items."""


class MeasuredFile(ResultFile):
    """`measured/<remedy>.json`: its samples beside those of the model; a call goes on from it."""

    kind: Literal["measured"]
    of: tuple[str, ...]
    """Digests of the samples, and the judges: of others it is measured again."""
    rate: CheckedRate | None = None
    """By the first judge, of samples that settings are chosen on."""
    judged: tuple[Judged, ...] = ()
    """By all judges, of samples that a verdict is on."""
    others: tuple[Judged, ...] = ()
    """Of images of captions that were not trained on, of a pipeline."""
    quality: tuple[Loss, ...] = ()


class Setting(Result):
    """A setting that was tried on samples of its own."""

    setting: str
    rate: CheckedRate
    """By the first judge."""
    precision: Number
    coverage: Number
    chosen: bool


class Tried(Result):
    """One remedy."""

    name: str
    kind: Literal["sampling", "data", "training"]
    setting: str
    """The one that was chosen; empty where it has none."""
    basis: str
    """Of a training: "equal images", or "equal exposures" of each distinct image; empty of others."""
    images_trained: Number | None
    """Images that its training has seen, of those of the model itself; None: it trains nothing."""
    verdict: Verdict
    why: str
    audits: tuple[str, ...]
    """Its audit folders, one for each ruler of the judges."""
    judged: tuple[Judged, ...]
    others: tuple[Judged, ...] = ()
    """Of a pipeline: the same of images of captions that it was not trained on."""
    quality: tuple[Loss, ...]
    """Of a pipeline also of images of other captions, which is said in the name."""
    settings: tuple[Setting, ...]
    """Those that were chosen from; empty where there was one."""

    @property
    def title(self) -> str:
        """What it is called."""
        return title_of(self.name, self.setting, self.basis)


class LeftOut(Result):
    """A remedy that is nothing for this model."""

    name: str
    why: str


class RemediesFile(ResultFile):
    """`rote remedy try`."""

    kind: Literal["remedies"]
    model: str
    """The run, the pipeline or the trainer."""
    training: Side
    holdout: Side
    judges: tuple[str, ...]
    """The first is the one that settings were chosen by."""
    count: Positive
    """Samples of each remedy that the verdict is on."""
    selection: Positive
    """Samples of each setting, of other seeds, that settings were chosen on."""
    margin: Number
    """How much of precision and of coverage may be lost."""
    alpha: Number
    """Below which p value a change counts as shown: 0.05 shared by all remedies tried."""
    seed: Count
    before: tuple[str, ...]
    """Audit folders of the model as it is."""
    tried: tuple[Tried, ...]
    left_out: tuple[LeftOut, ...]
