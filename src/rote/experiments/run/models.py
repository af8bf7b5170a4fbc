"""The models of a run, one after the other as its training goes on: rote's own, or a trainer's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import RunError
from rote.core.run_folder import Run
from rote.core.seeds import Purpose, child_seed
from rote.data.convert import as_items, in_own_units
from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
from rote.diffusion.conditioning import Conditioning, conditioning, drawn_labels
from rote.diffusion.probes.gap import GapCurve, GapProbe, gap_probe
from rote.diffusion.probes.gap_file import checkpoint_probe
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.experiments.run.spec import RunSpec
from rote.experiments.trainers.command import command_trainer
from rote.experiments.trainers.config import TrainerConfig, import_trainer
from rote.experiments.trainers.function import said, train_by
from rote.experiments.trainers.protocol import SEEDS, TrainedModel, TrainingJob
from rote.experiments.trainers.samples import as_samples

ASKED, COMPARED = 8, 64
"""Samples that are asked for to tell two seeds apart, and the most by which two sets are told apart."""
Progress = Callable[[str, int, int], None]
"""Told a stage, how far it is, and how far it goes."""


class Model(Protocol):
    """A model at one moment of a run's training."""

    @property
    def images_seen(self) -> int:
        """Training items seen so far."""
        ...

    @property
    def reusable(self) -> bool:
        """Whether it can still be sampled when the training has gone on."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that samples have; empty without labels."""
        ...

    def draw(self, numbers: range, *, most: int, purpose: Purpose, stage: str) -> Dataset:
        """Return the samples of some numbers of ``most``, in model units, with their seeds."""
        ...

    def gap(self, rest: Dataset) -> GapCurve | None:
        """Measure the gap to the optimum; ``rest`` are items outside the training set."""
        ...


class Models(Protocol):
    """The training of a run."""

    def planned(self, seen: int) -> int | None:
        """Return the images seen at its end, if they are known once ``seen`` were."""
        ...

    def __iter__(self) -> Iterator[Model]:
        """Train from snapshot to snapshot, or take what an earlier call has left."""
        ...


class OwnModels:
    """The snapshots of rote's own training."""

    def __init__(
        self,
        spec: RunSpec,
        training: Dataset,
        *,
        should_stop: Callable[[], bool],
        on_progress: Progress,
        on_metrics: Callable[[dict[str, float]], None],
    ) -> None:
        self.spec, self.training = spec, training
        self.should_stop, self.on_progress, self._on_metrics = should_stop, on_progress, on_metrics
        self._snapshots = spec.setting.train.snapshots(len(training))
        self._probe: GapProbe | None = None

    def planned(self, seen: int) -> int | None:
        """Return the length of the training."""
        return self._snapshots[-1]

    def __iter__(self) -> Iterator[Model]:
        """Train to each snapshot, or to the last alone where no other is scored."""
        best = self.spec.setting.scoring.snapshot == "best"
        for seen in self._snapshots if best else self._snapshots[-1:]:
            train(
                self.training,
                self.spec.setting.model,
                self.spec.setting.train,
                out=self.spec.folder,
                seed=self.spec.root_seed,
                device=self.spec.device,
                until=seen,
                should_stop=self.should_stop,
                on_progress=lambda seen, total: self.on_progress("train", seen, total),
                on_metrics=self._on_metrics,
            )
            yield OwnModel(self, seen)

    def probe(self, checkpoint: Checkpoint, rest: Dataset) -> GapProbe:
        """Return what all snapshots' gaps are measured with, made once."""
        if self._probe is None:
            self._probe = checkpoint_probe(
                checkpoint,
                self.training,
                rest,
                seed=self.spec.root_seed,
                device=self.spec.device,
            )
        return self._probe


class OwnModel:
    """A snapshot of rote's own training; read from its file when it is asked."""

    reusable = True

    def __init__(self, models: OwnModels, images_seen: int) -> None:
        self._models, self.images_seen = models, images_seen

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        folder = self._models.spec.folder / "checkpoints"
        return load_checkpoint(folder / f"{self.images_seen}.safetensors")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that it knows."""
        return tuple(str(label) for label in range(self._checkpoint.label_count))

    def draw(self, numbers: range, *, most: int, purpose: Purpose, stage: str) -> Dataset:
        """Sample items by number, each from its own seed; labels uniform over those trained on."""
        spec, start, checkpoint = self._models.spec, numbers.start, self._checkpoint
        seeds = [child_seed(spec.root_seed, purpose, number) for number in numbers]
        labels = None
        if checkpoint.label_count:
            every = drawn_labels(
                checkpoint.label_count,
                most,
                unused=checkpoint.unused_labels,
                seed=child_seed(spec.root_seed, purpose, -1),
            )
            labels = torch.from_numpy(every[start : numbers.stop])
        drawn = sample(
            checkpoint.denoiser(weights=spec.setting.scoring.weights, device=spec.device),
            seeds,
            shape=checkpoint.shape,
            config=spec.setting.sample,
            labels=labels,
            device=spec.device,
            should_stop=self._models.should_stop,
            on_progress=lambda done, _: self._models.on_progress(stage, start + done, most),
        )
        return replace(
            as_items(drawn, self._models.training, source=""),
            labels=None if labels is None else labels.numpy(),
            classes=self.classes,
            seeds=np.array(seeds, np.int64),
        )

    def gap(self, rest: Dataset) -> GapCurve:
        """Measure the gap of this snapshot."""
        spec = self._models.spec
        denoiser = self._checkpoint.denoiser(
            weights=spec.setting.scoring.weights, device=spec.device
        )
        return self._models.probe(self._checkpoint, rest).curve(denoiser)


class TrainerModels:
    """The models that a trainer yields."""

    def __init__(
        self,
        spec: RunSpec,
        training: Dataset,
        trainer: TrainerConfig,
        *,
        should_stop: Callable[[], bool],
        on_progress: Progress,
    ) -> None:
        self.spec, self.training, self._trainer = spec, training, trainer
        self._should_stop, self._on_progress = should_stop, on_progress
        self.who, self.sampler = trainer.name, trainer.sampler
        self._planned: int | None = None
        self._probe: GapProbe | None = None
        own = replace(training, items=in_own_units(training), scaling=None)
        if spec.setting.labels:
            given = conditioning(training, spec.setting.train, seed=spec.root_seed)
            own = labelled(own, given, true=spec.setting.train.labels == "true")
        self.job = TrainingJob(
            data=own,
            seed=spec.root_seed % SEEDS,
            folder=spec.folder / "trainer",
            device=spec.device,
            threads=torch.get_num_threads(),
            settings=dict(trainer.settings),
            should_stop=should_stop,
        )

    def planned(self, seen: int) -> int | None:
        """Return what the last model said."""
        return None if self._planned is None else max(self._planned, seen)

    def __iter__(self) -> Iterator[Model]:
        """Ask the trainer."""
        self.job.folder.mkdir(parents=True, exist_ok=True)
        self._run().close()
        trainer = (
            import_trainer(self._trainer.function)
            if self._trainer.function
            else command_trainer(self._trainer, samples=self.spec.setting.scoring.samples)
        )
        self._on_progress("train", 0, 1)
        first = True
        for model in self._timed(train_by(trainer, self.job, who=self.who)):
            self._planned = model.planned
            own = TrainerModel(self, model)
            if first and self._trainer.function:
                own.try_seeds()
            first = False
            yield own
            self._on_progress("train", model.images_seen, model.planned or model.images_seen)

    def _run(self) -> Run:
        return Run(self.spec.folder, self.spec.to_json(), facts={"device": self.spec.device})

    def _timed(self, models: Iterator[TrainedModel]) -> Iterator[TrainedModel]:
        """Note what the trainer takes from model to model."""
        while True:
            started = time.monotonic()
            try:
                model = next(models, None)
            finally:
                with self._run() as run:
                    run.add_seconds("train", time.monotonic() - started)
            if model is None:
                return
            yield model

    def samples(self, model: TrainedModel, num: int, seed: int) -> Dataset:
        """Ask a sampler; return what it gave in model units."""
        with said(self.job.folder, self.sampler):
            given = model.sample(num, seed)
        return as_samples(
            given, num, like=self.training, value_range=model.value_range, who=self.sampler
        )

    def probe(self, rest: Dataset) -> GapProbe:
        """Return what all models' gaps are measured with, made once."""
        if self._probe is None:
            self._probe = gap_probe(
                self.training, rest, seed=self.spec.root_seed, device=self.spec.device
            )
        return self._probe


def labelled(training: Dataset, given: Conditioning, *, true: bool) -> Dataset:
    """Return a training set with the labels that its model is conditioned on, or without any."""
    if given.labels is None:
        return replace(training, labels=None, classes=())
    classes = training.classes if true else tuple(str(label) for label in range(given.count))
    return replace(training, labels=given.labels.numpy(), classes=classes)


class TrainerModel:
    """A model that a trainer yielded."""

    classes: tuple[str, ...] = ()

    def __init__(self, models: TrainerModels, model: TrainedModel) -> None:
        self._models, self._model = models, model
        self.images_seen, self.reusable = model.images_seen, model.reusable
        self._seen: dict[int, npt.NDArray[Any]] = {}

    def draw(self, numbers: range, *, most: int, purpose: Purpose, stage: str) -> Dataset:
        """Ask the sampler for as many samples as there are numbers, with one seed for all."""
        seed = child_seed(self._models.spec.root_seed, purpose, numbers.start) % SEEDS
        found = self._models.samples(self._model, len(numbers), seed)
        self._compare(found.items[:COMPARED].copy(), seed)
        return replace(found, seeds=np.full(len(found), seed, np.int64))

    def try_seeds(self) -> None:
        """Ask for a few samples of two seeds; see `_compare`."""
        for number in range(2):
            seed = child_seed(self._models.spec.root_seed, "select", -2, number) % SEEDS
            self._compare(self._models.samples(self._model, ASKED, seed).items, seed)

    def _compare(self, items: npt.NDArray[Any], seed: int) -> None:
        """Refuse a sampler that gives the same samples for two seeds: a draw more would tell nothing."""
        for other, before in self._seen.items():
            count = min(len(items), len(before))
            varied = bool((items[:count] != items[:1]).any())
            if other != seed and varied and np.array_equal(items[:count], before[:count]):
                raise RunError(
                    f"{self._models.sampler} gave the same {count} samples for two seeds; it must use "
                    "the seed that it is given"
                )
        self._seen[seed] = items

    def gap(self, rest: Dataset) -> GapCurve | None:
        """Measure the gap, where there is a denoiser."""
        if self._model.denoiser is None:
            return None
        return self._models.probe(rest).curve(self._model.denoiser)
