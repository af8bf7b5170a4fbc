"""Training items matched with the rest of their side: what nearness is usual between groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.progress.work import counted
from rote.core.seeds import child_seed
from rote.data.sampling import drawn_by_content
from rote.memorization.evaluator import CriteriaEvaluator, rows_at_once
from rote.memorization.matching import Matches


def training_matches(
    ruler: CriteriaEvaluator,
    training: npt.NDArray[Any],
    *,
    positions: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    most: int,
    seed: int,
) -> Matches | None:
    """Match up to ``most`` random training items with other groups; None without three groups.

    ``training`` are the items that are drawn by content, whatever the ruler measures of them; ``group``
    (P, N) are the partitions whose parts are kin.
    """
    if any(len(np.unique(part[positions])) < 3 for part in group):
        return None
    drawn = drawn_by_content(training, positions, seed=child_seed(seed, "within"))
    chosen = drawn[:most]
    k, step = min(4, len(positions)), rows_at_once(ruler.training)
    parts = []
    for start in counted(range(0, len(chosen), step), "blocks of training items matched"):
        part = chosen[start : start + step]
        parts.append(ruler.matcher.match(ruler.training[part], k=k, own=group[:, part])[0])
    found = Matches.joined(parts)
    both = np.flatnonzero(found.nn1_index != found.nn2_index)
    return found.take(both) if len(both) else None
