"""The controls of a search: what must score 1, what must score near 0, and what was hardly trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.seeds import child_seed
from rote.data.convert import as_items
from rote.data.dataset import Dataset
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import sample
from rote.experiments.run.spec import RunSpec
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY
from rote.neighbors.search import nearest_neighbors
from rote.spaces.space import own_space

CONTROL_SAMPLES = 1000
LOOKED_AT, FAR = 256, 1.5
"""Samples whose distance is looked at, and from how many times that of other items on it is far."""


def measure_controls(spec: RunSpec, dataset: Dataset, *, seed: int, device: str) -> dict[str, Any]:
    """Score the theoretical optimum (must be 1) and held-out items (must be near 0) of a run's subset.

    Parameters
    ----------
    spec
        A run near the EMM, where the verdicts matter.
    dataset
        The full source, in model units.
    seed
        Root seed of the search.
    device
        "cpu" or "cuda".
    """
    drawn = spec.draw(dataset)
    training, rest = drawn.dataset, spec.rest(dataset, drawn)
    copies = sample(
        OptimalDenoiser(training, device=device),
        [child_seed(seed, "control", number) for number in range(CONTROL_SAMPLES)],
        shape=training.shape,
        config=spec.setting.sample,
        device=device,
    )
    threshold = spec.setting.scoring.ratio_threshold
    found = run_audit(
        as_items(copies, training, source="theoretical optimum"),
        training,
        replace(RATIO_ONLY, ratio_threshold=threshold, device=device),
        holdout=None if rest is None else rest.take(np.arange(min(CONTROL_SAMPLES, len(rest)))),
        look_for_mistakes=False,
    )
    rates = {"optimum": found.rate, "holdout": found.control}
    controls: dict[str, Any] = {
        name: None if rate is None else {"size": spec.size, "rate": rate.to_json()}
        for name, rate in rates.items()
    }
    tolerance = None if found.tolerance is None else found.tolerance.to_json()
    return controls | {"tolerance": tolerance}


def far_away(samples: Dataset, training: Dataset, rest: Dataset | None) -> str:
    """Say that samples lie far from all training items, as those of a model that was hardly trained do.

    Noise is no copy of anything, so its rate of 0 would be taken for that of a model that generalizes.
    The measure is the median distance to the nearest training item, against that of ``rest``, other items
    of the source. Empty where they do not, or where it cannot be told.
    """
    if rest is None or rest.shape != training.shape or own_space(training).metric == "gower":
        return ""

    def distance(items: npt.NDArray[Any]) -> float:
        found = nearest_neighbors(items[:LOOKED_AT], training.items, k=1)
        return float(np.sqrt(np.median(found.sq_distances)))

    usual = distance(rest.items)
    times = distance(samples.items) / usual if usual else 0.0
    if times < FAR:
        return ""
    return (
        f"its samples lie {times:.2g} times as far from the training items as other items of the source "
        "do; was it trained at this size, and for long enough?"
    )
