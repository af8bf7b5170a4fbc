"""`Criterion`: a rule that turns distances into a verdict per item, and the words that tell of it.

A criterion is one file with one frozen object: its score, its verdict, its numbers and its words. What
knows all criteria takes everything from there: the evaluator, the checks of an audit, the help and the
tables of the command line, the result files, and through these the report.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.defaults import FALSE_POSITIVE_RATE, RATIO_THRESHOLD
from rote.memorization.matching import Matcher, Matches, Nearest
from rote.spaces.space import PIXEL, Space

Scores = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class OwnThreshold:
    """A threshold as it was given.

    Attributes
    ----------
    text
        As it was written.
    space
        The space it is for; None: the only one.
    """

    text: str
    space: str | None
    threshold: float


@dataclass(frozen=True)
class Conditions:
    """Where a criterion is applied, and the numbers that were asked for.

    Attributes
    ----------
    space
        Where distances are taken.
    ratio_threshold, false_positive_rate, own_thresholds
        As they were asked for.
    most_neighbors
        Training items there are, for criteria that then take fewer neighbors; None lets these fail.
    spacing
        Of the training images in levels (`rote.memorization.duplicate_radius`); None: not measured.
    """

    space: Space = PIXEL
    ratio_threshold: float = RATIO_THRESHOLD
    false_positive_rate: float = FALSE_POSITIVE_RATE
    own_thresholds: tuple[OwnThreshold, ...] = ()
    most_neighbors: int | None = None
    spacing: float | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of some items when they are scored.

    Attributes
    ----------
    items
        The items (N, ...).
    training
        All training items, which the indices of neighbors point into.
    matches
        The nearest training item of each and the nearest one of another duplicate group.
    nearest
        At least as many of the nearest as the criterion asked for, under the invariances.
    matcher, without_tone, without_invariances
        To search further: with all invariances, with all but tone, with none.
    plain_neighbors
        How many neighbors without invariances the criteria ask for together.
    """

    items: npt.NDArray[Any]
    training: npt.NDArray[Any]
    matches: Matches
    nearest: Nearest
    matcher: Matcher
    without_tone: Matcher
    without_invariances: Matcher
    plain_neighbors: int

    @property
    def values(self) -> int:
        """Values per item."""
        return int(np.prod(self.items.shape[1:]))

    @cached_property
    def nearest_without_invariances(self) -> Nearest:
        """The nearest training items when nothing is undone."""
        if self.without_invariances is self.matcher:
            return self.nearest
        return self.without_invariances.nearest(self.items, self.plain_neighbors)

    @cached_property
    def nn1_sq_without_tone(self) -> npt.NDArray[Any]:
        """Squared distance (N,) to the nearest, in 8-bit levels also where tones are matched."""
        if self.without_tone is self.matcher:
            return self.matches.nn1_sq
        return self.without_tone.nearest(self.items, 1).sq[:, 0]

    @cached_property
    def spacing_sq(self) -> npt.NDArray[Any]:
        """Squared distance (N,) of each nearest training item to its nearest one of another group."""
        distinct, place = np.unique(self.matches.nn1_index, return_inverse=True)
        return self.matcher.nearest_other_group(self.training[distinct], distinct)[place]


class Criterion(ABC):
    """A rule, and the words that tell of it.

    Attributes
    ----------
    name
        As it is asked for.
    title
        As a page calls it.
    words
        What it is, in a sentence or two for people who do not know it.
    unit
        What its score is.
    formula, source
        When an item is memorized, and where that comes from.
    direction
        Which scores are those of copies; verdicts and the comparison of scores count on it.
    by_default
        Applied also where no criteria are asked for.
    needs_holdout
        Its threshold is found from the scores of held-out items; see `calibrated`.
    images_only, pixels_only
        Cannot be had for vectors; only in the space of the pixels themselves.
    score_of
        The criterion whose score this one puts under another threshold; empty: it has its own.
    threshold_option
        The argument by which another threshold is given; empty: none.
    """

    name: str
    title: str
    words: str
    unit: str
    formula: str
    source: str
    direction = "lower is more of a copy"
    by_default = False
    needs_holdout = False
    images_only = False
    pixels_only = False
    score_of = ""
    threshold_option = ""

    @property
    @abstractmethod
    def threshold(self) -> float | None:
        """Memorized below it; None: there are no verdicts."""

    @property
    def score_name(self) -> str:
        """The name of the criterion whose score it uses."""
        return self.score_of or self.name

    @property
    def label(self) -> str:
        """What a short table calls it, with its numbers."""
        return self.title.lower()

    @property
    def undecided(self) -> str:
        """Why it has no verdicts, and what to do; empty if it has."""
        return ""

    @property
    def matched_neighbors(self) -> int:
        """How many of the nearest under the invariances its score takes."""
        return 2

    @property
    def plain_neighbors(self) -> int:
        """How many of the nearest without invariances its score takes."""
        return 0

    def applied(self, conditions: Conditions) -> Criterion | None:
        """Return the rule as it is under these conditions; None where it makes no sense."""
        if self.pixels_only and conditions.space.kind != "images":
            return None
        return self

    def calibrated(
        self,
        held_out: Scores,
        *,
        confidence: float,
        group: npt.NDArray[np.int64] | None = None,
    ) -> Criterion:
        """Return the rule with a threshold from the scores (n,) of held-out items in groups (n,)."""
        return self

    @abstractmethod
    def score(self, evidence: Evidence) -> Scores:
        """Return the score (N,) of each item."""

    def verdict(self, score: Scores, matches: Matches) -> Verdicts:
        """Return which items (N,) are memorized: those whose score lies below the threshold, strictly."""
        assert self.threshold is not None, self.undecided
        return score < self.threshold

    def unproven(self, score: Scores, evidence: Evidence) -> Verdicts | None:
        """Return the verdicts (N,) that training items not looked at might change; None: none."""
        return None

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of the rule, as plain types."""
        return {"threshold": self.threshold}

    def describe(self) -> dict[str, Any]:
        """Return what it is, as plain types: words and numbers."""
        return {
            "name": self.name,
            "direction": self.direction,
            "title": self.title,
            "label": self.label,
            "words": self.words,
            "unit": self.unit,
            "formula": self.formula,
            "source": self.source,
            **self.numbers(),
        }
