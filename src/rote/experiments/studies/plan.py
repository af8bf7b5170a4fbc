"""Which runs a study consists of, and whether they can work at all."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from rote.core.config import digest
from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.variants import combine
from rote.diffusion.conditioning import conditioning
from rote.diffusion.config import ModelConfig
from rote.diffusion.preconditioning import build_denoiser
from rote.experiments.run.spec import RunSpec, Setting
from rote.experiments.scales import Scale, scale
from rote.experiments.studies.factor import (
    Claim,
    Factor,
    factors,
    load_factor,
    setting,
    works_with_trainer,
)
from rote.experiments.trainers.config import TrainerConfig

DRAWS_KEPT = 6


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
    seeds: int
    """Runs of a value at a size; the baseline may have more (see `Scale`)."""
    trials: dict[Cell, tuple[RunSpec, ...]]
    trainer: TrainerConfig | None = None
    """Who trains in place of rote."""

    def all_trials(self) -> list[RunSpec]:
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

    dataset: Dataset
    second_at: int | None
    first_digest: str
    first_captions: str | None
    _drawn: dict[tuple[Any, ...], Dataset] = field(default_factory=dict)

    def draw(self, trial: RunSpec) -> Dataset:
        """Return a run's training set; the last few are kept, since runs of one size share theirs."""
        scoring = trial.setting.scoring
        seed = trial.root_seed if scoring.subset == "random" else None
        key = (trial.setting.variant, trial.size, seed, scoring.stratify)
        if key not in self._drawn:
            while len(self._drawn) >= DRAWS_KEPT:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[key] = trial.draw(self.dataset).dataset
        return self._drawn[key]


def source_of(dataset: Dataset, second: Dataset | None = None) -> Source:
    """Return the data of some studies; a second source is for `diversity` alone."""
    if second is None:
        return Source(dataset, None, dataset.digest, dataset.captions_digest)
    both = combine(dataset, second)
    return Source(both, len(dataset), dataset.digest, dataset.captions_digest)


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
    trainer: TrainerConfig | None = None,
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
    trainer
        Who trains in place of rote.

    Raises
    ------
    ConfigError, DataError
        If the study, a value or a size is impossible with this data, or with a trainer.
    """
    factor, chosen = load_factor(name), scale(scale_name, kind=source.dataset.kind)
    if trainer is not None and not works_with_trainer(factor):
        raise ConfigError(
            f"the study {name} varies what a `trainer` decides itself; with one work "
            f"{', '.join(one.name for one in factors() if works_with_trainer(one))}, and files of "
            "one's own that vary trainer.NAME"
        )
    design = factor.design(scale_name)
    wanted = tuple(values) if values is not None else design.values
    named = tuple(dict.fromkeys((design.baseline, *wanted)))
    own = tuple(sizes or design.sizes or (chosen.size,))
    each = chosen.seeds if seeds is None else seeds
    if each < 1:
        raise ConfigError(f"`seeds` is {each}; give at least 1")
    trials: dict[Cell, tuple[RunSpec, ...]] = {}
    for value in named:
        means = setting(factor, chosen, value, trainer)
        count = each * (chosen.baseline_seeds if value == design.baseline else 1)
        at = own if sizes is not None else design.sizes_of.get(value, own)
        for size in (means.size,) if means.size is not None else at:
            trials[Cell(value, size)] = tuple(
                study_run(means, size, number, source=source, seed=seed, runs=runs, device=device)
                for number in range(count)
            )
            _check(trials[Cell(value, size)][0], source)
    claims = tuple(c for c in design.claims if {c.first, c.second} <= set(named))
    return Plan(factor, chosen, design.baseline, named, claims, each, trials, trainer)


def study_run(
    setting: Setting,
    size: int,
    replicate: int,
    *,
    source: Source,
    seed: int,
    runs: Path,
    device: str,
) -> RunSpec:
    """Return a run of a study; one replicate of all values and sizes shares images and noise.

    Its folder is named by the digest of all that decides it: equal runs of several studies are one run.
    Of two sources only a run that mixes them knows.
    """
    mixed = setting.variant.second_share is not None
    inputs = {
        "data": source.dataset.digest if mixed else source.first_digest,
        "second_at": source.second_at if mixed else None,
        "size": size,
        "replicate": replicate,
        "seed": seed,
    }
    texts = source.dataset.captions_digest if mixed else source.first_captions
    if setting.trainer is not None and texts:  # which it may read
        inputs["captions"] = texts
    return RunSpec(
        root=runs,
        name=digest(inputs | setting.to_json())[:16],
        setting=setting,
        size=size,
        replicate=replicate,
        root_seed=child_seed(seed, "study", replicate),
        device=device,
        second_at=source.second_at,
    )


def _check(trial: RunSpec, source: Source) -> None:
    """Raise what a worker would, now."""
    drawn = source.draw(trial)
    conditions = conditioning(drawn, trial.setting.train, seed=trial.root_seed)
    trainer, captions = trial.setting.trainer, trial.setting.variant.captions
    if captions is not None and trainer is None:
        raise ConfigError(
            "rote's own networks read no captions; give the `trainer` of a model that does"
        )
    if trainer is not None:
        shown = trainer.train_command is None or trainer.layout in ("captions", "npz")
        if captions is not None and not shown:
            raise ConfigError(
                f"`layout` {trainer.layout} shows a command no captions, and the study varies them; use "
                "captions, or npz"
            )
        return
    guided = trial.setting.sample.guidance != 1
    if guided and not trial.setting.train.label_dropout:
        raise ConfigError("sample.guidance needs a model trained with train.label_dropout above 0")
    network_size(trial.setting.model, drawn.shape, conditions.count)


@functools.lru_cache(maxsize=256)
def network_size(model: ModelConfig, shape: tuple[int, ...], label_count: int) -> tuple[int, int]:
    """Return a network's parameters and the operations of one image forward (a multiply-add is two).

    It is built and run without its weights, which costs next to nothing and says whether it can be.
    """
    with torch.device("meta"), torch.no_grad():
        network = build_denoiser(model, shape, label_count=label_count, seed=0)
        asked = torch.zeros(1, dtype=torch.int64) if label_count else None
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, *shape), torch.empty(1), asked)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops()
