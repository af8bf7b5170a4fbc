"""The calibrated ratio: the threshold that held-out images of this very data would rarely pass.

    memorized when |x - NN1| / |x - NN2| < t,    t = the k-th smallest ratio of n held-out images,
    k = floor(alpha (n + 1))

The smaller the ratio, the more of a copy. A fresh image that was not copied passes with probability at
most k / (n + 1) <= alpha, whatever the distribution (exchangeability; Vovk et al. 2005). Both intervals
are free of the distribution too: the false-positive rate of the threshold found is Beta(k, n + 1 - k),
and order statistics bound the threshold that would pass exactly alpha (David and Nagaraja 2003, 7.1).

Items of one group, as slices of one patient, are not exchangeable, and groups are. With m groups whose
share below t is p_j(t), and at or below it q_j(t), the threshold is the largest ratio t with

    p_1(t) + ... + p_m(t) + max q_j(t) <= alpha (m + 1).

The sum over all m + 1 groups, the new one among them, bounds the mean share of a new group by alpha (Lee,
Barber and Willett 2023, who put 1 in the place of the maximum); what the new one will add is not known,
and the largest share seen stands for it. With groups of one item, and with groups whose items are all
alike, that is 1, and the rule the one above. How often a new patient's slices pass, and both intervals,
those of as many independent items as vary so much (`rote.stats.clustered`), hold, was simulated:
docs/results/patients.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.stats.clustered import effective_items


@dataclass(frozen=True)
class Calibration:
    """A threshold from held-out ratios.

    Attributes
    ----------
    threshold
        Memorized below it, strictly; None when there are too few held-out images.
    low, high
        Interval of the threshold that passes exactly ``asked`` of all held-out images; None where the
        images are too few to bound it.
    asked
        The false-positive rate asked for.
    false_positives
        Interval (low, high) of the false-positive rate of ``threshold``; None without one.
    images, needed
        Held-out images there were, and the fewest (images, or groups where these are counted) from which
        a threshold can be had.
    groups
        Held-out groups there were; None where each image stands for itself.
    """

    threshold: float | None
    low: float | None
    high: float | None
    asked: float
    false_positives: tuple[float, float] | None
    images: int
    needed: int
    confidence: float
    groups: int | None = None

    def flags(self, ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which ratios (N,) lie below the threshold."""
        if self.threshold is None:
            return np.zeros(len(ratio), bool)
        return ratio < self.threshold

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as plain types."""
        return asdict(self)


def check_asked(asked: float) -> None:
    """Refuse a false-positive rate that cannot be asked for."""
    if not 0 < asked <= 0.5:
        raise ConfigError(
            f"`false_positive_rate` is {asked}; it must lie in (0, 0.5], such as 0.005"
        )


def calibrate(
    ratio: npt.NDArray[np.float64],
    *,
    asked: float = 0.005,
    confidence: float = 0.95,
    group: npt.NDArray[np.int64] | None = None,
) -> Calibration:
    """Choose the threshold that at most ``asked`` of images like these would pass.

    Parameters
    ----------
    ratio
        float64 (n,): |x - NN1| / |x - NN2| of held-out images.
    asked
        The false-positive rate, in (0, 0.5].
    confidence
        Of both intervals.
    group
        int64 (n,): the group of each image; None: each is its own.

    >>> found = calibrate(np.arange(399) / 399, asked=0.005)
    >>> found.threshold == 1 / 399, int(found.flags(np.arange(399) / 399).sum()), found.needed
    (True, 1, 199)
    """
    check_asked(asked)
    if group is not None:
        return _over_groups(ratio, group, asked=asked, confidence=confidence)
    from scipy.special import betaincinv

    n = len(ratio)
    # The nudge: 0.005 * 200 must be 1, whatever binary fractions make of it.
    k = math.floor(asked * (n + 1) * (1 + 1e-12))
    needed = math.ceil(1 / asked * (1 - 1e-12)) - 1
    if k < 1:
        return Calibration(None, None, None, asked, None, n, needed, confidence)
    ordered, tail = np.sort(ratio), (1 - confidence) / 2
    # Ranks l < u with P(Binomial(n, asked) < l) <= tail and P(Binomial >= u) <= tail.
    lower = binomial_quantile(tail, n, asked)
    upper = binomial_quantile(1 - tail, n, asked) + 1
    return Calibration(
        threshold=float(ordered[k - 1]),
        low=float(ordered[lower - 1]) if lower >= 1 else None,
        high=float(ordered[upper - 1]) if upper <= n else None,
        asked=asked,
        false_positives=(
            float(betaincinv(k, n + 1 - k, tail)),
            float(betaincinv(k, n + 1 - k, 1 - tail)),
        ),
        images=n,
        needed=needed,
        confidence=confidence,
    )


def _over_groups(
    ratio: npt.NDArray[np.float64],
    group: npt.NDArray[np.int64],
    *,
    asked: float,
    confidence: float,
) -> Calibration:
    """Choose the threshold that an item of a new group passes with probability at most ``asked``."""
    from scipy.special import betaincinv

    _, place = np.unique(group, return_inverse=True)
    sizes = np.bincount(place)
    n, groups = len(ratio), len(sizes)
    needed = math.ceil(1 / asked * (1 - 1e-12)) - 1
    if groups < max(needed, 2):
        return Calibration(None, None, None, asked, None, n, needed, confidence, groups)
    order = np.argsort(ratio, kind="stable")
    ordered = ratio[order]
    # Of each ratio: the sum over groups of the share of their items that lies below it, strictly, and
    # the largest share at or below it.
    at, share = place[order], 1 / sizes[place[order]]
    below = np.concatenate([[0.0], np.cumsum(share)])[np.searchsorted(ordered, ordered)]
    rank = np.empty(n, np.int64)
    by_group = np.argsort(at, kind="stable")
    rank[by_group] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    most = np.maximum.accumulate(rank * share)[np.searchsorted(ordered, ordered, side="right") - 1]

    def largest(least: float, seen: npt.NDArray[np.float64]) -> float:
        return float(ordered[np.flatnonzero(seen <= least + 1e-9)[-1]])

    threshold, tail = largest(asked * (groups + 1), below + most), (1 - confidence) / 2
    trials = round(effective_items((ratio <= threshold).astype(np.float64), place))
    lower = binomial_quantile(tail, trials, asked)
    upper = binomial_quantile(1 - tail, trials, asked) + 1
    hits = asked * (trials + 1)
    return Calibration(
        threshold=threshold,
        low=largest((lower - 1) * groups / trials, below) if lower >= 1 else None,
        high=largest((upper - 1) * groups / trials, below) if upper <= trials else None,
        asked=asked,
        false_positives=(
            float(betaincinv(hits, trials + 1 - hits, tail)),
            float(betaincinv(hits, trials + 1 - hits, 1 - tail)),
        ),
        images=n,
        needed=needed,
        confidence=confidence,
        groups=groups,
    )


def binomial_quantile(q: float, n: int, p: float) -> int:
    """Return the least k with P(Binomial(n, p) <= k) >= q, as `scipy.stats.binom.ppf`.

    Without `scipy.stats`, which takes a second to import and would be all that an audit needs of it.
    """
    from scipy.special import bdtr, bdtrik

    k = math.ceil(bdtrik(q, n, p))
    return max(k - 1, 0) if k and bdtr(k - 1, n, p) >= q else k
