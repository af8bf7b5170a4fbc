"""The model that copies, as remedies see it: what it draws, its data, and how to train it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from rote.core.atomic_files import read_json
from rote.core.config import parse_config
from rote.data.convert import in_own_units
from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint, snapshot_paths
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.draw import Change, draw
from rote.diffusion.training.loop import train
from rote.experiments.trainers.command import command_trainer
from rote.experiments.trainers.config import TrainerConfig, import_trainer
from rote.experiments.trainers.function import said, train_by
from rote.experiments.trainers.protocol import (
    SEEDS,
    Sampler,
    TrainedModel,
    TrainingJob,
)
from rote.experiments.trainers.samples import as_samples

LAST_ALONE = 10**15


@dataclass(frozen=True, eq=False)
class Case:
    """A model that copies.

    Attributes
    ----------
    training, holdout
        What it was trained on and what not, in model units.
    folder
        Where trainings of remedies lie.
    device
        "cpu" or "cuda".
    seed
        Of its training.
    """

    training: Dataset
    holdout: Dataset
    folder: Path
    device: str
    seed: int

    @property
    def own(self) -> bool:
        """Whether rote trained it, so that its snapshots and its sampling can be changed."""
        return False

    @property
    def other_captions(self) -> bool:
        """Whether it can be asked for captions that it was not trained on."""
        return False

    def identity(self) -> dict[str, Any]:
        """Return what tells this model from others on the same data, as plain types."""
        raise NotImplementedError

    def sampler(self) -> Sampler:
        """Return what draws from the model as it is: ``sample(num, seed)``."""
        raise NotImplementedError

    def trained(
        self,
        training: Dataset,
        name: str,
        *,
        images: float,
        changes: Mapping[str, Mapping[str, Any]],
    ) -> Sampler:
        """Train it again and return what draws from it.

        Parameters
        ----------
        training
            In model units.
        name
            Folder of the training.
        images
            Images to see, of those that the model itself has seen.
        changes
            Of its configuration: "train" and "model".
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class RunCase(Case):
    """A run of `rote train`."""

    run: Path

    @property
    def own(self) -> bool:
        """Yes."""
        return True

    def identity(self) -> dict[str, Any]:
        """Return the seed and the end of the training, and its configuration."""
        seen, config = self.checkpoint.images_seen, self.config.model_dump(mode="json")
        return {"seed": self.seed, "images_seen": seen, "train": config}

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The newest snapshot."""
        return load_checkpoint(self.run)

    @cached_property
    def config(self) -> TrainConfig:
        """Its training."""
        path = self.run / "config.json"
        return parse_config(TrainConfig, read_json(path)["train"], where=str(path))

    def snapshots(self) -> dict[int, Path]:
        """Return the snapshots by the images that they have seen."""
        return {int(path.stem): path for path in snapshot_paths(self.run)}

    @property
    def labels_may_be_left_out(self) -> bool:
        """Whether it can draw without a label and with one."""
        return bool(self.checkpoint.label_count and self.config.label_dropout)

    def sampler(
        self,
        *,
        config: SampleConfig | None = None,
        change: Change = lambda denoiser: denoiser,
        checkpoint: Checkpoint | None = None,
    ) -> Sampler:
        """Return what draws as `rote sample` does, with another sampler, denoiser or snapshot."""

        def sample(num: int, seed: int) -> Dataset:
            return draw(
                checkpoint or self.checkpoint,
                num,
                seed=seed,
                device=self.device,
                config=config,
                change=change,
            )

        return sample

    def trained(
        self,
        training: Dataset,
        name: str,
        *,
        images: float,
        changes: Mapping[str, Mapping[str, Any]],
    ) -> Sampler:
        """Train as the run was, from the same seed; a training that is there already is taken."""
        total = round(images * self.config.total_images(len(self.training)))
        times = {"images": total, "epochs": None, "snapshot_images": LAST_ALONE}
        told = self.config.model_dump() | times | dict(changes.get("train", {}))
        model = self.checkpoint.model.to_json() | dict(changes.get("model", {}))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as `rote train` does unless told otherwise
        try:
            checkpoint = train(
                training,
                parse_config(ModelConfig, model, where=name),
                parse_config(TrainConfig, told, where=name),
                out=self.folder / name,
                seed=self.seed,
                device=self.device,
            )
        finally:
            torch.set_num_threads(threads)
        return self.sampler(checkpoint=checkpoint)


@dataclass(frozen=True, eq=False)
class TrainerCase(Case):
    """Anyone's training; it is told nothing but its data, so only these can be changed."""

    trainer: TrainerConfig

    def identity(self) -> dict[str, Any]:
        """Return the trainer with its settings, and the seed."""
        return {"seed": self.seed, "trainer": self.trainer.to_json()}

    def sampler(self) -> Sampler:
        """Train on the data as they are."""
        return self._as_it_is

    @cached_property
    def _as_it_is(self) -> Sampler:
        return self.trained(self.training, "as-it-is", images=1, changes={})

    def trained(
        self,
        training: Dataset,
        name: str,
        *,
        images: float,
        changes: Mapping[str, Mapping[str, Any]],
    ) -> Sampler:
        """Call the trainer and take its last model; how many images it sees is its own affair."""
        assert images == 1
        assert not changes
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        job = TrainingJob(
            data=replace(training, items=in_own_units(training), scaling=None),
            seed=self.seed % SEEDS,
            folder=folder,
            device=self.device,
            threads=torch.get_num_threads(),
            settings=dict(self.trainer.settings),
            should_stop=lambda: False,
        )
        function = (
            import_trainer(self.trainer.function)
            if self.trainer.function
            else command_trainer(self.trainer, samples=0)
        )
        *_, last = train_by(function, job, who=self.trainer.name)
        return partial(self._drawn, last, job)

    def _drawn(self, model: TrainedModel, job: TrainingJob, num: int, seed: int) -> Dataset:
        with said(job.folder, self.trainer.sampler):
            given = model.sample(num, seed % SEEDS)
        return as_samples(
            given,
            num,
            like=self.training,
            value_range=model.value_range,
            who=self.trainer.sampler,
        )
