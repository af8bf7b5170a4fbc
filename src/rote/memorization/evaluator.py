"""One measure for all: generated, held-out and degraded images are measured in exactly the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import is_mapped, release_pages
from rote.core.memory import blocks
from rote.core.progress.work import reported
from rote.memorization.criteria import Criterion, Evidence
from rote.memorization.matching import Matcher, Matches, Nearest, Progress, no_progress

QUERY_ROWS = 16384


@dataclass(frozen=True, eq=False)
class Measured:
    """What is read off each item: matches, and a score per criterion, all (N,)."""

    matches: Matches
    scores: dict[str, npt.NDArray[np.float64]]
    unproven: dict[str, npt.NDArray[np.bool_]]
    """Of criteria that look only at some neighbors: items whose verdict the others might change."""

    def __len__(self) -> int:
        return len(self.matches.nn1_index)

    def take(self, rows: npt.NDArray[np.int64]) -> Measured:
        """Return some of the items."""
        return Measured(
            self.matches.take(rows),
            {name: score[rows] for name, score in self.scores.items()},
            {name: mask[rows] for name, mask in self.unproven.items()},
        )

    @staticmethod
    def joined(parts: Sequence[Measured]) -> Measured:
        """Put measured items behind each other."""
        return Measured(
            Matches.joined([part.matches for part in parts]),
            {name: np.concatenate([p.scores[name] for p in parts]) for name in parts[0].scores},
            {n: np.concatenate([p.unproven[n] for p in parts]) for n in parts[0].unproven},
        )


def rows_at_once(items: npt.NDArray[Any]) -> int:
    """Return how many items (N, ...) are measured together."""
    return max(1, min(QUERY_ROWS, blocks().block // max(1, items[:1].nbytes)))


@dataclass(eq=False)
class CriteriaEvaluator:
    """The criteria over prepared training items.

    Attributes
    ----------
    criteria
        As they apply here; those that need it calibrated once the held-out items have been measured.
    matcher
        With the invariances asked for.
    without_tone
        With these but tone, which measures in units of each image's own contrast: for thresholds in
        8-bit levels.
    without_invariances
        For what is compared as it is.
    training
        The items of the training side.
    """

    criteria: tuple[Criterion, ...]
    matcher: Matcher
    without_tone: Matcher
    without_invariances: Matcher
    training: npt.NDArray[Any]

    def measure(self, items: npt.NDArray[Any], *, on_progress: Progress = no_progress) -> Measured:
        """Measure items (N, ...) against the training side, some rows at a time."""
        parts = []
        step = rows_at_once(items)
        with reported("items measured", len(items), on_progress) as reach:
            for start in range(0, len(items), step):

                def report(done: int, _: int, start: int = start) -> None:
                    reach(start + done, len(items))

                # A copy, so that of a file that is mapped into memory only these rows need be there.
                part = items[start : start + step]
                part = np.array(part) if is_mapped(items) else part
                release_pages(items)
                parts.append(self._measure(part, on_progress=report))
        return parts[0] if len(parts) == 1 else Measured.joined(parts)

    def _measure(self, items: npt.NDArray[Any], *, on_progress: Progress) -> Measured:
        k = max(2, *(criterion.matched_neighbors for criterion in self.criteria))
        plain = max(criterion.plain_neighbors for criterion in self.criteria)
        plain = min(plain, len(self.without_invariances))
        if self.without_invariances is self.matcher:
            k = max(k, plain)
        matches, nearest = self.matcher.match(items, k=k, on_progress=on_progress)
        evidence = Evidence(
            items=items,
            training=self.training,
            matches=matches,
            nearest=nearest,
            matcher=self.matcher,
            without_tone=self.without_tone,
            without_invariances=self.without_invariances,
            plain_neighbors=plain,
        )
        scores, unproven = {}, {}
        for criterion in self.criteria:
            if criterion.score_of or criterion.undecided:
                continue
            score = scores[criterion.name] = criterion.score(evidence)
            open_ = criterion.unproven(score, evidence)
            if open_ is not None:
                unproven[criterion.name] = open_
        return Measured(matches, scores, unproven)

    def nearest_in_levels(self, items: npt.NDArray[Any]) -> Nearest | None:
        """Return the nearest of items (N, ...) in 8-bit levels; None where the matches tell it."""
        if self.without_tone is self.matcher:
            return None
        parts = []
        step = rows_at_once(items)
        for start in range(0, len(items), step):
            parts.append(self.without_tone.nearest(np.array(items[start : start + step]), 1))
            release_pages(items)
        return Nearest(
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.sq for part in parts]),
            np.concatenate([part.transform for part in parts]),
        )

    def calibrate(
        self,
        held_out: Measured,
        *,
        confidence: float,
        group: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Set the thresholds that are found from held-out items, from what was measured of these.

        ``group`` (n,) says which of them belong together; None: each stands for itself.
        """
        self.criteria = tuple(
            criterion.calibrated(
                held_out.scores[criterion.score_name], confidence=confidence, group=group
            )
            if criterion.needs_holdout
            else criterion
            for criterion in self.criteria
        )

    def verdicts(self, measured: Measured) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which items are memorized, bool (N,), under each criterion that can be applied."""
        return {
            criterion.name: criterion.verdict(
                measured.scores[criterion.score_name], measured.matches
            )
            for criterion in self.criteria
            if not criterion.undecided
        }
