"""Which runs to train next, when a run may stop, and how many samples it deserves.

The next runs are those that are expected to shrink the variance of log EMM most per training image:
for each size, the outcomes that the posterior predicts are gone through, and the variance that would
be left after each is weighed by its probability (the knowledge-gradient of a variance; MacKay 1992,
"Information-based objective functions for active data selection"). Runs of one round are chosen one
after the other, each given what the one before may show, so that workers can train them side by side.

Everything here is a pure function of the runs so far: a campaign that was killed asks for the same
runs when it starts again, and neither workers nor the order in which they finish change anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rote.emm.curve import CurvePosterior, Observation, fit_curve
from rote.stats.beta_binomial import DIFFUSION, SPREADS, SlopePrior, heights
from rote.stats.rates import wilson

PARTICLES = 400
OUTCOME_EDGES = np.linspace(-4.5, 6.5, 12)
PLANNED_SAMPLES = 400
CANDIDATES = 16
WIDEST_STEP = 4.0
"""No size beyond this factor of the trained ones: a posterior far from its data is mostly prior."""

SETTLED_INFORMATION = 30.0
FIRST_SAMPLES = 128
SURE = 0.99
LOGITS_PER_DOUBLING = 4.0
"""Most that the logit of a run's rate is believed to rise while its images seen double. The steepest rise
in our digit campaigns is 3.2 (docs/results)."""
RISE_ERROR = 0.02
HOPELESS_RATE = 0.65
ENDED_LOGIT = -0.5
"""A run that would end below this is ended early, nearly always, and says no more than that it is low."""


@dataclass(frozen=True)
class Proposal:
    """The runs of the next round, as (size, replicate); none when the campaign is done.

    ``posterior`` is None before the first run.
    """

    runs: tuple[tuple[int, int], ...]
    reason: str
    posterior: CurvePosterior | None


def next_runs(
    observations: Sequence[Observation],
    *,
    grid: Sequence[int],
    cost: Callable[[int], float],
    epsilon: float,
    tolerance: float,
    start: int,
    min_runs: int = 4,
    points_per_round: int = 2,
    early_stop: bool = True,
    slopes: SlopePrior = DIFFUSION,
) -> Proposal:
    """Choose the runs of the next round.

    Parameters
    ----------
    observations
        All runs so far; the runs of one size are its replicates 0, 1, ...
    grid
        Sizes that may be trained, ascending (`rote.experiments.search.sizes.size_grid`).
    cost
        Training images of a run of a size.
    epsilon
        The EMM is where the mean rate falls below 1 - epsilon.
    tolerance
        Done when the interval spans its middle by a factor of at most 1 + tolerance both ways.
    start
        Where to begin, if nothing is known.
    min_runs
        Runs below which no interval is believed.
    points_per_round
        Runs chosen together.
    early_stop
        Whether runs that never will reach the EMM are ended early: what they would have shown is then
        not expected of them.
    slopes
        What is believed of the curve's slopes before any run.
    """
    if not observations:
        first = min(range(len(grid)), key=lambda i: abs(grid[i] - start))
        sizes = _first_sizes(grid, first, points_per_round)
        return Proposal(tuple((size, 0) for size in sizes), "the first sizes", None)
    posterior = fit_curve(observations, epsilon=epsilon, reach=(grid[0], grid[-1]), slopes=slopes)
    sizes = [run.size for run in observations]
    low, high = interval_within(posterior, grid)
    narrow = math.log(high / low) <= 2 * math.log1p(tolerance)
    if narrow and len(observations) >= min_runs:
        outside = _untrained_ends(low, high, sizes, grid)
        if not outside:
            return Proposal((), "the interval is as narrow as asked for", posterior)
        chosen, reason = outside[:points_per_round], "to see both ends of the interval"
    else:
        edges = OUTCOME_EDGES[OUTCOME_EDGES >= ENDED_LOGIT] if early_stop else OUTCOME_EDGES
        chosen = _most_telling(posterior, sizes, grid, cost, points_per_round, edges)
        reason = "expected to narrow the interval most"
    return Proposal(_numbered(chosen, sizes), reason, posterior)


def interval_within(
    posterior: CurvePosterior, grid: Sequence[int], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the EMM, cut to the sizes that can be trained."""
    low, _, high = posterior.quantiles(confidence=confidence)
    return max(min(low, grid[-1]), grid[0]), min(max(high, grid[0]), grid[-1])


def enough(count: int, total: int, *, epsilon: float) -> bool:
    """Say whether a run needs no more fresh samples.

    Either its rate is known about as well as runs repeat each other (a standard error of 0.18 logits),
    or it surely lies on one side of 1 - epsilon, where its exact value tells little.
    """
    if total < FIRST_SAMPLES:
        return False
    share = count / total
    if total * share * (1 - share) >= SETTLED_INFORMATION:
        return True
    rate = wilson(count, total, confidence=SURE)
    return rate.low > 1 - epsilon or rate.high < 1 - epsilon


def will_reach(count: int, total: int, *, epsilon: float) -> bool:
    """Say whether a snapshot's rate alone shows that the best snapshot's is at least 1 - epsilon.

    Only for the best snapshot, whose rate is never below another's.
    """
    return wilson(count, total, confidence=SURE).low >= 1 - epsilon / 2


def most_at_the_end(count: int, total: int, *, images_seen: int, images: int) -> float:
    """Return the rate that a run will not pass by its end, wrong with probability `RISE_ERROR`.

    From its rate so far (the upper end of the interval) the logit rises by at most
    `LOGITS_PER_DOUBLING` while the images seen double.
    """
    now = wilson(count, total).high
    logit = math.log(now / (1 - now)) if now < 1 else math.inf
    logit += LOGITS_PER_DOUBLING * math.log2(images / images_seen)
    return 1 / (1 + math.exp(-logit)) if logit < 700 else 1.0


def never_reaches(count: int, total: int, *, images_seen: int, images: int) -> bool:
    """Say whether a run will end so far below the EMM that the rest of its training would tell little."""
    return most_at_the_end(count, total, images_seen=images_seen, images=images) <= HOPELESS_RATE


def _first_sizes(grid: Sequence[int], first: int, count: int) -> list[int]:
    """Return the grid's size at ``first`` and others about an octave apart, as many as there are."""
    sizes = [grid[first]]
    for size in grid[first + 1 :]:
        if len(sizes) < count and size >= 2 * sizes[-1] * 0.99:
            sizes.append(size)
    return sizes


def _numbered(chosen: Sequence[int], trained: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Give each chosen size its next replicate number."""
    seen = list(trained)
    runs = []
    for size in chosen:
        runs.append((size, seen.count(size)))
        seen.append(size)
    return tuple(sorted(runs))


def _untrained_ends(
    low: float, high: float, trained: Sequence[int], grid: Sequence[int]
) -> list[int]:
    """Return sizes at or beyond the ends of the interval where nothing so far out was trained."""
    wanted = []
    if low < min(trained):
        wanted.append(max((size for size in grid if size <= low), default=grid[0]))
    if high > max(trained):
        wanted.append(min((size for size in grid if size >= high), default=grid[-1]))
    return wanted


def _most_telling(
    posterior: CurvePosterior,
    trained: Sequence[int],
    grid: Sequence[int],
    cost: Callable[[int], float],
    count: int,
    edges: npt.NDArray[np.float64],
) -> list[int]:
    """Return the sizes whose runs leave the least variance of log EMM, per training image."""
    center, above, below, spread, height = _particles(posterior)
    candidates = _candidates(posterior, trained, grid)
    outcomes = []
    for size in candidates:
        away = math.log(size) - center
        eta = height - np.where(away > 0, below, above) * away
        outcomes.append(_outcome_probabilities(eta, spread, edges))
    known = np.ones((len(center), 1))
    chosen: list[int] = []
    for _ in range(count):
        left = _variance_left(center, known)
        gains = []
        for size, outcome in zip(candidates, outcomes, strict=True):
            after = _variance_left(center, _joined(known, outcome))
            gains.append((left - after) / cost(size))
        best = int(np.argmax(gains))
        chosen.append(candidates[best])
        # Beyond two runs the table of joint outcomes grows too large: the earliest is let go.
        known = _joined(
            known if known.shape[1] <= outcomes[best].shape[1] else _one, outcomes[best]
        )
    return chosen


_one = np.ones((1, 1))


def _particles(posterior: CurvePosterior) -> tuple[npt.NDArray[np.float64], ...]:
    """Return evenly spaced draws of the posterior: center, both slopes, spread, height at the center."""
    cumulative = np.cumsum(posterior.weight)
    at = (np.arange(PARTICLES) + 0.5) / PARTICLES * cumulative[-1]
    places = np.unravel_index(np.searchsorted(cumulative, at), posterior.weight.shape)
    c, a, b, s = places
    return (
        posterior.centers[c],
        posterior.above[a],
        posterior.below[b],
        SPREADS[s],
        heights(1 - posterior.epsilon)[s],
    )


def _candidates(
    posterior: CurvePosterior, trained: Sequence[int], grid: Sequence[int]
) -> list[int]:
    """Return sizes around the likely EMM, not far beyond the trained ones."""
    low, _, high = posterior.quantiles(confidence=0.99)
    low = max(low / 2, min(trained) / WIDEST_STEP)
    high = min(high * 3, max(trained) * WIDEST_STEP)
    inside = [size for size in grid if low <= size <= high]
    if not inside:
        middle = math.sqrt(low * high)
        return [min(grid, key=lambda size: abs(math.log(size / middle)))]
    if len(inside) <= CANDIDATES:
        return inside
    places = np.linspace(0, len(inside) - 1, CANDIDATES).round().astype(int)
    return [inside[place] for place in places]


def _outcome_probabilities(
    eta: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return P(outcome bin of a run's logit | particle), float64 (particles, bins)."""
    from scipy.special import expit, ndtr

    share = expit(eta)
    noise = np.sqrt(spread**2 + 1 / np.maximum(PLANNED_SAMPLES * share * (1 - share), 1))
    below = ndtr((edges - eta[:, None]) / noise[:, None])
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _joined(
    known: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return (known[:, :, None] * outcome[:, None, :]).reshape(len(outcome), -1)


def _variance_left(center: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]) -> float:
    """Return the expected variance of log EMM once the outcome is known."""
    mass = outcome.sum(axis=0)
    away = center - center.mean()
    first, second = away @ outcome, (away * away) @ outcome
    return float((second - first * first / np.maximum(mass, 1e-12)).sum() / len(center))
