"""`audit.json`: what an audit found; and `compare.json`, of two of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from rote.results.criterion import Criterion, PositiveControl, RatioRule, Tolerance
from rote.results.schema import (
    CheckedDifference,
    CheckedRate,
    Count,
    Number,
    Positive,
    Result,
    ResultFile,
)
from rote.results.side import Column, Kind, Side, SourceAccount, items_word
from rote.results.spaces import Agreement, RecallAtRate, SpaceAudit
from rote.results.supplement import Captions, Clusters, Groups, Population, Quality


class Near(Result):
    """Near-duplicates within one side."""

    rms: Number
    """The radius: root mean square difference, in levels of 255 or scaled units."""
    spacing: Number | None = None
    """Typical distance of a training image to the nearest different one (of another group where there
    are groups), in its units; None: unknown."""
    groups: Count
    """Groups of two and more."""
    images: Count
    """Items in these groups."""
    distinct: Count
    """Items when each group counts once."""


class Duplicates(Result):
    """Exact duplicates within the training side."""

    groups: Count
    """Groups of two and more."""
    images: Count
    """Items in these groups."""
    distinct: Count
    """Items when each group counts once."""
    near: Near | None = None
    """Those within the radius."""


class Reproduced(Result):
    """A training item that copies were made of."""

    index: Count
    """Its position in the training side."""
    name: str = ""
    """Its file or number; untrusted text."""
    count: Positive
    """Copies of it."""


class Coverage(Result):
    """What was reproduced of the training side."""

    distinct_references: Count
    """Training items that are the nearest of a copy."""
    distinct_groups: Count | None = None
    """The same, duplicates counted once."""
    references: Positive
    """Training items."""
    top_share: Number | None = None
    """Share of the copies that the 1 % of training items copied most make; None without copies."""
    effective: Number | None = None
    """Equally often copied items that would be as concentrated; None without copies."""
    top: tuple[Reproduced, ...] = ()
    """The most reproduced ones."""


class Control(Result):
    """Held-out items scored as if they had been generated; what they are, as of any side."""

    rate: CheckedRate
    source: str
    digest: str | None = None
    count: Count | None = None
    shape: tuple[Positive, ...] | None = None
    kind: Kind | None = None
    columns: tuple[Column, ...] = ()
    unreadable: Count = 0
    classes: tuple[Any, ...] = ()
    account: SourceAccount | None = None
    window: tuple[Number, Number] | None = None
    groups: Count | None = None
    sample_rate: Positive | None = None

    @property
    def items(self) -> str:
        """What the items are called, in the plural."""
        return items_word(self.kind or "image", self.columns)


class Verdicts(Result):
    """How many generated items got each verdict."""

    memorized: Count
    collapsed: Count | None
    """Not memorized, but near another generated item; None: nobody looked."""
    novel: Count


class Leaks(Result):
    """Held-out items that lie in the training side, or near to it."""

    exact: Count
    """Equal to a training item, and left out of the control."""
    near: Count
    """Within the radius of one; they stay in the control."""
    near_flagged: Count | None = None
    """Those of them that the ratio flags; None in older files, where near ones were left out, too."""
    images: Count
    """Held-out items before."""


class ClassRate(Result):
    """The rate of one class."""

    name: Any = Field("", alias="class")
    """The class; untrusted text."""
    rate: CheckedRate


class Invariances(Result):
    """Under which transforms of the training items distances were taken, too."""

    names: tuple[str, ...] = ()
    """Of `flip`, `shift`, `tone`, `gain` and `polarity`."""
    most_shift: Count = 0
    """Pixels, or times of a series, that an item was moved by at most."""


class Gate(Result):
    """A limit, and on which side of it the whole interval lies."""

    criterion: str
    limit: Number
    decision: Literal["below", "above", "undecided"]
    doubt: str | None = None
    """Why nothing is decided whatever the interval; None: nothing makes the rate doubtful."""
    more_images: Count | None
    """Items that would decide if the rate stayed as it is; None: decided, or no number would."""
    unit: Literal["items", "groups"] = "items"
    """What the limit is a share of: generated items, or groups of the training side."""
    exit_code: int | None = None
    """Of the command: 0 below, 3 above, 4 undecided."""


class Notice(Result):
    """What to know before any rate."""

    topic: str
    """difference (the sides match once one is changed), radius, chains, families, groups, control,
    calibration, overlap, columns."""
    text: str
    """One sentence; arguments in backticks."""
    numbers: dict[str, Any] = Field(default_factory=dict)
    """What it rests on."""
    doubtful: bool = True
    """Whether a gate decides nothing for it."""


class Provenance(Result):
    """How the audit was made; the one part in which two runs of a command differ."""

    created: str
    """When, in UTC, ISO 8601."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of rote, Python and the libraries that figures depend on."""
    command: tuple[str, ...] | None = None
    """The command line; None: from Python."""
    device: str
    """Where neighbors were searched."""
    sources: dict[str, str] = Field(default_factory=dict)
    """By side: the absolute path, where the source is a file or folder here; else its name."""
    options: dict[str, Any] = Field(default_factory=dict)
    """As they were resolved."""


class Autoencoder(Result):
    """What real items were put through before they were measured."""

    name: str
    weights_sha256: str | None = None


class Preprocessing(Result):
    """What was done to all items before they were measured."""

    resolution: Positive | None = None
    """All were brought to this height and width; None: to none."""
    given: tuple[Positive, ...] | None = None
    """Shape of an item before."""
    autoencoder: Autoencoder | None = None


class AuditFile(ResultFile):
    """Rates, controls and everything around them; two runs differ in `provenance` alone."""

    kind: Literal["audit"]
    provenance: Provenance | None = None
    notices: tuple[Notice, ...] = ()
    rate: CheckedRate
    """Share of memorized items under the ratio."""
    criterion: RatioRule
    generated: Side
    training: Side
    duplicates: Duplicates
    coverage: Coverage
    control: Control | None
    """None where none was given."""
    calibrated: Criterion | None = None
    """The entry of `criteria` of that name."""
    excess: CheckedDifference | None = None
    """The rate less that of the control."""
    verdicts: dict[str, Verdicts] = Field(default_factory=dict)
    """By criterion."""
    criteria: tuple[Criterion, ...] = ()
    """The ratio first."""
    collapse: Near | None = None
    """Duplicates within the generated side."""
    holdout_in_training: Leaks | None = None
    set_aside: Count = 0
    """Training items that were left out of the search and used as the control."""
    positive_control: PositiveControl | None = None
    tolerance: Tolerance | None = None
    """Of the ratio in the first space; None where distances have another geometry, and in older files."""
    per_class: tuple[ClassRate, ...] | None = None
    """By the class of the nearest training item."""
    per_label: tuple[ClassRate, ...] | None = None
    """By the label that the generated item was asked for."""
    invariances: Invariances = Invariances()
    seed: int = 0
    gate: Gate | None = None
    """None without a limit."""
    quality: Quality | None = None
    """`--quality`."""
    population: Population | None = None
    """`--population`."""
    groups: Groups | None = None
    """What was reproduced of the groups of the training side (`--group-by`); None: there are none."""
    clusters: Clusters | None = None
    """`--cluster-by`."""
    captions: Captions | None = None
    """None where no generated item has a caption."""
    ruler: Preprocessing | None = None
    spaces: tuple[SpaceAudit, ...] = ()
    """The primary space, told above, first."""
    agreement: Agreement | None = None
    """None with one ruler only."""
    recall_at_rate: RecallAtRate | None = None
    """None without a positive control, or with too few held-out items for the rate."""

    @field_validator("verdicts")
    @classmethod
    def _agree(cls, verdicts: dict[str, Verdicts], info: ValidationInfo) -> dict[str, Verdicts]:
        first, rate = verdicts.get("ratio"), info.data.get("rate")
        if first is not None and rate is not None:
            total = first.memorized + (first.collapsed or 0) + first.novel
            if (first.memorized, total) != (rate.count, rate.total):
                raise ValueError("in agreement with the rate")
        return verdicts


class McNemar(Result):
    """McNemar's exact test of image by image."""

    p_value: Number
    """Two-sided."""
    first_only: Count
    """Memorized in the first alone."""
    second_only: Count
    """Memorized in the second alone."""


class CompareFile(ResultFile):
    """`rote compare`."""

    kind: Literal["compare"]
    criterion: str
    """Whose verdicts were compared."""
    first: CheckedRate
    second: CheckedRate
    difference: CheckedDifference
    """First - second."""
    paired: bool
    """Whether image by image."""
    why: str
    """Why they were, or were not."""
    mcnemar: McNemar | None
    """None if not paired."""
    warnings: tuple[str, ...]
    """What makes the rates differ for another reason than the models."""
    folders: tuple[str, ...] = ()
    """Of the two audits, seen from this file; empty on stdout."""
