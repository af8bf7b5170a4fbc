"""What an audit can be asked for: the options and defaults of `rote.audit` and of `rote audit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rote.memorization.defaults import CONFIDENCE, FALSE_POSITIVE_RATE, RATIO_THRESHOLD

if TYPE_CHECKING:
    from rote.memorization.criteria import Conditions, RatioCriterion
    from rote.memorization.criteria.criterion import OwnThreshold
    from rote.memorization.invariances import Invariances
    from rote.spaces.space import Space


@dataclass(frozen=True)
class AuditOptions:
    """What an audit is asked for; `rote.memorization.audit.audit.audit` says what each option means."""

    space: tuple[str | Space, ...] = ("pixel",)
    criterion: tuple[str, ...] | None = None
    ratio_threshold: float = RATIO_THRESHOLD
    false_positive_rate: float = FALSE_POSITIVE_RATE
    duplicate_rms: float | None = None
    invariances: str | Invariances = ""
    set_aside: int = 0
    positive_control: int | None = None
    training_sample: int | None = None
    ruler_resolution: int | None = None
    through_autoencoder: str | None = None
    fail_above: float | None = None
    quality: bool = False
    population: bool = False
    group_by: str | None = None
    fail_above_groups: float | None = None
    cluster_by: str | None = None
    captions: Path | None = None
    seed: int = 0
    confidence: float = CONFIDENCE
    device: str = "auto"


RATIO_ONLY = AuditOptions(
    duplicate_rms=0.0,
    positive_control=0,
    training_sample=0,
    group_by="none",
    cluster_by="none",
)
"""The ratio as it defines the EMM: exact duplicates alone are grouped, whatever groups there are, and
nothing stands beside it."""


@dataclass(frozen=True)
class Settings:
    """The options as they are applied to one data set: read, and completed where they say None.

    Attributes
    ----------
    criteria
        The ratio first.
    gated
        The criterion that a gate is held against: the first that was asked for.
    own_thresholds
        Those that were given with the criterion "absolute".
    spacing
        Typical distance of a training image to the nearest different one, of another group where there
        are groups; None: not measured.
    radius_from_spacing
        Whether ``duplicate_rms`` is taken from the spacing of the training images; it is 0 until then.
    positive_control
        None: as many as there are, up to `rote.memorization.corruptions.default_copies`.
    """

    criteria: tuple[str, ...]
    gated: str
    own_thresholds: tuple[OwnThreshold, ...]
    ratio: RatioCriterion
    duplicate_rms: float
    spacing: float | None
    radius_from_spacing: bool
    invariances: Invariances
    false_positive_rate: float
    set_aside: int
    positive_control: int | None
    training_sample: int | None
    fail_above: float | None
    fail_above_groups: float | None
    seed: int
    confidence: float

    @property
    def has_gate(self) -> bool:
        """Whether a rate is held against a limit."""
        return self.fail_above is not None or self.fail_above_groups is not None

    def conditions(self, space: Space) -> Conditions:
        """Return what criteria may depend on in a space."""
        from rote.memorization.criteria import Conditions

        return Conditions(
            space=space,
            ratio_threshold=self.ratio.ratio_threshold,
            false_positive_rate=self.false_positive_rate,
            own_thresholds=self.own_thresholds,
            spacing=self.spacing,
        )
