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
from rote.experiments.run.point import PointTask, split
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY

CONTROL_SAMPLES = 1000


def measure_controls(task: PointTask, dataset: Dataset) -> dict[str, Any]:
    """Score the theoretical optimum (must be 1) and held-out items (must be near 0) of a run's subset.

    Parameters
    ----------
    task
        A run near the EMM, where the verdicts matter.
    dataset
        The full source, in model units.
    """
    subset, rest = split(task, dataset)
    holdout = None if rest is None else rest.take(np.arange(min(CONTROL_SAMPLES, len(rest))))
    drawn = sample(
        OptimalDenoiser(subset, device=task.device),
        [child_seed(task.seed, "control", number) for number in range(CONTROL_SAMPLES)],
        shape=subset.shape,
        config=task.config.sample,
        device=task.device,
    )
    copies = as_items(drawn, subset, source="theoretical optimum")
    options = replace(
        RATIO_ONLY,
        ratio_threshold=task.config.search.ratio_threshold,
        device=task.device,
    )
    found = run_audit(copies, subset, options, holdout=holdout)
    return {
        "optimum": {"size": task.size, "rate": found.rate.to_json()},
        "holdout": None
        if found.control is None
        else {"size": task.size, "rate": found.control.to_json()},
    }
