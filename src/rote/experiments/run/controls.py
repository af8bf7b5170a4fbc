"""The controls of a search: what must score 1, and what must score near 0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rote.core.seeds import child_seed
from rote.data.convert import as_items
from rote.data.dataset import Dataset
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import sample
from rote.experiments.run.spec import RunSpec
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY

CONTROL_SAMPLES = 1000


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
