"""The generalization gap of the feature likelihood: is the training set likelier than fresh data?

Every generated item is the center of a round Gaussian, its variance fitted so that the training set is
most likely; a generated copy then sits on its training item with a tiny variance.

    p(x) = 1/m sum_j N(x | g_j, v_j I),   v = argmax sum_{x in training} log p(x)
    gap  = 100 (NLL(training) - NLL(holdout)),   NLL = -mean log p / d

in nats per dimension, times 100. The more negative, the more copying; near its control: none.

Source: Jiralerspong et al., "Feature Likelihood Divergence: Evaluating the Generalization of Generative
Models Using Samples" (NeurIPS 2023), section 3 and their metric `gap`. As there, features are shifted and
scaled to the held-out set's mean 0 and deviation 1. Otherwise than there: the variances are fitted by
expectation maximization, which needs no step size and never falls; no extra Gaussian at the origin takes
part; variances stay above `FLOOR`, which is what the gap of an exact copy is made of; features that are
constant over the held-out set are dropped, and counted.

Direction: the training set fits the variances and both sets are scored under the *generated* centers.
Swapping training and held-out items turns the sign, and refits.

Control: the gap of held-out items as centers, half of them, scored against the other half. It is not 0:
the variances were fitted to the training set, so even fresh centers favor it, the more the more there
are. Read `excess`: the gap of as many generated items as the control has centers, scored against the
same half, less the control, all in units of the training set. Where there are more generated items it
is the mean over parts of them. Without copying it is 0 on average; `gap` and `control` are of different
numbers of centers.

Interval: over the draw of training and held-out items, with the generated ones as they are (two means of
independent items, equal ones as one draw).

What it misses: in many dimensions the likelihood is a nearest-neighbor distance in disguise, and a few
exact copies outweigh everything else: it is no share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError
from rote.core.seeds import child_seed
from rote.data.duplicates import exact_duplicates
from rote.stats.jackknife import Estimate, mean_variance, normal_interval

FLOOR = 1e-4
"""Smallest variance of a Gaussian, in units of the features' own: a hundredth of their deviation."""
ROUNDS = 50
MOST_CELLS = 4 * 10**8
"""Training items x generated items whose distances are held at once (float32: 1.6 GB)."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LikelihoodGap:
    """The gap with its control.

    Attributes
    ----------
    gap
        100 (NLL of the training set - NLL of the held-out one), per dimension.
    control
        The same of held-out items in place of generated ones.
    excess
        The gap at as many centers as the control has, less the control: what the generated items add.
    dimensions, dropped
        Features that vary over the held-out set, and those that do not.
    at_floor
        Generated items whose variance ended at the floor: they sit on training items.
    """

    gap: Estimate
    control: Estimate
    excess: Estimate
    dimensions: int
    dropped: int
    at_floor: int

    def to_json(self) -> dict[str, Any]:
        """Return the gap as plain types."""
        return asdict(self)


def likelihood_gap(
    generated: npt.NDArray[Any],
    training: npt.NDArray[Any],
    holdout: npt.NDArray[Any],
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> LikelihoodGap:
    """Return how much likelier the training set is than the held-out one under the generated items.

    Parameters
    ----------
    generated, training, holdout
        (N, ...) of one item shape; the whole training set. Generated items beyond what fits
        (`MOST_CELLS`) are refused, for they may be sampled and the training set may not.
    seed
        Of the halves of the control.
    confidence
        Of the intervals.

    Raises
    ------
    DataError
        If a side has fewer than 4 items, or nothing varies over the held-out set.
    ConfigError
        If there are too many items for the memory.
    """
    sides = [np.asarray(s.reshape(len(s), -1), np.float64) for s in (generated, training, holdout)]
    if min(len(side) for side in sides) < 4:
        raise DataError("the likelihood gap needs at least 4 items on each side")
    if len(training) * len(generated) > MOST_CELLS:
        raise ConfigError(
            f"the likelihood gap of {len(generated):,} generated and {len(training):,} training items "
            f"needs more than 2 GB; give at most {MOST_CELLS // len(training):,} generated ones"
        )
    mean, deviation = sides[2].mean(0), sides[2].std(0)
    varies = deviation > 0
    if not varies.any():
        raise DataError("no feature varies over the held-out items")
    made, trained, fresh = ((s[:, varies] - mean[varies]) / deviation[varies] for s in sides)
    rng = np.random.default_rng(child_seed(seed, "bootstrap", 4))
    halves = rng.permutation(len(fresh)) % 2
    centers, scored = fresh[halves == 0][: len(made)], fresh[halves == 1]
    own, variances = _gap([made], trained, fresh)
    # In units of the training set, fresh centers and fresh generated items can be exchanged.
    unit = np.where(trained.std(0) > 0, trained.std(0), 1)
    made, trained, centers, scored = (s / unit for s in (made, trained, centers, scored))
    control, _ = _gap([centers], trained, scored)
    order, size = rng.permutation(len(made)), len(centers)
    parts = [made[order[start : start + size]] for start in range(0, len(made) - size + 1, size)]
    equal, _ = _gap(parts, trained, scored)
    excess = equal[0] - control[0]

    def interval(value: float, error: float) -> Estimate:
        return normal_interval(
            value, error, confidence=confidence, method="two means, generated items fixed"
        )

    return LikelihoodGap(
        gap=interval(*own),
        control=interval(*control),
        excess=interval(excess, math.hypot(equal[1], control[1])),
        dimensions=int(varies.sum()),
        dropped=int((~varies).sum()),
        at_floor=int((variances <= FLOOR).sum()),
    )


def _gap(
    parts: Sequence[Floats], training: Floats, holdout: Floats
) -> tuple[tuple[float, float], Floats]:
    """Return the mean gap of several sets of centers with its standard error, and the variances."""
    dimension = training.shape[1]
    seen, fresh, fitted = np.zeros(len(training)), np.zeros(len(holdout)), []
    for centers in parts:
        near = sq_distances(training, centers)
        variances = fit_variances(near, dimension)
        seen += log_likelihood(near, variances, dimension) / (dimension * len(parts))
        far = sq_distances(holdout, centers)
        fresh += log_likelihood(far, variances, dimension) / (dimension * len(parts))
        fitted.append(variances)
    value = 100 * (float(fresh.mean()) - float(seen.mean()))
    error = 100 * math.sqrt(
        mean_variance(fresh, exact_duplicates(holdout).group)
        + mean_variance(seen, exact_duplicates(training).group)
    )
    return (value, error), np.concatenate(fitted)


def sq_distances(items: Floats, centers: Floats) -> npt.NDArray[np.float32]:
    """Return squared distances float32 (N, M), summed in float64, never below 0."""
    own, other = np.square(items).sum(1), np.square(centers).sum(1)
    found = np.empty((len(items), len(centers)), np.float32)
    for start in range(0, len(items), 1024):
        part = slice(start, start + 1024)
        sq = own[part, None] + other - 2 * items[part] @ centers.T
        found[part] = np.maximum(sq, 0)
    return found


def fit_variances(sq: npt.NDArray[np.float32], dimension: int, *, rounds: int = ROUNDS) -> Floats:
    """Return the variances (M,) under which items at squared distances (N, M) are likeliest.

    Expectation maximization, centers and equal weights fixed: v_j = sum_i r_ij sq_ij / (d sum_i r_ij).
    """
    # Where each center would be if it had its nearest item to itself.
    variances = np.maximum(sq.min(axis=0).astype(np.float64) / dimension, FLOOR)
    for _ in range(rounds):
        mass, moment = np.zeros(sq.shape[1]), np.zeros(sq.shape[1])
        for start in range(0, len(sq), 1024):
            part = sq[start : start + 1024].astype(np.float64)
            terms = _terms(part, variances, dimension)
            terms -= terms.max(axis=1, keepdims=True)
            share = np.exp(terms, out=terms)
            share /= share.sum(axis=1, keepdims=True)
            mass += share.sum(axis=0)
            moment += (share * part).sum(axis=0)
        # A center that explains nothing keeps the variance it has.
        fitted = np.divide(moment, dimension * mass, out=variances.copy(), where=mass > 1e-12)
        fitted = np.maximum(fitted, FLOOR)
        settled = float(np.abs(np.log(fitted / variances)).max()) < 1e-4
        variances = fitted
        if settled:
            break
    return variances


def log_likelihood(sq: npt.NDArray[np.float32], variances: Floats, dimension: int) -> Floats:
    """Return log p (N,) of items at squared distances (N, M) from the centers."""
    from scipy.special import logsumexp

    return np.concatenate(
        [
            logsumexp(_terms(sq[i : i + 1024].astype(np.float64), variances, dimension), axis=1)
            for i in range(0, len(sq), 1024)
        ]
    )


def _terms(sq: Floats, variances: Floats, dimension: int) -> Floats:
    """Return log(1 / M N(x_i | g_j, v_j)), (N, M)."""
    height = -0.5 * dimension * np.log(2 * math.pi * variances) - math.log(len(variances))
    found: Floats = height - sq / (2 * variances)
    return found
