"""Authenticity: a generated item that is nearer to a training item than that one is to its own kind.

    score = |x - NN1(x)| / |NN1(x) - its nearest training item of another duplicate group|

not authentic, hence memorized, when score < 1, strictly; the smaller, the more of a copy. *AuthPct* is
the share of authentic items, 1 - rate.

Source: Alaa et al., "How Faithful is your Synthetic Data?" (ICML 2022), section 4.3.

Direction: for each *generated* item its nearest *training* item, never for each training item its nearest
generated one; the numerator and denominator share the training item. Both searches run over the whole
training side: a sample of it moves both distances, by different factors.

Control: AuthPct is not centered on 50 %. Real images that were not trained on score 88 to 90 % in pixel
space on CIFAR-10, since a training item near a random image lies in a crowd; so "percent minus 50" means
nothing, and the rate stands beside that of held-out items. With exact duplicates in the training set the
denominator would be 0 and nothing would ever be flagged; it is taken from another duplicate group.

What it misses: noisy copies of items from a crowd, and it flags faithful samples near outliers. A score
of 0/0 counts as a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.memorization.criteria.criterion import Criterion, Evidence, Scores


@dataclass(frozen=True)
class AuthenticityCriterion(Criterion):
    """The rule; its threshold is part of the definition."""

    threshold: float = 1.0

    name = "authenticity"
    title = "Authenticity"
    words = (
        "Nearer to its nearest training item than that one is to any other. Real items that were not "
        "trained on are flagged often; only the difference to them says something."
    )
    unit = "the distance to the nearest over that of the nearest to its own nearest"
    formula = "|x - NN1| < |NN1 - its nearest training image|"
    source = "Alaa et al. (2022), section 4.3; AuthPct is 1 - rate"

    @property
    def label(self) -> str:
        """What a short table calls it."""
        return "not authentic"

    def score(self, evidence: Evidence) -> Scores:
        """Return the score (N,)."""
        return self.of_distances(evidence.matches.nn1_sq, evidence.spacing_sq)

    def of_distances(self, nn1_sq: npt.NDArray[Any], own_sq: npt.NDArray[Any]) -> Scores:
        """Return the score (N,).

        Parameters
        ----------
        nn1_sq
            Squared distance (N,) of each item to its nearest training item.
        own_sq
            Squared distance (N,) of that training item to the nearest one of another group.

        >>> rule = AuthenticityCriterion()
        >>> rule.of_distances(np.array([4, 16, 0]), np.array([16, 16, 0])).tolist()
        [0.5, 1.0, 0.0]
        """
        near, own = nn1_sq.astype(np.float64), own_sq.astype(np.float64)
        # Squares of 8-bit images are integers below 2^40: near < own gives a root still below 1.
        found = np.where(near > 0, np.inf, 0.0)
        return np.sqrt(np.divide(near, own, out=found, where=own > 0))
