"""What a criterion is and says, and what it finds of copies made on purpose."""

from __future__ import annotations

from pydantic import ConfigDict

from rote.results.schema import CheckedDifference, CheckedRate, Count, Number, Positive, Result


class RatioRule(Result):
    """The ratio as the first criterion of an audit or a search."""

    name: str = "ratio"
    ratio_threshold: Number
    """Memorized where the nearest distance over the second nearest is below it."""
    space: str
    """Where distances are taken."""


class Calibration(Result):
    """How the threshold of the calibrated ratio came to be."""

    threshold: Number | None
    """None: there are too few held-out items for the rate that was asked for."""
    low: Number | None
    """Lower end of the threshold that passes exactly `asked` of all held-out items; None: too few."""
    high: Number | None
    """Upper end of the same."""
    asked: Number
    """The false-positive rate that was asked for."""
    false_positives: tuple[Number, Number] | None = None
    """Interval of the false-positive rate of the threshold found."""
    images: Count
    """Held-out items there were."""
    groups: Count | None = None
    """Held-out groups there were; None where each item stands for itself."""
    needed: Count
    """The fewest (items, or groups where these are counted) from which a threshold can be had."""
    confidence: Number | None = None
    """Of both intervals."""


class Criterion(Result):
    """One criterion: what it is, and what it says. A criterion may add keys of its own."""

    model_config = ConfigDict(extra="allow")

    name: str
    """`ratio`, `calibrated`, `carlini`, `tiles`, `absolute`, `authenticity`, or another."""
    direction: str
    """How to read its score: `lower is more of a copy`."""
    title: str = ""
    """Its name for people; empty in older files, with the next three."""
    label: str = ""
    """Its name in a short table, with its numbers."""
    words: str = ""
    """What it is, for people who do not know it."""
    unit: str = ""
    """Of its score."""
    formula: str
    """When an item is memorized."""
    source: str
    """Where the criterion comes from; of `absolute`, where its threshold does."""
    threshold: Number | None = None
    """None where none is known."""
    calibration: Calibration | None = None
    """`calibrated` only. The control is counted on the items that set it, and so near `asked`."""
    alpha: Number | None = None
    """`carlini` only: the factor of the mean distance."""
    grid: Positive | None = None
    """`tiles` only: tiles each way."""
    neighbors: Positive | None = None
    """`carlini` and `tiles`: how many training items were looked at."""
    preprocessing: str | None = None
    """`absolute` only: that of the space."""
    rate: CheckedRate | None = None
    """None where it could not decide."""
    control: CheckedRate | None = None
    """The same of held-out items; None without them."""
    excess: CheckedDifference | None = None
    """Rate less control."""
    unproven: Count = 0
    """`tiles`: verdicts that items beyond the nearest could change."""


class Tolerance(Result):
    """How far from its source a copy may lie and still be flagged by the ratio, over training items."""

    median: Number
    """Of the sources: root mean square per value, or distance where `unit` says so."""
    quantiles: dict[str, Number]
    """By the share of the sources that lies below: 0.05, 0.25, 0.5, 0.75, 0.95."""
    unit: str
    """`levels` of 255, `spreads` of each column, or `distance` in the space."""
    sources: Positive
    """Training items that were looked at."""

    def in_words(self) -> str:
        """Return the median, and where nine in ten sources lie.

        >>> quantiles = {"0.05": 9.68, "0.25": 12.9, "0.5": 15.6, "0.75": 18.0, "0.95": 21.3}
        >>> Tolerance(median=15.6, quantiles=quantiles, unit="levels", sources=1000).in_words()
        '15.6 levels (9.68 to 21.3 for nine in ten)'
        """
        low, high = self.quantiles.get("0.05"), self.quantiles.get("0.95")
        unit = f" {self.unit}" if self.unit in ("levels", "spreads") else ""
        known = low is not None and high is not None
        spread = f" ({low:.3g} to {high:.3g} for nine in ten)" if known else ""
        return f"{self.median:.3g}{unit}{spread}"


class Cell(Result):
    """Copies made in one way, in one strength."""

    corruption: str
    """`noise`, `blur`, `jpeg`, `shift`, `flip`, `tone`, `resize`, `crop`, `paste`, or another."""
    title: str = ""
    """Its name for people; empty in older files, with the next."""
    adjective: str = ""
    """Copies made so, as in `blurred` copies."""
    strength: Number
    unit: str
    """Of the strength: `levels`, `quality`, `share`, `times`, ..."""
    found: CheckedRate
    """Copies whose nearest training item is their source, or a duplicate of it."""
    predicted: CheckedRate | None = None
    """Copies within the tolerance of their own source: what the ratio would flag of errors in a random
    direction. None where distances have another geometry, and in older files."""
    recall: dict[str, CheckedRate | None]
    """Copies that count as memorized, by criterion."""


class PositiveControl(Result):
    """Copies made on purpose, audited as if generated."""

    copies: Count
    """In each way and strength."""
    cells: tuple[Cell, ...]
