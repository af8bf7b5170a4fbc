"""What the folder of a run holds: `manifest.json`, `point.json`, `trial.json` and their parts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from rote.results.criterion import Tolerance
from rote.results.gap import GapSnapshot
from rote.results.schema import CheckedRate, Count, Number, Positive, Result, ResultFile


class TrainedOn(Result):
    """What a training was given, and how that was read."""

    source: str
    """As it was given: a named set, or a path."""
    folder: str
    """The working folder, to which paths are relative."""
    read: dict[str, Any]
    """The ways of reading that differ from the usual ones, by option."""
    holdout: str | None = None
    """What `rote train --gap` was given to compare with."""


class Manifest(ResultFile):
    """`manifest.json`: what made the files beside it. A command may add keys of its own."""

    model_config = ConfigDict(extra="allow")

    versions: dict[str, str]
    """Of rote, its libraries, Python and the platform; `commit` where rote runs from a checkout."""
    created: str
    """UTC, ISO 8601."""
    seed: int | None = None
    device: str | None = None
    precision: str | None = None
    preset: str | None = None
    data: TrainedOn | None = None
    """`rote train`: what `rote gap` and `rote membership` read again unless told otherwise."""
    seconds: dict[str, Number] | None = None
    """Of each stage, all sessions together."""
    notes: tuple[str, ...] | None = None
    """What a person should know; absent if nothing."""


class Snapshot(Result):
    """A scored snapshot."""

    images_seen: Count
    rate: CheckedRate
    """On the selection sample."""


class Observation(Result):
    """What the estimate took of a run: a count, or a bound on the rate."""

    bound: Literal["exact", "at-least", "at-most"]
    """A training that was ended early only bounds its rate."""
    count: Count
    total: Positive
    error: Number | None = None
    """Chance that the bound is wrong."""


class PointCoverage(Result):
    """What was reproduced of the subset."""

    distinct_references: Count
    """Training items that are the nearest of a copy."""
    references: Positive | None = None
    """Training items."""


class Point(Result):
    """One run of a search."""

    size: Positive
    """Training items."""
    replicate: Count
    """Number among the runs of this size."""
    images_seen: Count
    """By the snapshot that was chosen."""
    images_trained: Count
    """Less than planned where the training was ended early."""
    rate: CheckedRate
    """Of fresh samples of that snapshot."""
    observation: Observation
    selection: tuple[Snapshot, ...]
    """Every snapshot that was scored."""
    gap: tuple[GapSnapshot, ...]
    """To the optimum, of every snapshot where it was measured."""
    coverage: PointCoverage
    run: str
    """Its folder, from that of the search."""
    tolerance: Tolerance | None = None
    """Of the ratio against the run's own training set; None in older files."""
    seconds: Number | None = None
    """Of another's training and its scoring, all calls together; None: rote trained."""


class PointFile(Point, ResultFile):
    """`point.json`, written last: a folder with it is finished."""


class StudyRun(Result):
    """One run of a study."""

    key: str
    """Digest of its inputs, the name of its folder."""
    size: Positive
    replicate: Count
    rows: Positive | None = None
    """Training items, repeated ones counted as often as they are there."""
    rate: CheckedRate
    images_seen: Count
    images_trained: Count | None = None
    selection: tuple[Snapshot, ...]
    """Paper scale only."""
    own_label: Count | None
    """Copies of an item of the label that was asked for; None without labels."""
    repeated: Count | None
    """Copies of items that were there several times; None where none were."""
    distinct_references: Count | None = None
    """Training items that are the nearest of a copy."""
    tolerance: Tolerance | None = None
    """Of the ratio against the run's own training set; None in older files."""
    seconds: Number
    trained_by: str | None = None
    """Key of the run whose training it is: its own, or one that differs in sampling alone."""


class TrialFile(StudyRun, ResultFile):
    """`trial.json`, written last: a folder with it is finished."""


class SelectFile(Snapshot, ResultFile):
    """`select/<images_seen>.json`: the rate of a snapshot."""


class GapSnapshotFile(GapSnapshot, ResultFile):
    """`gap/<images_seen>.json`: the gap of a snapshot."""
