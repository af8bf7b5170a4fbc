"""What a remedy did to a model: it helps, evades, harms, or nothing is decided.

    harms      quality falls by more than the margin, or the model copies more
    evades     the judge that it was chosen by sees fewer copies, another judge sees most of them still
    helps      all judges see fewer copies, and quality stays within the margin
    undecided  anything else: too few samples, or nothing changed

A fall is shown by McNemar's exact test, two-sided, on the samples of equal noise seeds. Another judge
"sees most of them still" where, at the upper end of its interval, its fall is less than half of that of
the first judge, each as a share of what it saw beyond its control, the held-out items. Quality is held
against the margin by the interval of its difference, so that chance neither harms nor lets pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.metrics.precision_recall import Paired
from rote.results.mitigation import remedies as results
from rote.stats.rates import Difference, Rate, mcnemar, newcombe_paired, wilson

LEAST_SHARE = 0.5
"""Of the first judge's relative fall: what another judge has to see at least."""


@dataclass(frozen=True)
class Judged:
    """What one judge sees before and after: the difference is after - before."""

    judge: str
    before: Rate
    after: Rate
    difference: Difference
    p_value: float
    control: float = 0.0
    """What the judge says of held-out items: such a share is no copy, whatever is drawn."""

    @staticmethod
    def of(
        judge: str,
        before: npt.NDArray[np.bool_],
        after: npt.NDArray[np.bool_],
        *,
        control: float = 0.0,
        confidence: float = 0.95,
    ) -> Judged:
        """Compare verdicts (N,) of samples of equal noise seeds."""
        both, total = int((before & after).sum()), len(before)
        gained, lost = int(after.sum()) - both, int(before.sum()) - both
        return Judged(
            judge,
            wilson(both + lost, total, confidence=confidence),
            wilson(both + gained, total, confidence=confidence),
            newcombe_paired(
                both, gained, lost, total - both - gained - lost, confidence=confidence
            ),
            mcnemar(gained, lost),
            control,
        )

    @staticmethod
    def read(told: results.Judged) -> Judged:
        """Return it as a file tells it."""
        return Judged(
            told.judge, told.before, told.after, told.difference, told.p_value, told.control
        )

    @property
    def excess(self) -> float:
        """Copies before, beyond what the judge says of held-out items."""
        return self.before.value - self.control

    def fell(self, alpha: float) -> bool:
        """Say whether a fall is shown."""
        return self.p_value < alpha and self.difference.value < 0

    def rose(self, alpha: float) -> bool:
        """Say whether a rise is shown."""
        return self.p_value < alpha and self.difference.value > 0

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)


def verdict_of(
    judged: Sequence[Judged], losses: Mapping[str, Paired], *, margin: float, alpha: float
) -> tuple[results.Verdict, str]:
    """Return the verdict on a remedy, and why.

    Parameters
    ----------
    judged
        By every judge; the first is the one that settings were chosen by.
    losses
        Of quality, by the name of the statistic.
    margin
        How much of each statistic may be lost.
    alpha
        Below which p value a change counts as shown.
    """
    first, *others = judged
    for name, quality in losses.items():
        if quality.loss.low > margin:
            change = f"from {quality.before.value:.2f} to {quality.after.value:.2f}"
            return "harms", f"{name} falls {change}"
    if first.rose(alpha):
        return "harms", f"more copies by {first.judge}"
    if not first.fell(alpha):
        return "undecided", f"no fall of the rate by {first.judge} is shown"
    fall = -first.difference.value / first.excess if first.excess > 0 else 1.0
    for other in others:
        seen = -other.difference.low / other.excess if other.excess > 0 else math.inf
        if seen < LEAST_SHARE * fall:
            return (
                "evades",
                f"{other.judge} still sees {other.after.value:.3g} of {other.before.value:.3g}",
            )
    if not others:
        return "undecided", "one judge alone cannot tell what helps from what evades it"
    for other in others:
        if not other.fell(alpha):
            return "undecided", f"no fall of the rate by {other.judge} is shown"
    for name, quality in losses.items():
        if quality.loss.high > margin:
            return "undecided", f"whether {name} stays within the margin is not shown"
    return "helps", f"{len(judged)} judges see fewer copies, and quality stays within the margin"
