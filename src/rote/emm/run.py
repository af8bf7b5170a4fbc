"""The runs of a search for the effective model memorization (EMM), and its answer in words.

    EMM = max { N : E[rate at training-set size N] >= 1 - epsilon }        (Gu et al. 2025, def. 3)

A run is one training: a size and a replicate, with its own subset, weights, order and noise. The EMM is
estimated from all runs together (`rote.emm.curve`); here is what one run says by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rote.emm.curve import EmmInterval, Observation
from rote.stats.rates import Rate

Decision = Literal["at-least", "less", "undecided"]


@dataclass(frozen=True)
class EmmPoint:
    """One run, with the rate of fresh samples from its chosen snapshot.

    ``images_seen`` is that of the chosen snapshot, ``images_trained`` all that the run trained on, less
    than planned where it was ended early. ``observation`` is what the estimator takes of the run: the
    fresh rate, or, of a run that was ended early, a bound on the rate that it would have had. ``gap`` is
    the distance to the optimum at each snapshot, as plain types.
    """

    size: int
    replicate: int
    images_seen: int
    images_trained: int
    rate: Rate
    observation: Observation
    selection: tuple[tuple[int, Rate], ...]
    gap: tuple[dict[str, Any], ...]
    coverage: dict[str, Any]
    run: str

    def images_sampled(self) -> int:
        """Return how many samples were drawn to score the run."""
        return self.rate.total + sum(rate.total for _, rate in self.selection)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `point.json`."""
        return {
            "size": self.size,
            "replicate": self.replicate,
            "images_seen": self.images_seen,
            "images_trained": self.images_trained,
            "rate": self.rate.to_json(),
            "observation": {
                "bound": self.observation.bound,
                "count": self.observation.count,
                "total": self.observation.total,
                "error": self.observation.error,
            },
            "selection": [
                {"images_seen": seen, "rate": rate.to_json()} for seen, rate in self.selection
            ],
            "gap": list(self.gap),
            "coverage": self.coverage,
            "run": self.run,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> EmmPoint:
        """Read back what `to_json` wrote."""
        return EmmPoint(
            size=data["size"],
            replicate=data["replicate"],
            images_seen=data["images_seen"],
            images_trained=data["images_trained"],
            rate=Rate.from_json(data["rate"]),
            observation=Observation(data["size"], **data["observation"]),
            selection=tuple(
                (entry["images_seen"], Rate.from_json(entry["rate"])) for entry in data["selection"]
            ),
            gap=tuple(data["gap"]),
            coverage=data["coverage"],
            run=data["run"],
        )


def decide(rate: Rate, epsilon: float) -> Decision:
    """Say whether a run's own interval lies at or above 1 - epsilon, below it, or across.

    It speaks for that run alone: another one of the same size may lie elsewhere.
    """
    threshold = round(1 - epsilon, 12)  # as decimals: 1 - 0.7 is not 0.3 in binary
    if rate.low >= threshold:
        return "at-least"
    return "less" if rate.high < threshold else "undecided"


def sentence(
    found: EmmInterval, *, epsilon: float, sizes: Sequence[int], items: str = "images"
) -> str:
    """Say the result in one sentence.

    Parameters
    ----------
    found
        The estimate.
    epsilon
        The epsilon that it is for.
    sizes
        The size of every run.
    items
        What training items are called.

    >>> found = EmmInterval(43.2, 36.4, 52.1, "bracketed", 0.95)
    >>> sentence(found, epsilon=0.1, sizes=[32, 32, 64])
    'The EMM is about 43 training images (95 % interval 36 to 52, 3 runs of 2 sizes): up to that many the model copies at least 90 % of the time.'
    """  # noqa: E501
    share, sure = f"{100 * (1 - epsilon):g} %", f"{100 * found.confidence:g} %"
    counted = _counted(len(sizes), len(set(sizes)))
    if found.status == "bracketed":
        assert found.value is not None and found.low is not None and found.high is not None
        return (
            f"The EMM is about {_size(found.value)} training {items} ({sure} interval "
            f"{_size(found.low)} to {_size(found.high)}, {counted}): up to that many the model "
            f"copies at least {share} of the time."
        )
    one_sided = f"{50 * (1 + found.confidence):g} %"
    if found.status == "above" and found.low is not None:
        return (
            f"The EMM is at least {_size(found.low)} training {items} ({one_sided} confidence, "
            f"{counted}): how much more is not known, since its interval reaches beyond the largest "
            f"size trained, {max(sizes):,}."
        )
    if found.status == "below" and found.high is not None:
        return (
            f"The EMM is at most {_size(found.high)} training {items} ({one_sided} confidence, "
            f"{counted}): how much less is not known, since its interval reaches below the smallest "
            f"size trained, {min(sizes):,}."
        )
    return (
        f"The EMM is not known yet ({counted}): its {sure} interval reaches beyond the sizes trained, "
        f"{min(sizes):,} to {max(sizes):,} {items}."
    )


def _counted(runs: int, sizes: int) -> str:
    """Say how many runs there were.

    >>> _counted(1, 1), _counted(11, 8)
    ('1 run', '11 runs of 8 sizes')
    """
    if runs == 1:
        return "1 run"
    return f"{runs} runs of {sizes} size{'' if sizes == 1 else 's'}"


def _size(size: float) -> str:
    return f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
