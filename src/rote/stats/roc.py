"""How well a score tells members from non-members: area under the ROC curve, and recall at few errors.

    AUC = P(score of a member < score of a non-member) + 1/2 P(equal)
    TPR at FPR alpha = P(score of a member < t),  t with P(score of a non-member < t) = alpha

The smaller the score, the more of a member. 0.5 and alpha are those of a score that knows nothing. AUC
averages over all thresholds and hides what a careful attacker does, so the recall at 1 % false positives
stands beside it (Carlini et al. 2022, "Membership Inference Attacks From First Principles").

Intervals. AUC: Newcombe's score interval (2006, method 5), which does not collapse at 1. TPR at FPR: the
threshold is an order statistic of the non-members with an interval of its own, free of the distribution;
the ends are Wilson's at the two ends of the threshold, each at half the error, so the interval holds at
least as often as it says (it is wide where the non-members are few).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.stats.conformal import calibrate
from rote.stats.rates import wilson

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Roc:
    """Both numbers with their intervals.

    ``tpr`` is None where the non-members are too few for the false-positive rate (``needed``).
    """

    auc: float
    auc_low: float
    auc_high: float
    fpr: float
    tpr: float | None
    tpr_low: float | None
    tpr_high: float | None
    members: int
    others: int
    needed: int
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return asdict(self)


def roc(members: Floats, others: Floats, *, fpr: float = 0.01, confidence: float = 0.95) -> Roc:
    """Return how well a score tells members from others.

    Parameters
    ----------
    members, others
        float64 (m,), (n,): scores, the smaller the more of a member.
    fpr
        The false-positive rate of the recall, in (0, 0.5].
    confidence
        Of both intervals.

    >>> found = roc(np.arange(100.0), np.arange(50.0, 250.0), fpr=0.01)
    >>> round(found.auc, 5), found.tpr
    (0.9375, 0.51)
    """
    from scipy.stats import rankdata

    m, n = len(members), len(others)
    ranks = rankdata(np.concatenate([members, others]))
    auc = 1 - float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))
    low, high = auc_interval(auc, m, n, confidence=confidence)
    half_error = (1 + confidence) / 2
    found = calibrate(others, asked=fpr, confidence=half_error)
    tpr = tpr_low = tpr_high = None
    if found.threshold is not None:

        def below(threshold: float) -> int:
            return int((members < threshold).sum())

        tpr = below(found.threshold) / m
        tpr_low, tpr_high = 0.0, 1.0
        if found.low is not None:
            tpr_low = wilson(below(found.low), m, confidence=half_error).low
        if found.high is not None:
            # Up to and with the end: the threshold may be anywhere up to it.
            count = int((members <= found.high).sum())
            tpr_high = wilson(count, m, confidence=half_error).high
    return Roc(
        auc=auc,
        auc_low=low,
        auc_high=high,
        fpr=fpr,
        tpr=tpr,
        tpr_low=tpr_low,
        tpr_high=tpr_high,
        members=m,
        others=n,
        needed=found.needed,
        confidence=confidence,
    )


def auc_interval(
    auc: float, m: float, n: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Newcombe's interval of an AUC of m and n items: all theta with |theta - AUC| <= z sqrt(V(theta)).

    V(theta) = theta (1 - theta) (1 + (N - 1) ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m n),
    N = (m + n) / 2.

    References
    ----------
    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
    Part 2", Statistics in Medicine 25 (2006) 559-573, method 5.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(0.5 + confidence / 2))
    half = (m + n) / 2

    def factor(theta: float) -> float:
        spread = (1 - theta) / (2 - theta) + theta / (1 + theta)
        return z * z * (1 + (half - 1) * spread) / (m * n)

    def excess(theta: float, sign: int) -> float:
        return sign * (theta - auc) - math.sqrt(factor(theta) * theta * (1 - theta))

    if auc in (0, 1):
        # Both sides vanish at the end itself; divided by it, one crossing is left (V is symmetric).
        end = brentq(lambda theta: 1 - theta - factor(theta) * theta, 0.0, 1.0, xtol=1e-12)
        return (float(end), 1.0) if auc == 1 else (0.0, 1 - float(end))
    # Positive at the far end and negative at the AUC, so there is one crossing between.
    low = brentq(excess, 0.0, auc, args=(-1,), xtol=1e-12)
    high = brentq(excess, auc, 1.0, args=(1,), xtol=1e-12)
    return float(low), float(high)
