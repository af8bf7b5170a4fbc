"""From the finished runs of a study to `study.json`: rates, EMMs, differences, one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rote.emm.curve import CurvePosterior, EmmInterval, Observation
from rote.emm.fit_check import CheckedCurve, checked_curve
from rote.emm.run import images_sampled
from rote.experiments.search.result_file import slopes_of
from rote.experiments.studies.factor import Claim
from rote.experiments.studies.plan import Cell, Plan
from rote.results.run import StudyRun, TrialFile
from rote.stats.beta_binomial import weighted_quantiles
from rote.stats.rate_model import METHOD, RateModel, fit_rates
from rote.stats.rates import Difference

CONFIDENCE = 0.95
NO_ROOM = 0.05
"""Two rates that are both within this of 0, or of 1, cannot show that values are alike."""


def findings(plan: Plan, *, second: bool) -> dict[str, Any]:
    """Return the content of `study.json`, without data, seed and elapsed time.

    Parameters
    ----------
    plan
        The study; all its runs are finished.
    second
        Whether a second source was given.
    """
    results = {
        cell: [result for trial in trials if (result := trial.finished(TrialFile))]
        for cell, trials in plan.trials.items()
    }
    model = fit_rates(
        {c: [(r.rate.count, r.rate.total) for r in found] for c, found in results.items()}
    )
    pairs = plan.pairs()
    # Bonferroni: all intervals of the study hold together with the stated confidence.
    each = 1 - (1 - CONFIDENCE) / max(1, len(pairs))
    effects = [
        _effect(model, first, second_cell, claim, margin=plan.scale.margin, confidence=each)
        for first, second_cell, claim in pairs
    ]
    curves = _curves(plan, results)
    emms = {value: curve.emm for value, curve in curves.items()}
    factor, fixed = plan.factor, plan.factor.key != "size"
    return {
        "kind": "study",
        "study": factor.name,
        "title": factor.title,
        "group": factor.group,
        "question": factor.question,
        "keeps": factor.keeps,
        "scale": plan.scale.name,
        "sentence": sentence(effects),
        "verdict": verdict(effects),
        "paper": {
            "finding": factor.finding,
            "source": factor.source,
            "figures": [
                {"value": value, "size": size, "rate": rate} for value, size, rate in factor.figures
            ],
        },
        "design": {
            "baseline": plan.baseline,
            "values": list(plan.values),
            "sizes": sorted({cell.size for cell in plan.trials}) if fixed else [],
            "seeds": plan.seeds,
            "margin": plan.scale.margin,
            "second_source": second,
        },
        "method": {
            "rates": METHOD,
            "confidence": CONFIDENCE,
            "correction": "Bonferroni",
            "comparisons": len(pairs),
            "each_confidence": round(each, 6),
            "spread_between_runs": dict(
                zip(("value", "low", "high"), (round(x, 3) for x in model.spread()), strict=True)
            ),
        },
        "cells": [_cell(plan, model, cell, found) for cell, found in results.items()],
        "effects": effects,
        "emm": [{"of": value, "emm": found.to_json()} for value, found in emms.items()],
        "emm_ratios": _ratios(
            plan.baseline, {value: curve.posterior for value, curve in curves.items()}, emms
        ),
        "cost": _cost(results),
    }


def _cell(
    plan: Plan, model: RateModel[Cell], cell: Cell, found: Sequence[StudyRun]
) -> dict[str, Any]:
    asked = plan.factor.settings(cell.value)
    return {
        "value": cell.value,
        "size": cell.size,
        "settings": {key: str(value) for key, value in asked.items()},
        "rate": model.rate(cell, confidence=CONFIDENCE).to_json(),
        "runs": [
            run.model_dump(mode="json", exclude={"format_version"}, exclude_unset=True)
            for run in found
        ],
    }


def _effect(
    model: RateModel[Cell],
    first: Cell,
    second: Cell,
    claim: Claim | None,
    *,
    margin: float,
    confidence: float,
) -> dict[str, Any]:
    difference = model.difference(first, second, confidence=confidence)
    known = model.is_known(first) and model.is_known(second)
    decided = None
    if claim is not None:
        means = [model.rate(cell).value for cell in (first, second)]
        decided = judge(difference, claim, margin=margin)
        # Where nothing is memorized, or everything, all values are alike: that says nothing.
        no_room = claim.expect == "like" and (max(means) < NO_ROOM or min(means) > 1 - NO_ROOM)
        if no_room or not known:
            decided = "not decided"
    return {
        "first": {"value": first.value, "size": first.size},
        "second": {"value": second.value, "size": second.size},
        "difference": {key: short(value) for key, value in difference.to_json().items()},
        "known": known,
        "paper": claim.expect if claim else None,
        "verdict": decided,
    }


def judge(difference: Difference, claim: Claim, *, margin: float) -> str:
    """Say whether a difference agrees with what the paper says of the two values.

    "more" and "less" are decided when the interval excludes 0; "like" when the interval lies within the
    margin (agrees) or outside it (disagrees).

    >>> found = Difference(0.3, 0.1, 0.5, 0.95, "")
    >>> [judge(found, Claim("a", "b", e), margin=0.1) for e in ("more", "less", "like")]
    ['agrees', 'disagrees', 'not decided']
    """
    low, high = difference.low, difference.high
    if claim.expect == "like":
        if -margin <= low and high <= margin:
            return "agrees"
        return "disagrees" if low > margin or high < -margin else "not decided"
    if low <= 0 <= high:
        return "not decided"
    return "agrees" if (low > 0) == (claim.expect == "more") else "disagrees"


def verdict(effects: Sequence[dict[str, Any]]) -> str | None:
    """Return what a study says of the paper's claims together; None where the paper makes none."""
    found = [effect["verdict"] for effect in effects if effect["verdict"]]
    if not found:
        return None
    if "disagrees" in found:
        return "disagrees"
    return "agrees" if "agrees" in found and "not decided" not in found else "not decided"


def sentence(effects: Sequence[dict[str, Any]]) -> str:
    """Say in one sentence what the comparisons support, and in a second one which of them say nothing.

    >>> effect = {"first": {"value": "32", "size": 64}, "second": {"value": "8", "size": 64},
    ...     "difference": {"value": 0.6, "low": 0.4, "high": 0.8}, "known": True}
    >>> sentence([effect])
    'At 64 training items, 32 memorizes more than 8: the rate is higher by 0.60 [0.40, 0.80].'
    >>> sentence([effect | {"difference": {"value": 0.1, "low": -0.2, "high": 0.3}}])
    'No effect seen larger than 0.30: every difference between two values is compatible with none.'
    >>> sentence([effect | {"known": False}])
    'Nothing is known yet: the runs of every comparison lie too far apart, as if some took off and some did not; train more of them.'
    """  # noqa: E501
    if not effects:
        return "There is only one value, so nothing is compared."
    known = [effect for effect in effects if effect["known"]]
    apart = "lie too far apart, as if some took off and some did not; train more of them."
    if not known:
        return f"Nothing is known yet: the runs of every comparison {apart}"
    unknown = len(effects) - len(known)
    counted = "1 comparison" if unknown == 1 else f"{unknown} comparisons"
    return _of_known(known) + (f" Runs of {counted} {apart}" if unknown else "")


def _of_known(effects: Sequence[dict[str, Any]]) -> str:
    """Say what comparisons support whose rates are known."""
    clear = [e for e in effects if not e["difference"]["low"] <= 0 <= e["difference"]["high"]]
    if not clear:
        most = max(max(-e["difference"]["low"], e["difference"]["high"]) for e in effects)
        return (
            f"No effect seen larger than {most:.2f}: every difference between two values is compatible "
            "with none."
        )
    # The clearest one: farthest from 0 even at the end of its interval.
    best = max(clear, key=lambda e: max(e["difference"]["low"], -e["difference"]["high"]))
    found, (first, second) = best["difference"], (best["first"], best["second"])
    if found["value"] < 0:
        first, second = second, first
        found = {"value": -found["value"], "low": -found["high"], "high": -found["low"]}
    said = f"by {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    others = len(clear) - 1
    more = ""
    if others:
        counted = (
            "1 other difference also excludes" if others == 1 else f"{others} others also exclude"
        )
        more = f", and {counted} 0"
    if first["size"] != second["size"]:
        return (
            f"{first['size']:,} training items give more memorized samples than {second['size']:,}: "
            f"the rate is higher {said}{more}."
        )
    return (
        f"At {first['size']:,} training items, {first['value']} memorizes more than "
        f"{second['value']}: the rate is higher {said}{more}."
    )


def _curves(plan: Plan, results: Mapping[Cell, Sequence[StudyRun]]) -> dict[str, CheckedCurve]:
    """Fit a curve over the sizes of each value with at least two; of all where size is the factor."""
    if plan.factor.key == "size":
        groups = {"all sizes": list(results)}
    else:
        groups = {v: [cell for cell in results if cell.value == v] for v in plan.values}
    curves = {}
    for value, cells in groups.items():
        sizes = sorted({cell.size for cell in cells})
        if len(sizes) > 1:
            seen = [
                Observation(cell.size, result.rate.count, result.rate.total)
                for cell in cells
                for result in results[cell]
            ]
            reach, slopes = (sizes[0], sizes[-1]), slopes_of(plan.trainer)
            curves[value] = checked_curve(seen, reach=reach, slopes=slopes, confidence=CONFIDENCE)
    return curves


def _ratios(
    baseline: str, curves: dict[str, CurvePosterior], emms: dict[str, EmmInterval]
) -> list[dict[str, Any]]:
    """Return the ratio of each value's EMM to the baseline's, where both lie within the trained sizes."""
    others = [v for v in curves if v != baseline and emms[v].status == "bracketed"]
    if baseline not in curves or emms[baseline].status != "bracketed" or not others:
        return []
    each = 1 - (1 - CONFIDENCE) / len(others)
    tails = np.array([(1 - each) / 2, 0.5, (1 + each) / 2])
    base = curves[baseline]
    found = []
    for value in others:
        away = curves[value].centers[:, None] - base.centers
        mass = curves[value].weight.sum(axis=(1, 2, 3))[:, None] * base.weight.sum(axis=(1, 2, 3))
        low, middle, high = weighted_quantiles(away.ravel(), mass.ravel(), tails)
        found.append(
            {
                "value": value,
                "ratio": {
                    "value": short(math.exp(middle)),
                    "low": short(math.exp(low)),
                    "high": short(math.exp(high)),
                    "confidence": round(each, 6),
                },
            }
        )
    return found


def _cost(results: Mapping[Cell, Sequence[StudyRun]]) -> dict[str, Any]:
    """Sum the costs of the runs; a run that another study trained counts here too."""
    unique = {result.key: result for found in results.values() for result in found}.values()
    return {
        "runs": len(unique),
        "images_trained": sum(
            {r.trained_by or r.key: r.images_trained or 0 for r in unique}.values()
        ),
        "images_sampled": sum(images_sampled(result) for result in unique),
        "run_seconds": round(sum(result.seconds for result in unique), 1),
    }


def short(value: Any) -> Any:
    """Return a float to four significant digits, anything else as it is."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
