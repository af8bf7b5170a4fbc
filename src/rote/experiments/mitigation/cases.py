"""The model that remedies are tried on, from what a person gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rote.core.devices import resolve_device
from rote.core.errors import ConfigError
from rote.data.ahead.existing import PIPELINE, near
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.options import ReadOptions
from rote.data.sides import as_dataset, as_sides
from rote.diffusion.pipelines.opened import OpenPipeline, open_pipeline
from rote.diffusion.probes.sides import sides_of_run, told_of_run
from rote.experiments.mitigation.case import Case, RunCase, TrainerCase
from rote.experiments.mitigation.pipeline_case import (
    Drawn,
    PipelineCase,
    captions_of,
    check_size,
    through_autoencoder,
)
from rote.experiments.trainers.config import TrainerConfig, resolved
from rote.experiments.trainers.protocol import Trainer

Model = str | Path | OpenPipeline | Trainer | TrainerConfig


def case_of(
    run: Model,
    out: Path,
    training: Any,
    holdout: Any,
    *,
    seed: int,
    device: str | None,
    guidance: float | None = None,
    steps: int | None = None,
) -> tuple[Case, str]:
    """Return the model that remedies are tried on, and what it is called.

    Parameters
    ----------
    run, training, holdout, device
        As `rote.try_remedies` takes them.
    out
        Below which trainings lie.
    seed
        Of a trainer's training; a run has its own.
    """
    folder = out / "trainings"
    if isinstance(run, OpenPipeline):
        found = _of_pipeline(run, folder, training, holdout, seed, guidance, steps)
        return found, run.name
    if guidance is not None or steps is not None:
        raise ConfigError("`guidance` and `steps` are how a pipeline draws; leave them out")
    if isinstance(run, Path) or (isinstance(run, str) and (Path(run).exists() or ":" not in run)):
        return _of_run(Path(run), folder, training, holdout, device), str(run)
    if training is None or holdout is None:
        raise ConfigError("a trainer needs data: give `training` and `holdout`")
    trainer = resolved(run, here=True)
    assert trainer is not None
    _, whole, fresh = as_sides(training, training, holdout)
    scaled, scaling = for_models(whole)
    assert fresh is not None
    fresh = fresh if scaling is None else fresh.scaled(scaling)
    where = resolve_device(device or "auto")
    return TrainerCase(scaled, _fresh(fresh, scaled), folder, where, seed, trainer), trainer.name


def pipeline_of(run: Model, *, device: str | None) -> Model:
    """Open the folder of a pipeline; whatever else it is comes back as it is."""
    if isinstance(run, str | Path) and (Path(run).expanduser() / PIPELINE).exists():
        return open_pipeline(run, device=device or "auto")
    return run


def _of_run(run: Path, folder: Path, training: Any, holdout: Any, device: str | None) -> RunCase:
    if not run.exists():
        raise ConfigError(
            f"{run} does not exist{near(run)}; give the folder of a finished `rote train`, or of a "
            "pipeline of diffusers"
        )
    told = told_of_run(run)
    sides = sides_of_run(run, data=training, holdout=holdout)
    where = resolve_device(device or told.device)
    fresh = _fresh(sides.holdout, sides.training)
    return RunCase(sides.training, fresh, folder, where, told.seed, run)


def _of_pipeline(
    pipeline: OpenPipeline,
    folder: Path,
    training: Any,
    holdout: Any,
    seed: int,
    guidance: float | None,
    steps: int | None,
) -> PipelineCase:
    """Return a pipeline with its images as its own autoencoder gives them back."""
    if training is None or holdout is None:
        raise ConfigError(
            "a pipeline needs data: give `training`, its pictures with their captions, and `holdout`"
        )
    options = ReadOptions(resolution=pipeline.size, channels=3)
    known, others = (as_dataset(side, options=options) for side in (training, holdout))
    check_size(known, pipeline, argument="training")
    check_size(others, pipeline, argument="holdout")
    prompts = captions_of(known, argument="training")
    told = tuple(dict.fromkeys(text for text in others.captions if text is not None))
    how = Drawn(
        float(pipeline.default("guidance_scale") if guidance is None else guidance),
        int(pipeline.default("num_inference_steps") if steps is None else steps),
    )
    if how.steps < 1:
        raise ConfigError(f"`steps` is {steps}; give 1 or more")
    others = _fresh(others, known)
    known, others = (through_autoencoder(pipeline, side) for side in (known, others))
    new = tuple(text for text in told if text not in set(prompts))
    return PipelineCase(known, others, folder, pipeline.device, seed, pipeline, prompts, new, how)


def _fresh(holdout: Dataset, training: Dataset) -> Dataset:
    """Leave out held-out items that were trained on."""
    return holdout.take(holdout.outside(training))
