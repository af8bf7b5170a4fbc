"""One ruler for all: generated, held-out and degraded images are measured in exactly the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, did_you_mean
from rote.core.mapped_pages import release_pages
from rote.memorization.criteria import (
    AbsoluteCriterion,
    AuthenticityCriterion,
    Calibration,
    CarliniCriterion,
    RatioCriterion,
    TileCriterion,
    calibrate,
    distance_ratio,
)
from rote.memorization.matching import Matcher, Matches, Nearest, Progress, no_progress

QUERY_ROWS = 16384

ABSOLUTE_FORMULAS = {
    "rms": "RMS(x - NN1) < threshold, in 8-bit units",
    "cosine": "1 - cos(x, NN1) < threshold",
    "distance": "|x - NN1| < threshold, in the distance of the space",
}
CRITERIA = ("ratio", "calibrated", "carlini", "tiles", "absolute", "authenticity")


def check_criteria(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the criteria, the ratio always first, each once.

    >>> check_criteria(["carlini"])
    ('ratio', 'carlini')
    """
    for name in names:
        if name not in CRITERIA:
            raise ConfigError(f"`criteria` '{name}' is unknown{did_you_mean(name, CRITERIA)}")
    return tuple(name for name in CRITERIA if name in names or name == "ratio")


@dataclass(frozen=True, eq=False)
class Measured:
    """What the ruler reads off each item: matches, and a score per criterion, all (N,)."""

    matches: Matches
    scores: dict[str, npt.NDArray[np.float64]]
    unproven: npt.NDArray[np.bool_]
    """Items whose verdict by tiles is not proven for the whole training set."""

    def __len__(self) -> int:
        return len(self.matches.nn1_index)

    def take(self, rows: npt.NDArray[np.int64]) -> Measured:
        """Return some of the items."""
        return Measured(
            self.matches.take(rows),
            {name: score[rows] for name, score in self.scores.items()},
            self.unproven[rows],
        )

    @staticmethod
    def joined(parts: Sequence[Measured]) -> Measured:
        """Put measured items behind each other."""
        return Measured(
            Matches.joined([part.matches for part in parts]),
            {name: np.concatenate([p.scores[name] for p in parts]) for name in parts[0].scores},
            np.concatenate([part.unproven for part in parts]),
        )


@dataclass(eq=False)
class CriteriaEvaluator:
    """The criteria over prepared training items.

    Attributes
    ----------
    matcher
        With the invariances asked for.
    without_tone
        With these but tone, which measures in units of each image's own contrast: for thresholds in
        8-bit levels.
    without_invariances
        Tiles are compared as they are.
    training
        The items of the training side.
    calibration
        Set once the held-out items have been measured.
    absolute
        None where no threshold is known for what is measured; the criterion then has no verdicts.
    """

    ratio: RatioCriterion
    names: tuple[str, ...]
    matcher: Matcher
    without_tone: Matcher
    without_invariances: Matcher
    training: npt.NDArray[Any]
    carlini: CarliniCriterion
    tiles: TileCriterion
    calibration: Calibration | None = None
    absolute: AbsoluteCriterion | None = field(default_factory=AbsoluteCriterion)
    authenticity: AuthenticityCriterion = field(default_factory=AuthenticityCriterion)

    def measure(self, items: npt.NDArray[Any], *, on_progress: Progress = no_progress) -> Measured:
        """Measure items (N, ...) against the training side, some rows at a time."""
        parts = []
        for start in range(0, len(items), QUERY_ROWS):

            def report(done: int, _: int, start: int = start) -> None:
                on_progress(start + done, len(items))

            # A copy, so that of a file that is mapped into memory only these rows need be there.
            part = np.array(items[start : start + QUERY_ROWS])
            release_pages(items)
            parts.append(self._measure(part, on_progress=report))
        return parts[0] if len(parts) == 1 else Measured.joined(parts)

    def _measure(self, items: npt.NDArray[Any], *, on_progress: Progress) -> Measured:
        k = self.carlini.neighbors if "carlini" in self.names else 2
        if self.without_invariances is self.matcher and "tiles" in self.names:
            k = max(k, min(self.tiles.neighbors, len(self.matcher)))
        matches, near = self.matcher.match(items, k=k, on_progress=on_progress)
        scores = {"ratio": distance_ratio(matches.nn1_sq, matches.nn2_sq)}
        unproven = np.zeros(len(items), bool)
        if "carlini" in self.names:
            scores["carlini"] = self.carlini.score(near.sq[:, : self.carlini.neighbors])
        if "absolute" in self.names and self.absolute is not None:
            own = self.nearest_in_levels(items)
            sq = matches.nn1_sq if own is None else own.sq[:, 0]
            scores["absolute"] = self.absolute.score(sq, int(np.prod(items.shape[1:])))
        if "authenticity" in self.names:
            beside = self._beside(matches.nn1_index)
            scores["authenticity"] = self.authenticity.score(matches.nn1_sq, beside)
        if "tiles" in self.names:
            wide = min(self.tiles.neighbors, len(self.without_invariances))
            if self.without_invariances is not self.matcher:
                near = self.without_invariances.nearest(items, wide)
            scores["tiles"] = self.tiles.score(items, self.training, near.indices[:, :wide])
            if wide < len(self.without_invariances):
                unproven = self.tiles.unproven(
                    scores["tiles"], near.sq[:, wide - 1], int(np.prod(items.shape[1:]))
                )
        return Measured(matches, scores, unproven)

    def nearest_in_levels(self, items: npt.NDArray[Any]) -> Nearest | None:
        """Return the nearest of items (N, ...) in 8-bit levels; None where the matches tell it."""
        if self.without_tone is self.matcher:
            return None
        parts = []
        for start in range(0, len(items), QUERY_ROWS):
            parts.append(self.without_tone.nearest(np.array(items[start : start + QUERY_ROWS]), 1))
            release_pages(items)
        return Nearest(
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.sq for part in parts]),
            np.concatenate([part.transform for part in parts]),
        )

    def _beside(self, index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return each training item's squared distance to its nearest one of another group, (N,)."""
        distinct, place = np.unique(index, return_inverse=True)
        return self.matcher.nearest_other_group(self.training[distinct], distinct)[place]

    def calibrate(self, ratio: npt.NDArray[np.float64], *, asked: float, confidence: float) -> None:
        """Set the calibrated threshold from the ratios of held-out items."""
        self.calibration = calibrate(ratio, asked=asked, confidence=confidence)

    def verdicts(self, measured: Measured) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which items are memorized, bool (N,), under each criterion that can be applied."""
        matches = measured.matches
        found = {"ratio": self.ratio.memorized(matches.nn1_sq, matches.nn2_sq)}
        if (
            "calibrated" in self.names
            and self.calibration is not None
            and self.calibration.threshold is not None
        ):
            found["calibrated"] = self.calibration.flags(measured.scores["ratio"])
        if "carlini" in self.names:
            found["carlini"] = self.carlini.memorized(measured.scores["carlini"])
        for name, rule in (("absolute", self.absolute), ("authenticity", self.authenticity)):
            if name in self.names and rule is not None:
                found[name] = rule.memorized(measured.scores[name])
        if "tiles" in self.names:
            found["tiles"] = self.tiles.memorized(measured.scores["tiles"])
        return found

    def describe(self, name: str) -> dict[str, Any]:
        """Return what a criterion is, as plain types."""
        calibration = self.calibration.to_json() if self.calibration else None
        known: dict[str, dict[str, Any]] = {
            "ratio": {
                "formula": "|x - NN1| < c |x - NN2|",
                "source": "Yoon et al. (2023); Gu et al. (2025)",
                "threshold": float(self.ratio.fraction),
            },
            "calibrated": {
                "formula": "|x - NN1| / |x - NN2| < t, t from held-out images",
                "source": "the ratio at a chosen false-positive rate (conformal)",
                "threshold": calibration["threshold"] if calibration else None,
                "calibration": calibration,
            },
            "carlini": {
                "formula": "|x - NN1| < alpha * mean |x - y| over the nearest training images y",
                "source": "Carlini et al. (2023), section 5.2",
                "threshold": self.carlini.threshold,
                "alpha": self.carlini.alpha,
                "neighbors": self.carlini.neighbors,
            },
            "tiles": {
                "formula": "max over tiles of RMS(x - y) < threshold, in 8-bit units",
                "source": "Carlini et al. (2023), section 4.2",
                "threshold": self.tiles.threshold,
                "grid": self.tiles.grid,
                "neighbors": self.tiles.neighbors,
            },
            "absolute": {
                "formula": ABSOLUTE_FORMULAS[self.absolute.unit if self.absolute else "rms"],
                "source": self.absolute.source if self.absolute else "no threshold is known here",
                "threshold": self.absolute.threshold if self.absolute else None,
                "preprocessing": self.absolute.preprocessing if self.absolute else None,
            },
            "authenticity": {
                "formula": "|x - NN1| < |NN1 - its nearest training image|",
                "source": "Alaa et al. (2022), section 4.3; AuthPct is 1 - rate",
                "threshold": self.authenticity.threshold,
            },
        }
        return {"name": name, "direction": "lower is more of a copy", **known[name]}
