"""Held-out groups as near to training items as copies, which make the calibrated threshold strict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rote.data.messages import shown
from rote.memorization.audit.per_space import SpaceResult
from rote.memorization.audit.prepare import Prepared
from rote.memorization.criteria import CalibratedCriterion
from rote.memorization.notice import Notice


def of_threshold(
    prepared: Prepared, first: SpaceResult, kept: npt.NDArray[np.int64]
) -> list[Notice]:
    """Return which held-out groups make the calibrated threshold stricter than the ratio's own.

    At a small rate one or two groups of hundreds set it, and with it what is found of copies. ``kept``
    are the held-out items that were measured.
    """
    held, group, holdout = first.held_out, first.held_out_group, prepared.holdout
    rule = next((one for one in first.criteria if one.name == CalibratedCriterion.name), None)
    if rule is None or held is None or group is None or holdout is None:
        return []
    threshold, ratio = rule.description["threshold"], held.scores[rule.score]
    if threshold is None or threshold >= prepared.settings.ratio.threshold:
        return []
    near = np.argsort(ratio, kind="stable")
    near = near[ratio[near] <= threshold]
    rows = near[np.sort(np.unique(group[near], return_index=True)[1])]  # the nearest of each group
    names = [
        f"'{shown(holdout.names[kept[row]])}' (ratio {ratio[row]:.2g} to "
        f"'{shown(prepared.training.names[held.matches.nn1_index[row]])}')"
        for row in rows[:3].tolist()
    ]
    text = (
        f"the calibrated threshold, {threshold:.2g}, is stricter than the ratio's "
        f"{prepared.settings.ratio.threshold:.2g} because items of {len(rows):,} of "
        f"{len(np.unique(group)):,} held-out groups lie that near to training items "
        f"({', '.join(names)}); look at these: what is the same in all scans (a table, a frame, a mark) "
        "hides copies, cut it off all sides; a person of both sides goes to one of them"
    )
    numbers = {"threshold": threshold, "groups": len(rows)}
    return [Notice("calibration", text, numbers, doubtful=False)]
