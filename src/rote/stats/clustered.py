"""A rate whose trials come in clusters: many samples of one prompt, several crops of one scene.

Samples of one caption are copies together or not at all, so 1,000 samples of 10 captions say little more
than 10 trials, and Wilson's interval, which counts them as 1,000, is far too narrow. Here the variance is
that between clusters (a ratio of sums, linearized; Kish 1965):

    p = sum y_c / sum n_c,   var = C / (C - 1) * sum (y_c - p n_c)^2 / (sum n_c)^2,

y_c of n_c items in cluster c. It is turned into the number of independent trials that would vary as much,
n_eff = p (1 - p) / var, reduced for the C - 1 degrees of freedom of var, and Wilson's interval is taken
at p with n_eff trials (Korn and Graubard 1998; with Wilson in place of Clopper-Pearson, Dean and Pagano
2015). n_eff never exceeds the trials there are. Where all or none are successes var is 0 and says
nothing; n_eff is then the effective number of clusters, (sum n_c)^2 / sum n_c^2: as if each cluster were
one trial.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError

METHOD = "wilson on the effective sample size (linearized, cluster-robust)"


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
    _, place = np.unique(cluster, return_inverse=True)
    size = np.bincount(place).astype(np.float64)
    clusters, total = len(size), len(success)
    if clusters < 2:
        raise ConfigError(
            f"`cluster_by` finds {clusters} cluster in {total} items; an interval over clusters needs "
            "at least two"
        )
    from scipy.special import stdtrit

    count = int(success.sum())
    p = count / total
    if count in (0, total):
        effective = total**2 / float(np.square(size).sum())
    else:
        hits = np.bincount(place, weights=success)
        variance = clusters / (clusters - 1) * float(np.square(hits - p * size).sum()) / total**2
        effective = p * (1 - p) / variance if variance > 0 else float(total)
        tail = 0.5 + confidence / 2
        effective *= float(stdtrit(max(total - 1, 1), tail) / stdtrit(clusters - 1, tail)) ** 2
        effective = min(float(effective), float(total))
    low, high = _wilson(p, effective, confidence)
    return ClusteredRate(
        value=p,
        low=0.0 if count == 0 else low,
        high=1.0 if count == total else high,
        count=count,
        total=total,
        confidence=confidence,
        clusters=clusters,
        effective=effective,
        design_effect=total / effective,
    )


def _wilson(p: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval with n > 0 trials that need not be whole."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + confidence / 2))
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return center - half, center + half
