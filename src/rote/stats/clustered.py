"""Statistics whose trials come in clusters: many samples of one prompt, several crops of one scene.

Samples of one caption are copies together or not at all, so 1,000 samples of 10 captions say little
more than 10 trials, and Wilson's interval, which counts them as 1,000, is far too narrow. What counts
is the number of independent items whose mean would vary as much, `effective_items`. The variance of the
mean is that between clusters, in which a cluster that holds the share w of all items has drawn the mean
to itself, for which its term is divided by 1 - w (the bias-reduced linearization of Bell and McCaffrey
2002):

    var = sum w^2 (m_c - m)^2 / (1 - w),   d = var / (s^2 / N),

m_c and m the means of a cluster and of all, s^2 the variance of N items. d, the design effect, is 1 for
independent items and A = N sum w^2 where all items of a cluster are alike. Few clusters, or few items
that differ from the rest, say little of d: one copy in one of thirty captions may be one of a hundred
samples or all that the caption gives. So d is shrunk towards A, as if four more clusters had been seen,
alike within,

    d' = (u d + 4 A) / (u + 4),   u = min(1 / sum w^2, (sum e^2)^2 / sum e^4),

e what an item differs from the mean by: u counts clusters as large as each other, or the items that carry
the variance where these are fewer. Where all items are equal u is 0, and each cluster is one trial. The
answer, N / d', lies between 1 / sum w^2 and N.

A rate has the interval of Clopper and Pearson at that number of trials (Korn and Graubard 1998): exact,
for with few clusters there is no averaging that would make up for a shorter one. How often it holds,
and what it costs where samples of a caption are nearly independent, stands in docs/results/validity.md.

Sources: Bell and McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage
samples", Survey Methodology 28 (2002); Korn and Graubard, "Confidence intervals for proportions with
small expected number of positive counts estimated from survey data", Survey Methodology 24 (1998).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.stats.rates import Rate, wilson

METHOD = "clopper-pearson at the effective number of items (cluster-robust)"
UNSEEN = 4
"""Clusters, alike within, that the design effect is shrunk by."""


@dataclass(frozen=True)
class ClusteredRate:
    """A share with an interval that allows for clusters.

    Attributes
    ----------
    clusters
        How many there are.
    effective
        Independent trials that would vary as much.
    design_effect
        total / effective: 1 for independent items.
    """

    value: float
    low: float
    high: float
    count: int
    total: int
    confidence: float
    clusters: int
    effective: float
    design_effect: float
    method: str = METHOD

    def to_json(self) -> dict[str, Any]:
        """Return the rate as plain types."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] ({self.count} of {self.total} in "
            f"{self.clusters} clusters)"
        )


def clustered_rate(
    success: npt.NDArray[np.bool_], cluster: npt.NDArray[np.int64], *, confidence: float = 0.95
) -> ClusteredRate:
    """Return the share of successes with a cluster-robust interval.

    Parameters
    ----------
    success
        bool (N,).
    cluster
        int64 (N,): the cluster of each item; at least two different ones.
    confidence
        Two-sided confidence in (0, 1).

    Raises
    ------
    ConfigError
        If there are fewer than two clusters.

    >>> found = clustered_rate(np.repeat([True, False, False, False], 25), np.repeat(range(4), 25))
    >>> found.value, round(found.design_effect) >= 25
    (0.25, True)
    """
    count, total, clusters = int(success.sum()), len(success), len(np.unique(cluster))
    if clusters < 2:
        raise ConfigError(
            f"`cluster_by` finds {clusters} cluster in {total} items; an interval over clusters needs "
            "at least two"
        )
    effective = effective_items(success.astype(np.float64), cluster)
    low, high = _clopper_pearson(count / total, effective, confidence)
    return ClusteredRate(
        value=count / total,
        low=low,
        high=high,
        count=count,
        total=total,
        confidence=confidence,
        clusters=clusters,
        effective=effective,
        design_effect=total / effective,
    )


def rate_over(
    success: npt.NDArray[np.bool_], cluster: npt.NDArray[np.int64] | None, *, confidence: float
) -> Rate:
    """Return a rate with Wilson's interval, or where items come in clusters that of `clustered_rate`.

    Of one cluster nothing is known of others: its interval is [0, 1].

    >>> print(rate_over(np.ones(9, bool), np.zeros(9, np.int64), confidence=0.95))
    1 [0, 1] (9 of 9)
    """
    count, total = int(success.sum()), len(success)
    if cluster is None:
        return wilson(count, total, confidence=confidence)
    if len(np.unique(cluster)) < 2:
        return Rate(count / total, 0.0, 1.0, count, total, confidence)
    found = clustered_rate(success, cluster, confidence=confidence)
    return Rate(found.value, found.low, found.high, count, total, confidence)


def effective_items(values: npt.NDArray[np.float64], cluster: npt.NDArray[np.int64]) -> float:
    """Return how many independent items have a mean that varies as that of these.

    Parameters
    ----------
    values
        (N,): of a mean, or what each item adds to another statistic (its influence).
    cluster
        int64 (N,): at least two different ones.

    >>> together = np.repeat([1.0, 0.0, 0.0, 1.0], 25)
    >>> effective_items(together, np.repeat(range(4), 25)), effective_items(together, np.arange(100))
    (4.0, 100.0)
    """
    _, place = np.unique(cluster, return_inverse=True)
    total, size = len(values), np.bincount(place)
    alike = int(np.square(size).sum()) / total
    if values.min() == values.max():
        return total / alike
    off = values - values.mean()
    square = np.square(off)
    sums = np.bincount(place, weights=off)
    between = float((np.square(sums) / (1 - size / total)).sum()) / float(square.sum())
    seen = min(total / alike, float(square.sum() ** 2 / np.square(square).sum()))
    effect = (seen * between + UNSEEN * alike) / (seen + UNSEEN)
    return total / min(max(effect, 1.0), alike)


def joined_groups(*partitions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the groups (N,) of items that any of the partitions (N,) puts together, from 0.

    >>> joined_groups(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count, edges = len(partitions[0]), []
    for offset, partition in enumerate(partitions, start=1):
        edges.append(np.unique(partition, return_inverse=True)[1] + offset * count)
    ends = np.concatenate(edges)
    items = np.tile(np.arange(count), len(partitions))
    size = (len(partitions) + 1) * count
    links = coo_array((np.ones(len(items)), (items, ends)), shape=(size, size))
    label = connected_components(links, directed=False)[1][:count]
    return np.asarray(np.unique(label, return_inverse=True)[1], np.int64)


def _clopper_pearson(p: float, n: float, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a rate p of n > 0 trials, which need not be whole."""
    from scipy.special import betaincinv

    tail, hits = (1 - confidence) / 2, p * n
    low = 0.0 if p == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if p == 1 else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high
