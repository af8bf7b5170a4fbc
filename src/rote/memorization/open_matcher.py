"""The matcher that fits a space, the kind of its items and the invariances asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.memorization.alignment import AlignedMatcher
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher, Reranker
from rote.spaces.gower import Gower
from rote.spaces.space import Space


def open_matcher(
    rows: npt.NDArray[Any],
    *,
    space: Space,
    training: Dataset,
    positions: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    invariances: Invariances,
    device: str,
) -> Matcher:
    """Prepare a training side for matching.

    Parameters
    ----------
    rows
        What is measured of it: its items, or their features.
    space, training
        Where distances are taken, and the side itself.
    positions, group, invariances, device
        As `rote.memorization.matching.Matcher` takes them.
    """
    if space.kind == "pairs":
        return Reranker(rows, positions=positions, group=group, space=space, device=device)
    if training.kind == "series" and invariances.names:
        return AlignedMatcher(rows, positions=positions, group=group, invariances=invariances)
    return Matcher(
        rows,
        positions=positions,
        group=group,
        invariances=invariances,
        device=device,
        gower=Gower.of(training) if space.metric == "gower" else None,
    )
