"""Do the runs lie on one falling curve? If not, the interval of the EMM is of a curve that is not there.

The interval of `rote.emm.curve` trusts its shape. Three ways to be off it are held against it, each by
the marginal likelihood of all runs: everything unknown is integrated on a grid, one spread for all runs.

    split    sizes below some size follow one curve, those from it on another: a step, a second rise
    stretch  some neighboring sizes share one rate of their own, uniform in [0, 1]; the rest follow
             the curve
    run      one run has a rate of its own: its training failed, or succeeded by chance

The odds are the mean over the ways of one kind, then over the kinds, divided by the curve's. Above 1 (20
for trainers other than rote's own) the EMM is "unknown". By Markov's inequality odds above k come up in
at most 1 / k of the searches of a curve that is drawn from the prior, whichever sizes were chosen and
whenever the search ended; odds above 1 were counted in 1 to 5 % of them (docs/results/validity.md).

One failed run need not cost the answer: if a single run is by far the likeliest explanation and the
others lie on a curve, it is set aside, and named. The EMM is then that of trainings that worked.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.emm.curve import CurvePosterior, EmmInterval, Observation, fit_curve
from rote.stats.beta_binomial import (
    DIFFUSION,
    ETA,
    ETA_END,
    ETA_STEP,
    SPREADS,
    Floats,
    SlopePrior,
    heights,
    run_log_likelihood,
    slope_spread_prior,
)

Kind = Literal["split", "stretch", "run"]

LEAST_RUNS = 6
"""Fewer hardly outnumber the curve's four unknowns, and are not checked."""
ODDS = 1.0
"""From here on the EMM is unknown: the runs speak more for something else than for the curve."""
OTHER_ODDS = 20.0
"""The same for trainers other than rote's own. Their curves bend in ways that two straight slopes only
come near, and yet the interval was held (`benchmarks/trainer_coverage.py`); odds of 20 are no bend."""
FAILED_ODDS = 30.0
"""A run is set aside where it is so much likelier off the curve than on it."""
RUNS_A_FAILURE = 16
"""No more than one run is set aside, and one for each so many runs."""
STEP, BEYOND = 0.075, 1.5
"""Between nodes of log EMM, and how far beyond the sizes trained they go, in e-folds."""


@dataclass(frozen=True)
class FitCheck:
    """What the runs say of the curve's shape.

    Attributes
    ----------
    odds
        That the runs lie off the curve, against that they lie on it; None: too few runs to tell.
    limit
        Odds above which the curve is not trusted.
    kind, low, high
        The likeliest way off it, and the sizes that it concerns.
    set_aside
        Places of the runs that the EMM leaves out, since they alone lie off it.
    """

    odds: float | None
    kind: Kind | None = None
    low: int | None = None
    high: int | None = None
    set_aside: tuple[int, ...] = ()
    limit: float = ODDS

    @property
    def fits(self) -> bool:
        """Whether the curve may be trusted as far as the runs tell."""
        return self.odds is None or self.odds <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return plain types, four significant digits."""
        return {
            "odds": None if self.odds is None else float(f"{min(self.odds, 1e12):.4g}"),
            "limit": self.limit,
            "kind": self.kind,
            "sizes": None if self.low is None else [self.low, self.high],
        }


@dataclass(frozen=True, eq=False)
class CheckedCurve:
    """A curve, the EMM that may be taken from it, and the check that says whether it may."""

    posterior: CurvePosterior
    emm: EmmInterval
    check: FitCheck


def checked_curve(
    observations: Sequence[Observation],
    *,
    epsilon: float = 0.1,
    reach: tuple[int, int],
    slopes: SlopePrior = DIFFUSION,
    confidence: float = 0.95,
) -> CheckedCurve:
    """Fit the curve, and take its EMM only where the runs lie on it.

    Parameters are those of `rote.emm.curve.fit_curve`.

    >>> rates = {16: 0.99, 23: 0.97, 32: 0.91, 45: 0.72, 64: 0.4, 90: 0.15}
    >>> runs = [Observation(size, round(rate * 1000), 1000) for size, rate in rates.items()]
    >>> checked_curve(runs, reach=(4, 1000)).emm.status
    'bracketed'
    >>> again = [*runs, Observation(128, 950, 1000), Observation(181, 930, 1000)]
    >>> found = checked_curve(again, reach=(4, 1000))
    >>> found.emm.status, found.check.kind
    ('unknown', 'split')
    """
    aside: list[int] = []
    kept = list(range(len(observations)))
    check = first = check_fit(observations, epsilon=epsilon, slopes=slopes)
    while (
        not check.fits and check.set_aside and len(aside) < 1 + len(observations) // RUNS_A_FAILURE
    ):
        aside.append(kept.pop(check.set_aside[0]))
        check = check_fit([observations[i] for i in kept], epsilon=epsilon, slopes=slopes)
    if not check.fits:
        kept, aside = list(range(len(observations))), []
    posterior = fit_curve(
        [observations[i] for i in kept], epsilon=epsilon, reach=reach, slopes=slopes
    )
    emm = posterior.emm(confidence=confidence)
    if not check.fits:
        emm = EmmInterval(None, None, None, "unknown", confidence)
    return CheckedCurve(posterior, emm, replace(first, set_aside=tuple(sorted(aside))))


def check_fit(
    observations: Sequence[Observation], *, epsilon: float, slopes: SlopePrior = DIFFUSION
) -> FitCheck:
    """Return the odds that the runs lie off the curve; ``set_aside``: the run that explains it alone."""
    limit = ODDS if slopes == DIFFUSION else OTHER_ODDS
    if len(observations) < LEAST_RUNS:
        return FitCheck(None, limit=limit)
    order = sorted(
        range(len(observations)),
        key=lambda i: (observations[i].size, observations[i].count, observations[i].total),
    )
    found = _check(tuple(observations[i] for i in order), epsilon, slopes)
    aside = tuple(order[i] for i in found.set_aside)
    return replace(found, set_aside=aside, limit=limit)


@functools.lru_cache(maxsize=32)
def _check(runs: tuple[Observation, ...], epsilon: float, slopes: SlopePrior) -> FitCheck:
    """Weigh every way off the curve; runs are sorted by size."""
    grid = _Grid.of(runs, epsilon, slopes)
    size = np.array([run.size for run in runs])
    ways: dict[Kind, list[tuple[float, npt.NDArray[np.bool_]]]] = {
        "split": [
            (grid.total(grid.curve(size < first) + grid.curve(size >= first)), size >= first)
            for first in np.unique(size)[1:]
        ],
        "stretch": [(grid.off(rows), rows) for rows in _stretches(size)],
        "run": [(grid.off(row), row) for row in np.eye(len(runs), dtype=bool)],
    }
    curve = grid.total(grid.curve(np.ones(len(runs), bool)))
    odds = {
        kind: np.exp(np.minimum([way[0] - curve for way in found], 500))
        for kind, found in ways.items()
        if found
    }
    kind = max(odds, key=lambda kind: float(odds[kind].max()))
    best = int(odds[kind].argmax())
    rows = ways[kind][best][1]
    alone = kind == "run" and odds[kind][best] > FAILED_ODDS
    return FitCheck(
        odds=float(np.mean([found.mean() for found in odds.values()])),
        kind=kind,
        low=int(size[rows].min()),
        high=int(size[rows].max()),
        set_aside=(best,) if alone else (),
    )


def _stretches(size: npt.NDArray[np.int64]) -> list[npt.NDArray[np.bool_]]:
    """Return the runs (n,) of neighboring sizes, for every such stretch of two and more runs but all."""
    different = np.unique(size)
    found = [
        (size >= first) & (size <= last)
        for place, first in enumerate(different)
        for last in different[place:]
    ]
    return [rows for rows in found if 1 < rows.sum() < len(size)]


@dataclass(frozen=True, eq=False)
class _Grid:
    """The likelihood of each run on a grid of the curve's unknowns.

    Attributes
    ----------
    run
        float64 (n, C, A, S): log-likelihood of each run for center, slope of its side, and spread.
    beyond
        bool (n, C): whether the run's size lies beyond the center.
    prior
        float64 (A, A, S): of the two slopes, given the spread.
    spread
        float64 (S,): log prior of the spread.
    own
        float64 (n, S, ETA): log-likelihood of each run at a mean logit of its own.
    """

    run: Floats
    beyond: npt.NDArray[np.bool_]
    prior: Floats
    spread: Floats
    own: Floats

    @staticmethod
    def of(runs: Sequence[Observation], epsilon: float, slopes: SlopePrior) -> _Grid:
        """Lay the grid around the sizes of some runs."""
        ends = math.log(runs[0].size) - BEYOND, math.log(runs[-1].size) + BEYOND
        centers = np.arange(ends[0], ends[1], STEP)
        own = np.array([run_log_likelihood(r.count, r.total, r.bound, r.error) for r in runs])
        away = np.log([run.size for run in runs])[:, None] - centers
        eta = heights(1 - epsilon) - slopes.nodes[:, None] * away[:, :, None, None]
        place = np.clip((eta + ETA_END) / ETA_STEP, 0, len(ETA) - 1.001)
        left = place.astype(np.int64)
        at = left + np.arange(len(SPREADS)) * len(ETA)
        found = np.empty_like(place)
        for one, table, here, share in zip(found, own, at, place - left, strict=True):
            low = table.ravel()[here]
            one[:] = low + share * (table.ravel()[here + 1] - low)
        prior = slope_spread_prior(slopes, slopes.nodes, slopes.nodes)
        spread = prior.sum(axis=(0, 1))
        return _Grid(found, away > 0, prior / spread, np.log(spread), own)

    def curve(self, rows: npt.NDArray[np.bool_]) -> Floats:
        """Return the log evidence (S,) of some runs on one curve, given each spread."""
        run, beyond = self.run[rows], self.beyond[rows]
        sides = [np.einsum("ncas,nc->cas", run, side) for side in (~beyond, beyond)]
        tops = [side.max(axis=1, keepdims=True) for side in sides]
        up, down = (np.exp(s - t).transpose(2, 0, 1) for s, t in zip(sides, tops, strict=True))
        value = (np.matmul(up, self.prior.transpose(2, 0, 1)) * down).sum(axis=2)  # (S, C)
        return _log_mean(np.log(np.maximum(value, 1e-300)) + (tops[0] + tops[1])[:, 0].T)

    def off(self, rows: npt.NDArray[np.bool_]) -> float:
        """Return the log evidence of all runs, those given with a mean rate of their own."""
        from scipy.special import log_expit, logsumexp

        uniform = log_expit(ETA) + log_expit(-ETA) + math.log(ETA_STEP)  # in logits
        own = logsumexp(self.own[rows].sum(axis=0) + uniform, axis=1)
        return self.total(own + self.curve(~rows))

    def total(self, evidence: Floats) -> float:
        """Return the log evidence over all spreads of one that is given each, (S,)."""
        from scipy.special import logsumexp

        return float(logsumexp(evidence + self.spread))


def _log_mean(logs: Floats) -> Floats:
    from scipy.special import logsumexp

    return np.asarray(logsumexp(logs, axis=1) - math.log(logs.shape[1]))
