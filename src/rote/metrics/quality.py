"""The quality of a generated set: all statistics in one space, with the control beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.duplicates import exact_duplicates
from rote.data.sampling import drawn_by_content
from rote.metrics.frechet import frechet_distance
from rote.metrics.precision_recall import (
    DENSITY_K,
    LEAST,
    PRECISION_K,
    Manifold,
    expected_coverage,
    manifold_statistics,
)
from rote.stats.jackknife import Estimate

MOST = 2000
"""Items of each set: all their distances are held at once, and leaving out groups takes 21 passes."""
Against = Literal["holdout", "training"]


@dataclass(frozen=True)
class Statistics:
    """Of one set against the reference."""

    frechet: Estimate
    manifold: Manifold

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return {"frechet": self.frechet.to_json(), **self.manifold.to_json()}


@dataclass(frozen=True)
class Quality:
    """How good generated items are, whether copied or not.

    Attributes
    ----------
    space
        What distances and moments were taken of; a network's name where it is one.
    against
        Held-out items, or, where there are none, the training set itself, which a copier matches best.
    generated
        The numbers of the generated items.
    control, control_of
        The same of other real items against the held-out ones, what real items score at these counts: of
        training items, or of further held-out ones where the training set is too small. None where there
        are too few of both, and against the training set.
    count, available
        Items taken of each set, and how many there were (generated, reference).
    distinct
        Different items among those taken (generated, reference): recall is that of so few generated ones,
        whose balls reach far, and coverage tells a model that repeats itself better.
    """

    space: str
    against: Against
    generated: Statistics
    control: Statistics | None
    control_of: Against | None
    count: int
    available: tuple[int, int]
    distinct: tuple[int, int]
    dimensions: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the quality as plain types."""
        return {
            "space": self.space,
            "against": self.against,
            "count": self.count,
            "available": {"generated": self.available[0], "reference": self.available[1]},
            "distinct": {"generated": self.distinct[0], "reference": self.distinct[1]},
            "dimensions": self.dimensions,
            "generated": self.generated.to_json(),
            "control": None if self.control is None else self.control.to_json(),
            "control_of": self.control_of,
            "expected_coverage": expected_coverage(self.count, self.count),
            "neighbors": {"precision": PRECISION_K, "density": DENSITY_K},
            "seed": self.seed,
        }


def check_enough(generated: int, reference: int, against: Against) -> None:
    """Refuse to measure quality on too few items."""
    if min(generated, reference) < LEAST:
        raise DataError(
            f"`quality` has {generated} generated and {reference} "
            f"{'training' if against == 'training' else 'held-out'} items; give {LEAST} and more of each"
        )


def measure_quality(
    generated: npt.NDArray[Any],
    training: npt.NDArray[Any],
    holdout: npt.NDArray[Any] | None,
    *,
    space: str,
    most: int = MOST,
    seed: int = 0,
    confidence: float = 0.95,
) -> Quality:
    """Measure the quality of generated items.

    Parameters
    ----------
    generated, training, holdout
        (N, ...) of one item shape, in one space. Equally many of each are drawn, by content.
    space
        Its name, for the record.
    most
        Most items of each set.
    seed
        Of the draws and of the groups of the intervals.
    confidence
        Of the intervals.

    Raises
    ------
    DataError
        If there are too few items.
    """
    against: Against = "training" if holdout is None else "holdout"
    reference = training if holdout is None else holdout
    check_enough(len(generated), len(reference), against)
    count = min(len(generated), len(reference), most)
    drawn = child_seed(seed, "bootstrap", 7)

    def flat(items: npt.NDArray[Any], start: int = 0) -> npt.NDArray[Any]:
        return some_of(items, count, seed=drawn, start=start)

    def statistics(items: npt.NDArray[Any]) -> Statistics:
        return Statistics(
            frechet_distance(items, real, confidence=confidence),
            manifold_statistics(items, real, seed=seed, confidence=confidence),
        )

    made, real = flat(generated), flat(reference)
    control: Statistics | None = None
    control_of: Against | None = None
    if holdout is not None and len(training) >= count:
        control, control_of = statistics(flat(training)), "training"
    elif holdout is not None and len(holdout) >= 2 * count:
        control, control_of = statistics(flat(holdout, count)), "holdout"
    return Quality(
        space=space,
        against=against,
        generated=statistics(made),
        control=control,
        control_of=control_of,
        count=count,
        available=(len(generated), len(reference)),
        distinct=(len(exact_duplicates(made)), len(exact_duplicates(real))),
        dimensions=int(np.prod(generated.shape[1:])),
        seed=seed,
    )


def some_of(items: npt.NDArray[Any], count: int, *, seed: int, start: int = 0) -> npt.NDArray[Any]:
    """Return ``count`` of the items, flat, drawn by content from place ``start``; all of fewer."""
    order = np.arange(len(items), dtype=np.int64)
    if len(items) > count:
        taken = drawn_by_content(items, order, seed=seed, repeats_apart=True)
        order = np.sort(taken[start : start + count])
    return items[order].reshape(len(order), -1)
