"""The EMM of a search from its gaps to the optimum, beside the one from its samples.

The snapshots of a search calibrate gap and rate of copies against each other, within one setting and so
without the shifts between settings (`rote.emm.gap_calibration`). The gaps of the scored snapshots then
say where the calibrated gap is crossed. No fresh sample enters, so this is a second opinion: two answers
that lie apart say that the samples or the gap mislead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rote.core.errors import ConfigError
from rote.emm.gap_calibration import GapPoint, GapRate, emm_from_gap, fit_calibration
from rote.results.run import Point

SIGMA = 0.4
"""The noise level at which gap and rate went together best (docs/results/gap.md)."""
MIN_RUNS = 4
SOURCE = "the snapshots of this search, on their selection samples"


def emm_without_sampling(points: Sequence[Point], *, epsilon: float) -> dict[str, Any]:
    """Return the EMM from gaps with its calibration, or the reason why there is none; plain types.

    Taken are the runs that were trained to their end: the gap of one that was ended early says little
    of what it would have become.

    Parameters
    ----------
    points
        The runs of one search.
    epsilon
        The EMM is where the rate falls below 1 - epsilon.

    Returns
    -------
    dict
        ``emm`` (None where there is no answer), ``reason``, ``statistic``, ``runs`` and ``calibration``.
    """
    snapshots, ends = [], []
    sigma = SIGMA
    for point in points:
        gaps = {}
        for entry in point.gap:
            sigma = min(entry.sigmas, key=lambda sigma: abs(sigma - SIGMA))
            place = entry.sigmas.index(sigma)
            gap, error = entry.gap[place], (entry.standard_error or entry.gap)[place]
            if gap and error is not None:  # a perfect 0 has no place on a log scale
                gaps[entry.images_seen] = gap, error
        for snapshot in point.selection:
            if found_gap := gaps.get(snapshot.images_seen):
                rate = snapshot.rate
                snapshots.append(GapRate(point.run, found_gap[0], rate.count, rate.total))
        if point.observation.bound == "exact" and point.images_seen in gaps:
            ends.append(GapPoint(point.size, *gaps[point.images_seen]))
    found: dict[str, Any] = {
        "emm": None,
        "reason": None,
        "statistic": f"gap at sigma {sigma:g}",
        "runs": len(ends),
        "calibration": None,
    }
    if len(ends) < MIN_RUNS:
        found["reason"] = (
            f"{len(ends)} runs were trained to their end with their gap and their snapshots scored; "
            f"{MIN_RUNS} are needed"
        )
        return found
    try:
        calibration = fit_calibration(snapshots, statistic=found["statistic"], source=SOURCE)
        emm = emm_from_gap(ends, calibration, epsilon=epsilon)
    except ConfigError as error:
        found["reason"] = str(error)
        return found
    return found | {"emm": emm.to_json(), "calibration": calibration.to_json()}
