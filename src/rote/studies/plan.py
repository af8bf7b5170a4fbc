"""Which runs a study consists of, what they cost, and whether they can work at all."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from rote.core.config import digest
from rote.core.errors import ConfigError
from rote.data.dataset import ImageDataset
from rote.data.variants import combine
from rote.diffusion.conditioning import conditioning
from rote.diffusion.preconditioning import Denoiser, build_denoiser, denoising_loss
from rote.studies.factor import Claim, Factor, Setting, load_factor, setting
from rote.studies.scales import Scale, scale
from rote.studies.trial import Trial, training_set

TRAINING_FORWARDS = 3
"""Cost of a training image in forward passes: backward costs two."""
TIMED_STEPS = 4


@dataclass(frozen=True)
class Cell:
    """One value at one size."""

    value: str
    size: int


@dataclass(frozen=True)
class Plan:
    """A study before its runs."""

    factor: Factor
    scale: Scale
    baseline: str
    values: tuple[str, ...]
    """The baseline first."""
    claims: tuple[Claim, ...]
    trials: dict[Cell, tuple[Trial, ...]]

    def all_trials(self) -> list[Trial]:
        """Return all runs of the study."""
        return [trial for trials in self.trials.values() for trial in trials]

    def pairs(self) -> list[tuple[Cell, Cell, Claim | None]]:
        """Return the comparisons: every value with the baseline, and the pairs that the paper names."""
        named = {(claim.first, claim.second): claim for claim in self.claims}
        names = list(named)
        for value in self.values:
            pair = (value, self.baseline)
            if value != self.baseline and pair not in named and pair[::-1] not in named:
                names.append(pair)
        found = []
        for first, second in names:
            ones = [cell for cell in self.trials if cell.value == first]
            others = {cell.size: cell for cell in self.trials if cell.value == second}
            for cell in ones:
                other = others.get(cell.size) if self.factor.key != "size" else None
                other = next(iter(others.values())) if self.factor.key == "size" else other
                if other is not None:
                    found.append((cell, other, named.get((first, second))))
        return found


@dataclass(frozen=True, eq=False)
class Source:
    """The data of studies: one source, or two behind each other."""

    dataset: ImageDataset
    second_at: int | None
    first_digest: str


def source_of(dataset: ImageDataset, second: ImageDataset | None = None) -> Source:
    """Return the data of some studies; a second source is for `diversity` alone."""
    if second is None:
        return Source(dataset, None, dataset.digest)
    return Source(combine(dataset, second), len(dataset), dataset.digest)


def plan_study(
    name: str,
    source: Source,
    *,
    scale_name: str,
    runs: Path,
    seed: int = 0,
    seeds: int | None = None,
    values: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    device: str = "cpu",
) -> Plan:
    """Return the runs of a study, after checking that each can work.

    Parameters
    ----------
    name
        The factor.
    source
        The data, in model units.
    scale_name
        smoke, cpu or paper.
    runs
        Folder of all runs.
    seed
        Root seed.
    seeds
        Runs per value and size (a baseline has more; see `Scale`); None: those of the scale.
    values, sizes
        None: those of the factor's file.
    device
        "cpu" or "cuda".

    Raises
    ------
    ConfigError, DataError
        If the study, a value or a size is impossible with this data.
    """
    factor, chosen = load_factor(name), scale(scale_name)
    design = factor.designs[scale_name]
    wanted = tuple(values) if values is not None else design.values
    named = tuple(dict.fromkeys((design.baseline, *wanted)))
    own = tuple(sizes or design.sizes or (chosen.size,))
    each = chosen.seeds if seeds is None else seeds
    if each < 1:
        raise ConfigError(f"--seeds is {each}; give at least 1")
    trials: dict[Cell, tuple[Trial, ...]] = {}
    for value in named:
        means = setting(factor, chosen, value)
        plain = means.variant.second_share is None
        count = each * (chosen.baseline_seeds if value == design.baseline else 1)
        for size in (means.size,) if means.size is not None else own:
            trials[Cell(value, size)] = tuple(
                Trial(
                    setting=means,
                    size=size,
                    replicate=number,
                    seed=seed,
                    data=source.first_digest if plain else source.dataset.digest,
                    second_at=source.second_at,
                    runs=runs,
                    device=device,
                )
                for number in range(count)
            )
            _check(trials[Cell(value, size)][0], source.dataset)
    claims = tuple(c for c in design.claims if {c.first, c.second} <= set(named))
    return Plan(factor, chosen, design.baseline, named, claims, trials)


def _check(trial: Trial, dataset: ImageDataset) -> None:
    """Raise what a worker would, now."""
    drawn = training_set(trial, dataset).images
    conditions = conditioning(drawn, trial.setting.train, seed=trial.root_seed)
    guided = trial.setting.sample.guidance != 1
    if guided and not trial.setting.train.label_dropout:
        raise ConfigError("sample.guidance needs a model trained with train.label_dropout above 0")
    _on_meta(trial.setting, drawn.shape, conditions.count)


def _on_meta(setting: Setting, shape: tuple[int, ...], label_count: int) -> Denoiser:
    """Build a network without its weights: costs next to nothing, and says whether it can be built."""
    with torch.device("meta"):
        return build_denoiser(setting.model, shape, label_count=label_count, seed=0)


@dataclass(frozen=True)
class Cost:
    """What one run costs, in images and floating-point operations (a multiply-add is two)."""

    parameters: int
    forward_flops: int
    images_trained: int
    images_sampled: int
    flops: float


def trial_cost(trial: Trial, dataset: ImageDataset) -> Cost:
    """Count a run: training at three forward passes an image, sampling at one each evaluation."""
    drawn = training_set(trial, dataset).images
    means = trial.setting
    labels = conditioning(drawn, means.train, seed=trial.root_seed).count
    network = _on_meta(means, drawn.shape, labels)
    parameters = sum(p.numel() for p in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        asked = torch.zeros(1, dtype=torch.int64) if labels else None
        network(torch.empty(1, *drawn.shape), torch.empty(1), asked)
    forward = counter.get_total_flops()
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


def measured_seconds(trial: Trial, dataset: ImageDataset) -> float:
    """Estimate the seconds of a run from a few training steps and one evaluation on this machine."""
    drawn = training_set(trial, dataset).images
    means = trial.setting
    labels = conditioning(drawn, means.train, seed=trial.root_seed).count
    network = build_denoiser(means.model, drawn.shape, label_count=labels, seed=0)

    def inputs(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        asked = torch.zeros(count, dtype=torch.int64) if labels else None
        return torch.zeros(count, *drawn.shape), torch.ones(count), asked

    clean, sigma, asked = inputs(means.train.batch)
    steps = []
    for _ in range(TIMED_STEPS):
        started = time.perf_counter()
        loss = denoising_loss(network, clean, sigma, torch.zeros_like(clean), asked)
        loss.mean().backward()  # type: ignore[no-untyped-call]
        steps.append(time.perf_counter() - started)
    x, sigma, asked = inputs(means.sample.tile)
    with torch.no_grad():
        started = time.perf_counter()
        network(x, sigma, asked)
        evaluation = time.perf_counter() - started
    cost = trial_cost(trial, dataset)
    evaluations = 2 * means.sample.steps * math.ceil(cost.images_sampled / means.sample.tile)
    evaluations *= 1 if means.sample.guidance == 1 else 2
    return min(steps[1:]) * cost.images_trained / means.train.batch + evaluation * evaluations


def cost_key(trial: Trial) -> str:
    """Return what equal costs have in common."""
    values: dict[str, Any] = trial.setting.to_json() | {"size": trial.size}
    return digest(values)
