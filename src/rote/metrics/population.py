"""All definitions over whole sets in one space, each with its control beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError
from rote.core.seeds import child_seed
from rote.data.sampling import drawn_by_content
from rote.metrics.data_copying import ThreeSample, three_sample_test
from rote.metrics.feature_likelihood import MOST_CELLS, LikelihoodGap, likelihood_gap
from rote.metrics.nn_accuracy import NearestAccuracy, nearest_accuracy

MOST_PAIRS = 5000
"""Items of each set of the nearest-neighbor test, which needs equally many."""
MOST_VALUES = 10**8
"""Values of the training side up to which the likelihood gap is fitted: it takes float64 copies."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Population:
    """The three definitions; None where one could not be applied, with the reason.

    Attributes
    ----------
    accuracy
        Generated against training items; below 0.5: copying.
    accuracy_fresh, accuracy_control
        Generated against held-out items, and held-out against training items.
    compared
        Items of each set in the accuracies, and how many of each side there were.
    likelihood_generated
        Generated items that the likelihood gap was fitted around.
    reasons
        Per definition that is None.
    """

    space: str
    three_sample: ThreeSample | None
    likelihood: LikelihoodGap | None
    likelihood_generated: int
    accuracy: NearestAccuracy | None
    accuracy_fresh: NearestAccuracy | None
    accuracy_control: NearestAccuracy | None
    compared: dict[str, int]
    reasons: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the definitions as plain types."""
        parts = {
            "three_sample": self.three_sample,
            "likelihood_gap": self.likelihood,
            "accuracy": self.accuracy,
            "accuracy_fresh": self.accuracy_fresh,
            "accuracy_control": self.accuracy_control,
        }
        return {
            "space": self.space,
            **{key: None if part is None else part.to_json() for key, part in parts.items()},
            "likelihood_generated": self.likelihood_generated,
            "compared": self.compared,
            "reasons": self.reasons,
        }


def measure_population(
    generated: npt.NDArray[Any],
    training: npt.NDArray[Any],
    holdout: npt.NDArray[Any],
    *,
    space: str,
    groups: tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64] | None] = (None, None),
    seed: int = 0,
    confidence: float = 0.95,
) -> Population:
    """Apply every definition over whole sets.

    Parameters
    ----------
    generated, training, holdout
        uint8 or float (N, ...) of one item shape; the whole training set, and items outside it.
    space
        The name of where they lie, for the record.
    groups
        Of the generated and held-out items, as `three_sample_test` takes them.
    seed
        Of all draws.
    confidence
        Of all intervals.
    """
    reasons: dict[str, str] = {}

    def attempt(name: str, act: Callable[[], Result]) -> Result | None:
        try:
            return act()
        except (ConfigError, DataError) as error:
            reasons[name] = str(error)
            return None

    drawn = child_seed(seed, "bootstrap", 8)

    def some(items: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
        order = np.arange(len(items), dtype=np.int64)
        if len(items) > count:
            taken = drawn_by_content(items, order, seed=drawn, repeats_apart=True)
            order = np.sort(taken[:count])
        return items[order]

    def accuracy(name: str, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> NearestAccuracy | None:
        return attempt(
            name,
            lambda: nearest_accuracy(
                some(a, count), some(b, count), seed=seed, confidence=confidence
            ),
        )

    centers = some(generated, max(1, MOST_CELLS // len(training)))
    likelihood = None
    if training.size <= MOST_VALUES:
        likelihood = attempt(
            "likelihood_gap",
            lambda: likelihood_gap(centers, training, holdout, seed=seed, confidence=confidence),
        )
    else:
        reasons["likelihood_gap"] = (
            f"the training side has {training.size:,} values, and float64 copies of more than "
            f"{MOST_VALUES:,} are not made; take a feature space"
        )
    count = min(len(generated), len(training), len(holdout), MOST_PAIRS)
    return Population(
        space=space,
        three_sample=attempt(
            "three_sample",
            lambda: three_sample_test(
                generated, training, holdout, groups=groups, seed=seed, confidence=confidence
            ),
        ),
        likelihood=likelihood,
        likelihood_generated=len(centers),
        accuracy=accuracy("accuracy", generated, training),
        accuracy_fresh=accuracy("accuracy_fresh", generated, holdout),
        accuracy_control=accuracy("accuracy_control", holdout, training),
        compared={
            "count": count,
            "generated": len(generated),
            "training": len(training),
            "holdout": len(holdout),
        },
        reasons=reasons,
    )
