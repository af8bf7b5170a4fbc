"""What studies cost before they run: images, floating-point operations, seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rote.data.dataset import ImageDataset
from rote.studies.plan import Cost, Plan, cost_key, measured_seconds, trial_cost
from rote.studies.trial import Trial


def price(
    plans: Sequence[Plan], dataset: ImageDataset, *, flops_per_second: float | None
) -> dict[str, Any]:
    """Return the runs and costs of each study and of all, each run counted once in the total.

    Parameters
    ----------
    plans
        The studies.
    dataset
        Their data.
    flops_per_second
        What a device gets done; None: measure a few steps of each kind of run on this machine.
    """
    costs: dict[str, tuple[Cost, float]] = {}

    def priced(trial: Trial) -> tuple[Cost, float]:
        key = cost_key(trial)
        if key not in costs:
            cost = trial_cost(trial, dataset)
            seconds = (
                measured_seconds(trial, dataset)
                if flops_per_second is None
                else cost.flops / flops_per_second
            )
            costs[key] = (cost, seconds)
        return costs[key]

    known: set[str] = set()
    rows = []
    total = {"runs": 0, "new_runs": 0, "images_trained": 0, "flops": 0.0, "seconds": 0.0}
    for plan in plans:
        trials = {trial.key: trial for trial in plan.all_trials()}
        row = {"study": plan.factor.name, **_sum([priced(trial) for trial in trials.values()])}
        new = [priced(trial) for key, trial in trials.items() if key not in known]
        known |= set(trials)
        rows.append(row | {"new_runs": len(new)})
        for key, value in _sum(new).items():
            total[key] += value
        total["new_runs"] += len(new)
    return {"studies": rows, "total": total}


def _sum(costs: Sequence[tuple[Cost, float]]) -> dict[str, Any]:
    return {
        "runs": len(costs),
        "images_trained": sum(cost.images_trained for cost, _ in costs),
        "flops": sum(cost.flops for cost, _ in costs),
        "seconds": round(sum(seconds for _, seconds in costs), 1),
    }
