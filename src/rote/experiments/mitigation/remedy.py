"""What a remedy is: from a model and a setting to what draws samples, or what to train again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.experiments.mitigation.case import Case
from rote.experiments.trainers.protocol import Sampler

Kind = Literal["sampling", "data", "training"]


@dataclass(frozen=True)
class Retrain:
    """What to train again.

    Attributes
    ----------
    training
        In model units.
    changes
        Of the configuration: "train" and "model".
    distinct
        Distinct images that it shows, for each that the model was shown before: trained for as many
        images each is then seen 1 / distinct times as often, so that is done a second time for as many
        exposures.
    """

    training: Dataset
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    distinct: float = 1.0


Applied = Sampler | Retrain | Dataset


@dataclass(frozen=True)
class Remedy:
    """A remedy.

    Attributes
    ----------
    words
        What it does.
    apply
        From a model and a setting.
    settings
        What is tried where no setting is given; the best is chosen on samples of their own.
    unfit
        Why it is nothing for a model; empty where it is.
    code
        Digest of a person's own function, whose samples are no other one's; None: not known.
    """

    name: str
    kind: Kind
    words: str
    apply: Callable[[Case, str], Applied]
    settings: Callable[[Case], Sequence[str]] = lambda case: ("",)
    unfit: Callable[[Case], str] = lambda case: ""
    code: str | None = ""


def number(name: str, text: str, *, low: float, high: float) -> float:
    """Read a setting that is a number from ``low`` to ``high``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise ConfigError(f"`remedy` {name}:{text}: give a number from {low:g} to {high:g}")
    return value
