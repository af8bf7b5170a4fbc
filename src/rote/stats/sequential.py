"""When memorization has begun: a test that may be repeated at every check of a training.

Look i = 1, 2, ... draws fresh images and counts the memorized ones. The null hypothesis of a look is that
the model's true rate is no higher than the control's. A test at the usual 5 % at every look would sooner
or later reject by chance; so look i may only spend

    alpha_i = alpha * 6 / (pi^2 i^2),      sum over all i: alpha,

and by the union bound the chance that *any* look at a model that does not memorize raises the alarm is
at most alpha, however many looks there are and however they depend on each other (they share the
control). It is not needed to say beforehand how long the training will be.

Both tests are exact: the binomial one against a stated rate, Fisher's (1935) against held-out images,
whose own sampling error then counts. Neither assumes a large sample, which rates near 0 never give.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError

SPENDING = "alpha * 6 / (pi^2 i^2)"


def spent_alpha(alpha: float, look: int, *, sets: int = 1) -> float:
    """Return what look number ``look`` (from 1) may spend, for each of ``sets`` sets of weights.

    >>> round(spent_alpha(0.05, 1), 4), round(spent_alpha(0.05, 10), 6)
    (0.0304, 0.000304)
    >>> sum(spent_alpha(0.05, look) for look in range(1, 10_000)) < 0.05
    True
    """
    assert look >= 1, look
    assert sets >= 1, sets
    return alpha * 6 / (math.pi * look) ** 2 / sets


def binomial_p_value(count: int, total: int, *, rate: float) -> float:
    """P(at least ``count`` of ``total``) when the true rate is ``rate``: the exact one-sided test.

    Parameters
    ----------
    count, total
        Successes and trials, 0 <= count <= total, total >= 1.
    rate
        The null rate in [0, 1).

    Raises
    ------
    ConfigError
        If a number is out of range.

    >>> binomial_p_value(2, 2, rate=0.1)  # 0.1 * 0.1
    0.010000000000000002
    """
    _check(count, total)
    if not 0 <= rate < 1:
        raise ConfigError(f"the null rate is {rate}; it must lie in [0, 1), such as 0.001")
    if count == 0:
        return 1.0
    from scipy.special import bdtrc  # not at import time: it costs 0.1 s

    return float(bdtrc(count - 1, total, rate))


def fisher_p_value(count: int, total: int, *, control_count: int, control_total: int) -> float:
    """Fisher's exact one-sided p-value that a rate is higher than a control's.

    The chance that, of the successes of both samples together, at least ``count`` fall into the first
    when they are dealt at random (hypergeometric).

    Parameters
    ----------
    count, total
        Successes and trials of the sample in question.
    control_count, control_total
        Those of the control.

    Raises
    ------
    ConfigError
        If a count is out of range.

    References
    ----------
    Fisher, "The logic of inductive inference", J. R. Stat. Soc. 1935.

    >>> round(fisher_p_value(3, 3, control_count=0, control_total=3), 12)  # 1 / C(6, 3)
    0.05
    """
    _check(count, total)
    _check(control_count, control_total)
    if count == 0:
        return 1.0
    marked, everything = count + control_count, total + control_total
    upper = np.arange(count, min(total, marked) + 1)
    chances = np.exp(
        _log_choose(marked, upper)
        + _log_choose(everything - marked, total - upper)
        - _log_choose(everything, np.array(total))
    )
    return min(1.0, float(chances.sum()))


def _log_choose(n: int, k: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return log of n over k; every k in [0, n]."""
    from scipy.special import gammaln

    found: npt.NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return found


def _check(count: int, total: int) -> None:
    if total < 1 or not 0 <= count <= total:
        raise ConfigError(f"a rate of {count} in {total} is impossible; 0 <= count <= total, >= 1")
