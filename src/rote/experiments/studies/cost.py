"""What studies cost before they run: images, floating-point operations, seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rote.core.config import digest
from rote.core.errors import ConfigError, did_you_mean
from rote.data.dataset import Dataset
from rote.diffusion.conditioning import conditioning
from rote.diffusion.preconditioning import build_denoiser
from rote.experiments.run.spec import RunSpec
from rote.experiments.run.speed import inputs, step_seconds
from rote.experiments.search.cost import RunSeconds
from rote.experiments.studies.plan import Plan, Source, network_size
from rote.results.run import TrialFile

# Peak float32 rates without TF32, in TFLOP/s, as the vendors state them; others are given as a number.
GPU_TFLOPS = {"v100": 15.7, "a100": 19.5, "rtx4090": 82.6, "h100": 66.9, "h200": 66.9}
UTILIZATION = 0.4
TRAINING_FORWARDS = 3
"""Cost of a training image in forward passes: backward costs two."""


@dataclass(frozen=True)
class Cost:
    """What one run costs, in images and floating-point operations (a multiply-add is two)."""

    parameters: int
    forward_flops: int
    images_trained: int
    images_sampled: int
    flops: float


def gpu_tflops(gpu: str) -> float:
    """Return the peak float32 rate of a GPU in TFLOP/s, by its name or as a number.

    Raises
    ------
    ConfigError
        If it is neither.

    >>> gpu_tflops("A100"), gpu_tflops("12.5")
    (19.5, 12.5)
    """
    if gpu.lower() in GPU_TFLOPS:
        return GPU_TFLOPS[gpu.lower()]
    try:
        value = float(gpu)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            f"`gpu` {gpu} is unknown{did_you_mean(gpu, GPU_TFLOPS)}; or give its TFLOP/s as a number"
        )
    return value


def price(
    plans: Sequence[Plan], source: Source, *, workers: int = 1, gpu: str | None = None
) -> dict[str, Any]:
    """Return the runs and costs of each study and of all, each run counted once in the total.

    Parameters
    ----------
    plans
        The studies.
    source
        Their data.
    workers
        How many share them.
    gpu
        The GPU that each of them has, as `gpu_tflops` takes it; None: measure a few steps of each kind of
        run on this machine.
    """
    flops_per_second = None if gpu is None else 1e12 * UTILIZATION * gpu_tflops(gpu)
    costs: dict[str, tuple[Cost, float]] = {}

    def priced(trial: RunSpec) -> tuple[Cost, float]:
        key = digest(trial.setting.to_json() | {"size": trial.size})  # equal but for their seeds
        if key not in costs:
            drawn = source.draw(trial)
            cost = trial_cost(trial, drawn)
            seconds = (
                measured_seconds(trial, drawn)
                if flops_per_second is None
                else cost.flops / flops_per_second
            )
            costs[key] = (cost, seconds)
        return costs[key]

    known: set[str] = set()
    rows = []
    total = {"runs": 0, "new_runs": 0, "images_trained": 0, "flops": 0.0, "seconds": 0.0}
    for plan in plans:
        trials = {trial.name: trial for trial in plan.all_trials()}
        row = {"study": plan.factor.name, **_sum([priced(trial) for trial in trials.values()])}
        new = [priced(trial) for key, trial in trials.items() if key not in known]
        known |= set(trials)
        rows.append(row | {"new_runs": len(new)})
        for key, value in _sum(new).items():
            total[key] += value
        total["new_runs"] += len(new)
    total |= {"workers": workers, "elapsed_seconds": round(total["seconds"] / workers, 1)}
    found: dict[str, Any] = {"studies": rows, "total": total}
    if gpu is not None:
        found["gpu"] = {"name": gpu, "tflops": gpu_tflops(gpu), "utilization": UTILIZATION}
    return found


def counted(plans: Sequence[Plan], *, workers: int, runs: Path | None = None) -> dict[str, Any]:
    """Return the runs of each study and of all with a trainer that is not rote's own.

    Parameters
    ----------
    plans
        The studies.
    workers
        How many share them.
    runs
        The folder of their runs: what the missing ones take is learned from those that have ended there;
        without any, ``seconds`` are None.
    """
    ended: dict[str, tuple[int, float]] = {}
    if runs is not None:
        for trial in (trial for plan in plans for trial in plan.all_trials()):
            if found := trial.moved(runs).finished(TrialFile):
                ended[trial.name] = trial.size, found.seconds
    takes = RunSeconds.learned(list(ended.values()))

    def left(trials: Mapping[str, RunSpec]) -> float | None:
        missing = [trial for name, trial in trials.items() if name not in ended]
        return None if takes is None else round(sum(takes.expected(t.size) for t in missing), 1)

    known: dict[str, RunSpec] = {}
    rows: list[dict[str, Any]] = []
    for plan in plans:
        trials = {trial.name: trial for trial in plan.all_trials()}
        counts = {"runs": len(trials), "new_runs": len(trials.keys() - known.keys())}
        rows.append({"study": plan.factor.name, **counts, "seconds": left(trials)})
        known |= trials
    total = {key: sum(row[key] for row in rows) for key in ("runs", "new_runs")}
    return {
        "studies": rows,
        "total": total | {"seconds": left(known), "ended": len(ended), "workers": workers},
    }


def _sum(costs: Sequence[tuple[Cost, float]]) -> dict[str, Any]:
    return {
        "runs": len(costs),
        "images_trained": sum(cost.images_trained for cost, _ in costs),
        "flops": sum(cost.flops for cost, _ in costs),
        "seconds": round(sum(seconds for _, seconds in costs), 1),
    }


def trial_cost(trial: RunSpec, drawn: Dataset) -> Cost:
    """Count a run: training at three forward passes an image, sampling at one each evaluation.

    ``drawn`` is the run's training set.
    """
    means = trial.setting
    labels = conditioning(drawn, means.train, seed=trial.root_seed).count
    parameters, forward = network_size(means.model, drawn.shape, labels)
    trained = means.train.total_images(len(drawn))
    scoring, snapshots = means.scoring, means.train.snapshots(len(drawn))
    chosen_on = scoring.selection_samples * len(snapshots) if scoring.snapshot == "best" else 0
    sampled = scoring.samples + chosen_on
    evaluations = (
        2 * means.sample.steps - 1 if means.sample.solver == "heun" else means.sample.steps
    )
    evaluations *= 1 if means.sample.guidance == 1 else 2
    flops = float(forward) * (TRAINING_FORWARDS * trained + evaluations * sampled)
    return Cost(parameters, forward, trained, sampled, flops)


def measured_seconds(trial: RunSpec, drawn: Dataset) -> float:
    """Estimate the seconds of a run from a few training steps and one evaluation on this machine."""
    means = trial.setting
    labels = conditioning(drawn, means.train, seed=trial.root_seed).count
    network = build_denoiser(means.model, drawn.shape, label_count=labels, seed=0)
    step = step_seconds(network, means.train.batch, drawn.shape, labels)
    x, sigma, asked = inputs(means.sample.tile, drawn.shape, labels)
    with torch.no_grad():
        started = time.perf_counter()
        network(x, sigma, asked)
        evaluation = time.perf_counter() - started
    cost = trial_cost(trial, drawn)
    evaluations = 2 * means.sample.steps * math.ceil(cost.images_sampled / means.sample.tile)
    evaluations *= 1 if means.sample.guidance == 1 else 2
    return step * cost.images_trained / means.train.batch + evaluation * evaluations
