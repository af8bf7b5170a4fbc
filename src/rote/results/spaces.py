"""What an audit says of several spaces: rates in each, how far they agree, what each finds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from rote.results.criterion import Criterion, PositiveControl
from rote.results.schema import CheckedRate, Count, Number, Positive, Result, Share

Square = tuple[tuple[Share | None, ...], ...]
Intervals = tuple[tuple[tuple[Share, Share] | None, ...], ...]


class Space(Result):
    """Where distances are taken. Scores of two spaces compare only where all of this is equal."""

    name: str
    words: str = ""
    """What it is, for people; empty in older files."""
    metric: str
    """`l2` or `cosine`."""
    preprocessing: str
    weights_sha256: str | None = None
    dimension: Positive | None = None
    """Numbers per item."""
    candidates: Positive | None = None
    """Only so many nearest in pixels were looked at; None: all."""
    source: str = ""
    """Of its weights."""
    license: str = ""
    """Of its weights."""


class SpaceAudit(Result):
    """What one space says."""

    space: Space
    criteria: tuple[Criterion, ...]
    positive_control: PositiveControl | None = None


class Ruler(Result):
    """A criterion in a space."""

    space: str
    criterion: str
    rate: CheckedRate
    control: CheckedRate | None = None


class Agreement(Result):
    """How far rulers agree, in squares with one row and one column per ruler.

    Numbers are None where a ruler tells no two items apart, intervals with them.
    """

    rulers: tuple[Ruler, ...]
    spearman: Square
    """Rank correlation of the scores."""
    spearman_interval: Intervals | None = None
    """Its intervals, resampling items."""
    kappa: Square
    """Cohen's kappa of the verdicts."""
    kappa_interval: Intervals | None = None
    """Its intervals, drawing the cells of the 2x2 table."""
    confidence: Number | None = None
    """Of the intervals."""
    unit: str | None = None
    """What the intervals take for independent: `caption` or `label`; null: each item."""
    disputed: Count
    """Generated items on which the verdicts differ."""

    @field_validator("spearman", "spearman_interval", "kappa", "kappa_interval")
    @classmethod
    def _is_square(cls, rows: Any, info: ValidationInfo) -> Any:
        size = len(info.data.get("rulers", ()))
        if rows is not None and {len(rows), *map(len, rows)} != {size}:
            raise ValueError("a square of one row per ruler")
        return rows


class Detector(Result):
    """A score in a space, with the threshold that puts it to the common false-positive rate."""

    space: str
    score: str
    """A criterion's, or `distance`: to the nearest."""
    threshold: Number | None = None


class DetectorCell(Result):
    """Copies made in one way, in one strength, as all detectors find them."""

    corruption: str
    title: str = ""
    """Its name for people; empty in older files, with the next."""
    adjective: str = ""
    """Copies made so, as in `blurred` copies."""
    strength: Number
    unit: str
    recall: tuple[CheckedRate, ...]
    """One per detector."""


class RecallAtRate(Result):
    """What every score finds at one false-positive rate."""

    false_positive_rate: Number
    held_out: Count
    """Held-out items that the thresholds were set on."""
    rulers: Annotated[tuple[Detector, ...], Field(min_length=1)]
    cells: tuple[DetectorCell, ...]

    @field_validator("cells")
    @classmethod
    def _is_complete(
        cls, cells: tuple[DetectorCell, ...], info: ValidationInfo
    ) -> tuple[DetectorCell, ...]:
        if any(len(cell.recall) != len(info.data.get("rulers", ())) for cell in cells):
            raise ValueError("a list with one rate per ruler in each recall")
        return cells
