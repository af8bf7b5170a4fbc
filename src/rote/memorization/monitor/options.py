"""What the monitor counts as a copy, and how it decides that copying has begun."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from rote.core.errors import ConfigError, RoteWarning
from rote.memorization.criteria import RatioCriterion
from rote.memorization.defaults import CONFIDENCE
from rote.memorization.notice import Notice
from rote.stats.rates import wilson

NULL_RATE = 0.001
"""False positives to expect of the ratio without held-out images: up to this on CIFAR-10."""


@dataclass(frozen=True)
class CopyRule:
    """Which images are memorized, and which are collapsed.

    Attributes
    ----------
    criterion
        The rule; None takes the ratio with c = 1/3 (`RatioCriterion`).
    duplicate_rms
        As for `MemorizationRate`.
    collapse_rms
        Root-mean-square difference per value, in 8-bit levels, up to which two generated images are
        nearly equal; None: ``duplicate_rms``, as in an audit.

    Raises
    ------
    ConfigError
        If a radius is out of range.
    """

    criterion: RatioCriterion | None = None
    duplicate_rms: float | None = None
    collapse_rms: float | None = None

    def __post_init__(self) -> None:
        if self.collapse_rms is not None and not 0 <= self.collapse_rms <= 255:
            raise ConfigError(
                f"collapse_rms is {self.collapse_rms}; it must lie in [0, 255], such as 10"
            )


@dataclass(frozen=True)
class OnsetTest:
    """The test that more is memorized than by the control.

    Attributes
    ----------
    alpha
        Most that the chance of a false alarm may be, over the whole training and all weights.
    null_rate
        The rate to exceed where there is no control, in [0, 1); None takes 0.001.
    confidence
        Of the intervals.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    alpha: float = 0.05
    null_rate: float | None = None
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha is {self.alpha}; it must lie strictly between 0 and 1")
        check_rate("null_rate", self.null_rate)
        wilson(0, 1, confidence=self.confidence)  # says what would else be said after the training

    @property
    def rate(self) -> float:
        """The rate to exceed where there is no control."""
        return NULL_RATE if self.null_rate is None else self.null_rate

    def assumed(self, *, controlled: bool) -> tuple[Notice, ...]:
        """Say, and warn of, what the test assumes where neither a control nor a rate was given."""
        if controlled or self.null_rate is not None:
            return ()
        text = (
            "`begun` rests on an assumption, for want of `holdout`: a model that copies nothing has at "
            f"most {NULL_RATE:g} of its samples look like copies. Where chance likenesses are but 0.003, "
            "most long trainings raise a false alarm; give `holdout`, real images that were not trained "
            "on, or say the rate with `test=OnsetTest(null_rate=...)`, of "
            "`rote.memorization.monitor.options`"
        )
        warnings.warn(text, RoteWarning, stacklevel=3)
        return (Notice("control", text, {"null_rate": NULL_RATE, "assumed": True}, doubtful=False),)


def check_rate(name: str, rate: float | str | None) -> None:
    """Refuse what is no rate to exceed; texts and None are looked at elsewhere."""
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise ConfigError(f"{name} is {rate}; it must lie in [0, 1), such as 0.01")
