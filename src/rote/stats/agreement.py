"""How sure agreement between rulers is: intervals of Cohen's kappa and of Spearman's correlation.

Both are of the images that a model would go on to make, of which the audited ones are a sample:
independent images, as Wilson's interval takes them, or clusters of them, many samples of one prompt.

**Kappa** depends on the 2x2 table of verdicts alone. Resampling images would resample that table, and
where no image was told apart every resample would say 1 again: 60 equal verdicts would prove full
agreement. So the shares of the four cells are drawn from Dirichlet(counts + 1/2), the Bayesian bootstrap
(Rubin 1981) under Jeffreys' prior, whose intervals of a binomial share hold near 0 and 1 as Wilson's do
(Brown, Cai and DasGupta 2001). The interval is that of percentiles, and as there it is carried on to 1
where nothing disagrees, and to the value wherever the value lies outside.

**Spearman's correlation**: percentiles over resampled images, ranks taken anew in each resample. Scores
have ties (exact copies are 0, verdicts of tables repeat) and are mixtures of copies and others; under
ties the bootstrap usually covers as well as the closed form of Bonett and Wright (2000) or better (Ruscio
2008), which was made for continuous scores. Where two orders are the same in every image it is [1, 1]:
that the sample has no exchange says nothing of rare ones.

**Clusters.** What each image adds to the statistic, its influence, says as how many independent images
the clusters count (`rote.stats.clustered.effective_items`). The cells of kappa are drawn from so many,
at their shares; the interval of the correlation is stretched about its value, on Fisher's scale, by the
root of the design effect.

Images are resampled in an order that their scores decide, so that the order of files changes nothing.

Sources: Rubin, "The Bayesian bootstrap", Annals of Statistics 9 (1981); Brown, Cai and DasGupta,
"Interval estimation for a binomial proportion", Statistical Science 16 (2001); Ruscio, "Constructing
confidence intervals for Spearman's rank correlation with ordinal data", J. Modern Applied Statistical
Methods 7 (2008); Bonett and Wright, Psychometrika 65 (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.seeds import child_seed
from rote.stats.clustered import effective_items

RESAMPLES = 1000
FEW_RESAMPLES, FEW_FROM = 200, 30_000
"""So many are enough where there are so many images that intervals are narrow anyway."""
BLOCK = 2**21
"""Ranks held at once: 16 MiB a copy."""
KAPPA, SPEARMAN = 0, 1
"""The two uses of randomness, as keys of the seed."""

Interval = tuple[float, float]


def kappa_interval(
    a: npt.NDArray[np.bool_],
    b: npt.NDArray[np.bool_],
    *,
    seed: int,
    confidence: float = 0.95,
    cluster: npt.NDArray[np.int64] | None = None,
) -> Interval | None:
    """Return the interval of Cohen's kappa of verdicts (N,) and (N,); None where kappa is not known.

    ``cluster``, int64 (N,), says which images are of one cluster; None: each is its own.

    >>> yes = np.arange(60) < 6
    >>> low, high = kappa_interval(yes, yes, seed=0)
    >>> high, 0.6 < low < 0.9
    (1.0, True)
    """
    cells = verdict_table(a, b)
    value = float(kappa_of(cells))
    if np.isnan(value):
        return None
    counts = cells.astype(np.float64)
    if cluster is not None:
        which = np.where(a, np.where(b, 0, 1), np.where(b, 2, 3))
        counts *= effective_items(_kappa_influence(cells)[which], cluster) / len(a)
    rng = np.random.default_rng(child_seed(seed, "bootstrap", KAPPA))
    drawn = kappa_of(rng.standard_gamma(counts + 0.5, size=(RESAMPLES, 4)))
    low, high = _percentiles(drawn, confidence)
    if value == 1:
        high = 1.0
    return min(low, value), max(high, value)


def verdict_table(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return how many images both rulers flag, the first alone, the second alone, and neither, (4,)."""
    return np.array([(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()])


def kappa_of(cells: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return Cohen's kappa (...) of tables (..., 4) as `verdict_table` has them; NaN where unknown.

    Of counts, both sides of the fraction are exact, so that 1 is 1.
    """
    both, first, second, neither = np.moveaxis(cells, -1, 0)
    by_chance = (both + first) * (first + neither) + (both + second) * (second + neither)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * (both * neither - first * second) / by_chance)


def _kappa_influence(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return by how much one more image in each cell of a table (4,) moves kappa, up to a factor."""
    both, first, second, neither = cells.astype(np.float64)
    a, not_a, b, not_b = both + first, second + neither, both + second, first + neither
    agree = 2 * np.array([neither, -second, -first, both])
    by_chance = np.array([not_b + not_a, not_b + a, not_a + b, a + b])
    return np.asarray(agree - float(kappa_of(cells)) * by_chance)


def spearman_intervals(
    scores: Sequence[npt.NDArray[np.float64]],
    *,
    seed: int,
    confidence: float = 0.95,
    cluster: npt.NDArray[np.int64] | None = None,
) -> list[list[Interval | None]]:
    """Return the interval of the rank correlation of every pair of scores.

    Parameters
    ----------
    scores
        (N,) each, of the same images.
    seed
        Root seed; the resamples are those of its child.
    confidence
        Two-sided confidence in (0, 1).
    cluster
        int64 (N,): which images are of one cluster; None: each is its own.

    Returns
    -------
    list
        A symmetric square; None where a score is constant.

    >>> found = spearman_intervals([np.arange(50.0), np.arange(50.0) ** 2, np.zeros(50)], seed=0)
    >>> found[0]
    [(1.0, 1.0), (1.0, 1.0), None]
    """
    from scipy.stats import rankdata

    orders = np.stack([rankdata(score, method="dense") for score in scores]).astype(np.int64)
    _, first, inverse = np.unique(orders, axis=0, return_index=True, return_inverse=True)
    # The rulers as they come: sorted by their scores they would stand as the order of the images has it.
    distinct, place = orders[np.sort(first)], np.argsort(np.argsort(first))[inverse]
    # Images with equal scores throughout can be exchanged, so this order is a function of the scores.
    distinct = distinct[:, np.lexsort(distinct)]
    drawn = np.empty((0, 0, 0))
    if len(distinct) > 1:
        drawn = _resampled(distinct, seed=child_seed(seed, "bootstrap", SPEARMAN))
    constant = (distinct == distinct[:, :1]).all(axis=1)
    size = len(scores)
    found: list[list[Interval | None]] = [[None] * size for _ in range(size)]
    for i in range(size):
        for j in range(size):
            a, b = int(place.ravel()[i]), int(place.ravel()[j])
            if constant[a] or constant[b]:
                continue
            if a == b:
                found[i][j] = (1.0, 1.0)
                continue
            own = _percentiles(drawn[:, a, b], confidence)
            found[i][j] = own if cluster is None else _stretched(own, scores[i], scores[j], cluster)
    return found


def _stretched(
    interval: Interval,
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    cluster: npt.NDArray[np.int64],
) -> Interval:
    """Return the interval of the rank correlation of independent images for those in clusters."""
    from scipy.stats import rankdata, zscore

    own, other = zscore(rankdata(a)), zscore(rankdata(b))
    value = float((own * other).mean())
    if abs(value) > 1 - 1e-12:
        return interval
    influence = own * other - value * (own**2 + other**2) / 2
    root = (len(a) / effective_items(influence, cluster)) ** 0.5
    with np.errstate(divide="ignore"):
        center, ends = np.arctanh(value), np.arctanh(np.clip(interval, -1, 1))
    low, high = np.tanh(center + root * (ends - center))
    return float(low), float(high)


def _resampled(scores: npt.NDArray[np.int64], *, seed: int) -> npt.NDArray[np.float64]:
    """Return the correlations (R, S, S) of scores (S, N) over resampled images; NaN where constant."""
    rows, count = scores.shape
    resamples = RESAMPLES if count < FEW_FROM else FEW_RESAMPLES
    rng = np.random.default_rng(seed)
    ranking = [_Ranking(score) for score in scores]
    at_once = max(1, BLOCK // (rows * count))
    found = np.empty((resamples, rows, rows))
    for start in range(0, resamples, at_once):
        stop = min(start + at_once, resamples)
        drawn = rng.integers(count, size=(stop - start, count))
        weights = np.stack([np.bincount(row, minlength=count) for row in drawn])
        ranks = np.stack([ranks_of(weights) for ranks_of in ranking], axis=1)
        for own, weight, out in zip(ranks, weights, found[start:stop], strict=True):
            np.matmul(own * weight, own.T, out=out)  # one by one: a batch would not go to BLAS
    length = np.sqrt(np.diagonal(found, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        return np.clip(found / (length[:, :, None] * length[:, None]), -1, 1)


class _Ranking:
    """A score sorted once: ranks of any resample then are sums of weights, without sorting again."""

    def __init__(self, score: npt.NDArray[np.int64]) -> None:
        self._order = np.argsort(score, kind="stable")
        values = score[self._order]
        new = np.append(values[1:] != values[:-1], True)
        self._ends = np.flatnonzero(new)  # of every run of ties
        self._run = np.empty(len(score), np.int64)
        self._run[self._order] = np.cumsum(new) - new

    def __call__(self, weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return ranks (R, N) around 0 of images that stand ``weights`` (R, N) times in a resample."""
        upto = np.cumsum(np.take(weights, self._order, axis=1), axis=1)[:, self._ends]
        before = np.pad(upto[:, :-1], ((0, 0), (1, 0)))
        ranks = (
            before + upto - weights.shape[1]
        ) / 2  # the mean of before + 1 ... upto, less (N + 1) / 2
        return np.asarray(np.take(ranks, self._run, axis=1), np.float64)


def _percentiles(drawn: npt.NDArray[np.float64], confidence: float) -> Interval:
    """Return the middle share of what was drawn, leaving out resamples that say nothing."""
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
