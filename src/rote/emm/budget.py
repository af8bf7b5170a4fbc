"""The budget that an EMM belongs to: exposures of an image at the EMM, and what more training would give.

At a fixed number of images seen an EMM is mostly that number divided by the exposures that an image
needs to be copied. The elasticity d ln EMM / d ln budget says how it goes with the budget. It is read
between half of the training and all of it: the curve of `rote.emm.curve` is fitted to what the runs
showed half-way, and the two posteriors of ln EMM are subtracted. They are taken as independent although
they share their runs, which widens the interval rather than narrowing it.

A model half-way is one of half the budget where nothing in the training depends on its length, as in
rote's own (constant rate after the warm-up, moving average by images seen): the same bytes. Where the
rate falls towards the end, models half-way lag behind, and the elasticity is read too high.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rote.emm.curve import CurvePosterior, EmmInterval, Observation, fit_curve
from rote.results.run import Point
from rote.stats.beta_binomial import SlopePrior, weighted_quantiles

HALF = 0.5
NEAR_HALF = 0.08
"""How far from half a snapshot may lie, as a share of the training."""
FEWEST = 4
"""Runs, of two sizes and more, that a curve half-way is fitted to."""
ALIKE = 0.05
"""Lengths that differ by less are equal: trainings end with a whole batch."""
MOST_ORDERS = 1.5
"""Half-width of an interval of the elasticity from which on it is called not known."""


def budget_of(
    points: Sequence[Point],
    emm: EmmInterval,
    whole: CurvePosterior,
    *,
    reach: tuple[int, int],
    slopes: SlopePrior,
    items: str,
    own: bool,
) -> dict[str, Any]:
    """Return the budget of an EMM as the object that `emm.json` carries under ``budget``.

    Parameters
    ----------
    points
        The runs that the EMM rests on.
    emm, whole
        The EMM, and the curve that it was taken from.
    reach, slopes
        As the curve was fitted.
    items
        What training items are called.
    own
        Whether rote trained.
    """
    found: dict[str, Any] = {
        "images": None,
        "epochs": None,
        "exposures": None,
        "elasticity": None,
        "half_way": None,
        "reason": None,
    }
    length = _length(points)
    if length is None:
        found["reason"] = "the runs do not tell how long a training is"
    elif emm.status == "unknown" or (emm.low is None and emm.high is None):
        found["reason"] = "the EMM itself is not known"
    else:
        found |= length
        found["exposures"] = _exposures(emm, **length)
        half, share = _half_way(points, length)
        if emm.status != "bracketed":
            found["reason"] = "the EMM lies beyond the sizes trained"
        elif share is None:
            found["reason"] = (
                f"fewer than {FEWEST} runs of two sizes were scored half-way through their training"
            )
        else:
            low = fit_curve(half, epsilon=whole.epsilon, reach=reach, slopes=slopes)
            found |= _elasticity(whole, low, share=share, confidence=emm.confidence)
    return {**found, "sentence": _sentence(found, items=items, own=own)}


def _length(points: Sequence[Point]) -> dict[str, float | None] | None:
    """Return the images seen in a whole training, or its epochs; None where whole runs do not tell."""
    runs = [point for point in points if point.observation.bound == "exact"]
    images = np.array([run.images_trained for run in runs], float)
    epochs = images / np.array([run.size for run in runs], float)
    # One pass is what is noted of a command that does not say what it has seen.
    if not runs or bool((images == [run.size for run in runs]).all()):
        return None
    if images.max() <= images.min() * (1 + ALIKE):
        return {"images": int(images.max()), "epochs": None}
    if epochs.max() <= epochs.min() * (1 + ALIKE):
        return {"images": None, "epochs": float(epochs.min())}
    return None


def _exposures(
    emm: EmmInterval, *, images: float | None, epochs: float | None
) -> dict[str, float | None]:
    """Return how often an item was seen at the EMM; with few items each is seen more often."""
    if images is None:
        return {"value": epochs, "low": epochs, "high": epochs}

    def seen(size: float | None) -> float | None:
        return None if not size else float(f"{images / size:.4g}")

    return {"value": seen(emm.value), "low": seen(emm.high), "high": seen(emm.low)}


def _half_way(
    points: Sequence[Point], length: dict[str, float | None]
) -> tuple[list[Observation], float | None]:
    """Return what the runs showed half-way and at what share of the training that was; None: too few."""
    found: list[Observation] = []
    shares: list[float] = []
    for point in points:
        planned = length["images"] or (length["epochs"] or 0) * point.size
        scored = [(one.images_seen / planned, one) for one in point.selection]
        if not scored:
            continue
        share, one = min(scored, key=lambda pair: abs(pair[0] - HALF))
        seen = point.observation
        if abs(share - HALF) <= NEAR_HALF:
            shares.append(share)
            found.append(Observation(point.size, one.rate.count, one.rate.total))
        elif scored[-1][0] < HALF and seen.bound != "exact":
            # Ended before: no less half-way than it was then, or no more than it would have been later.
            bounded = Observation(point.size, seen.count, seen.total, seen.bound, seen.error or 0.0)
            found.append(bounded)
    if len(shares) < FEWEST or len({run.size for run in found}) < 2:
        return [], None
    return found, math.exp(sum(map(math.log, shares)) / len(shares))


def _elasticity(
    whole: CurvePosterior, half: CurvePosterior, *, share: float, confidence: float
) -> dict[str, Any]:
    """Return the elasticity between two curves, and the EMM half-way."""
    away = (whole.centers[:, None] - half.centers) / -math.log(share)
    mass = whole.mass[:, None] * half.mass
    tails = np.array([0.5, (1 - confidence) / 2, (1 + confidence) / 2])
    value, low, high = weighted_quantiles(away.ravel(), mass.ravel(), tails)
    bottom, middle, top = half.quantiles(confidence=confidence)
    emm = {"value": middle, "low": bottom, "high": top}
    if high - low > 2 * MOST_ORDERS:
        return {"reason": "the runs tell too little of half the training"}
    return {
        "elasticity": {"value": _short(value), "low": _short(low), "high": _short(high)},
        "half_way": {"share": _short(share), "emm": {k: _short(x) for k, x in emm.items()}},
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _sentence(found: dict[str, Any], *, items: str, own: bool) -> str:
    """Say the budget in one sentence.

    >>> emm = {"value": 1804.0, "low": 1690.0, "high": 1930.0}
    >>> found = {"images": 76800, "epochs": None, "exposures": emm, "reason": None}
    >>> found["elasticity"] = {"value": 0.8, "low": 0.5, "high": 1.1}
    >>> _sentence(found, items="images", own=True)
    "At this budget of 76,800 images seen, a training set of the EMM's size is seen about 1,800 times; twice the training gives about 1.7 times the EMM (1.4 to 2.1), if it goes on as from half of the training to all of it."
    """  # noqa: E501
    exposures, elasticity = found["exposures"], found["elasticity"]
    if exposures is None:
        return f"Of the budget nothing can be said: {found['reason']}."
    if found["images"] is None:
        said = (
            f"At this budget of {found['epochs']:,.4g} epochs every size sees each item that often"
        )
    else:
        said = (
            f"At this budget of {found['images']:,} {items} seen, a training set of the EMM's size is "
            f"seen {_times(exposures)}"
        )
    if elasticity is None:
        return f"{said}; how the EMM goes with the budget is not known: {found['reason']}."
    value, low, high = (2 ** elasticity[key] for key in ("value", "low", "high"))
    unsure = "" if own else ", and a model half-way is like one of half the training"
    return (
        f"{said}; twice the training gives about {value:.2g} times the EMM ({low:.2g} to {high:.2g}), "
        f"if it goes on as from half of the training to all of it{unsure}."
    )


def _times(exposures: dict[str, float | None]) -> str:
    value, low, high = (exposures[key] for key in ("value", "low", "high"))
    if value is not None:
        return f"about {float(f'{value:.2g}'):,.0f} times"
    if high is not None:
        return f"at most {float(f'{high:.2g}'):,.0f} times"
    return f"at least {float(f'{low:.2g}'):,.0f} times"
