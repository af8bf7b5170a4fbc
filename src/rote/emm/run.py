"""The runs of a search for the effective model memorization (EMM), and its answer in words.

    EMM = max { N : E[rate at training-set size N] >= 1 - epsilon }        (Gu et al. 2025, def. 3)

A run is one training: a size and a replicate, with its own subset, weights, order and noise. The EMM is
estimated from all runs together (`rote.emm.curve`); here is what one run says by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from rote.emm.curve import EmmInterval, Observation
from rote.emm.fit_check import FitCheck
from rote.results.run import Point, StudyRun
from rote.stats.rates import Rate, wilson

Decision = Literal["at-least", "less", "undecided"]


def observed(run: Point) -> Observation:
    """Return what the estimator takes of a run.

    That is the fresh rate or, of a run that was ended early, a bound on the rate that it would have had.
    """
    seen = run.observation
    return Observation(run.size, seen.count, seen.total, seen.bound, seen.error or 0.0)


def images_sampled(run: Point | StudyRun) -> int:
    """Return how many samples were drawn to score a run."""
    return run.rate.total + sum(snapshot.rate.total for snapshot in run.selection)


def decide(rate: Rate, epsilon: float) -> Decision:
    """Say whether a run's own interval lies at or above 1 - epsilon, below it, or across.

    It speaks for that run alone: another one of the same size may lie elsewhere.
    """
    threshold = round(1 - epsilon, 12)  # as decimals: 1 - 0.7 is not 0.3 in binary
    if rate.low >= threshold:
        return "at-least"
    return "less" if rate.high < threshold else "undecided"


def sentence(
    found: EmmInterval,
    *,
    epsilon: float,
    runs: Sequence[Observation],
    items: str = "images",
    check: FitCheck | None = None,
    others: Mapping[float, EmmInterval] = MappingProxyType({}),
) -> str:
    """Say the result in one sentence, and in a second one which runs it leaves out.

    Parameters
    ----------
    found
        The estimate.
    epsilon
        The epsilon that it is for.
    runs
        Every run.
    items
        What training items are called.
    check
        What the runs say of the curve's shape.
    others
        The estimates for other epsilons, by epsilon: where this one has an open end, the nearest one that
        has none is told.

    >>> found = EmmInterval(43.2, 36.4, 52.1, "bracketed", 0.95)
    >>> runs = [Observation(size, 90, 100) for size in (32, 32, 64)]
    >>> sentence(found, epsilon=0.1, runs=runs)
    'The EMM is about 43 training images (95 % interval 36 to 52, 3 runs of 2 sizes): up to that many the model copies at least 90 % of the time.'
    """  # noqa: E501
    sizes = [run.size for run in runs]
    counted = _counted(len(sizes), len(set(sizes)))
    if found.status == "unknown":
        assert check is not None
        return f"The EMM is not known ({counted}): {_misfit(check, items)}."
    said = _of_the_curve(found, counted, epsilon=epsilon, sizes=sizes, items=items)
    if found.value is None:
        said += _never(runs, epsilon=epsilon, items=items) + _elsewhere(others, epsilon)
    for place in check.set_aside if check else ():
        run = runs[place]
        said += (
            f" Left out: a run of {run.size:,} {items} that copied {run.count} of {run.total} samples, "
            "far off the curve of the others; its training may have failed."
        )
    return said


def _never(runs: Sequence[Observation], *, epsilon: float, items: str) -> str:
    """Say that no run copied so much as the EMM asks, where that is sure of each."""
    if any(
        run.bound == "at-least" or decide(wilson(run.count, run.total), epsilon) != "less"
        for run in runs
    ):
        return ""
    best = max(runs, key=lambda run: run.count / run.total)
    share = f"{100 * best.count / best.total:.3g} %"
    return (
        f" No run copied {100 * (1 - epsilon):g} % of the time; the most was {share}, of {best.size:,} "
        f"training {items}: there may be no such size."
    )


def _elsewhere(others: Mapping[float, EmmInterval], epsilon: float) -> str:
    """Say up to what size the model copies another share of the time."""
    known = [other for other, found in others.items() if found.status == "bracketed"]
    if not known:
        return ""
    nearest = min(known, key=lambda other: abs(other - epsilon))
    found = others[nearest]
    assert found.value is not None and found.low is not None and found.high is not None
    return (
        f" It copies at least {100 * (1 - nearest):g} % of the time up to about {_size(found.value)} "
        f"({_size(found.low)} to {_size(found.high)}; epsilon {nearest:g})."
    )


def _misfit(check: FitCheck, items: str) -> str:
    """Say in what way the runs do not lie on the curve.

    >>> _misfit(FitCheck(8.2, "split", 45, 90), "images")
    'the runs do not lie on one falling curve, at odds of 8.2 to 1 (those from 45 images on follow another one), and an interval would be too narrow; look at the runs, and train more around these sizes'
    """  # noqa: E501
    where = f"{check.low:,}" if check.low == check.high else f"{check.low:,} to {check.high:,}"
    how = {
        "split": f"those from {check.low:,} {items} on follow another one",
        "stretch": f"those of {where} {items} lie off it",
        "run": f"one of {where} {items} lies far off it",
    }[check.kind or "stretch"]
    odds = "more than 1,000" if (check.odds or 0) > 1000 else f"{check.odds:.2g}"
    return (
        f"the runs do not lie on one falling curve, at odds of {odds} to 1 ({how}), and an interval "
        "would be too narrow; look at the runs, and train more around these sizes"
    )


def _of_the_curve(
    found: EmmInterval, counted: str, *, epsilon: float, sizes: Sequence[int], items: str
) -> str:
    share, sure = f"{100 * (1 - epsilon):g} %", f"{100 * found.confidence:g} %"
    if found.status == "bracketed":
        assert found.value is not None and found.low is not None and found.high is not None
        return (
            f"The EMM is about {_size(found.value)} training {items} ({sure} interval "
            f"{_size(found.low)} to {_size(found.high)}, {counted}): up to that many the model "
            f"copies at least {share} of the time."
        )
    one_sided = f"{50 * (1 + found.confidence):g} %"
    if found.status == "above" and found.low is not None:
        return (
            f"The EMM is at least {_size(found.low)} training {items} ({one_sided} confidence, "
            f"{counted}): how much more is not known, since its interval reaches beyond the largest "
            f"size trained, {max(sizes):,}."
        )
    if found.status == "below" and found.high is not None:
        return (
            f"The EMM is at most {_size(found.high)} training {items} ({one_sided} confidence, "
            f"{counted}): how much less is not known, since its interval reaches below the smallest "
            f"size trained, {min(sizes):,}."
        )
    return (
        f"The EMM is not known yet ({counted}): its {sure} interval reaches beyond the sizes trained, "
        f"{min(sizes):,} to {max(sizes):,} {items}."
    )


def _counted(runs: int, sizes: int) -> str:
    """Say how many runs there were.

    >>> _counted(1, 1), _counted(11, 8)
    ('1 run', '11 runs of 8 sizes')
    """
    if runs == 1:
        return "1 run"
    return f"{runs} runs of {sizes} size{'' if sizes == 1 else 's'}"


def _size(size: float) -> str:
    return f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
