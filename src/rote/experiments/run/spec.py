"""What decides a run, and where it lies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rote.data.dataset import Dataset
from rote.data.variants import TrainingSet, Variant, draw_variant
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.experiments.scales import Scoring
from rote.experiments.trainers.config import TrainerConfig
from rote.results.schema import ResultT, read_result


@dataclass(frozen=True)
class Setting:
    """Everything that decides a run, apart from the data, the size and the seed."""

    model: ModelConfig
    train: TrainConfig
    sample: SampleConfig
    scoring: Scoring
    variant: Variant = Variant()  # noqa: RUF009 (frozen)
    size: int | None = None
    """Rows of the training set, where a value of a study says so."""
    trainer: TrainerConfig | None = None
    """Who trains in place of rote; of the rest, scoring, variant and labels count."""
    labels: bool = False
    """With a trainer: ``train.labels`` says which labels it is given; else it has those of the source."""

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        if self.trainer is not None:
            given = {"labels", "random_classes"}
            labels = {"labels": self.train.model_dump(mode="json", include=given)}
            return {
                "trainer": self.trainer.to_json(),
                "scoring": self.scoring.model_dump(mode="json"),
                "variant": self.variant.to_json(),
            } | (labels if self.labels else {})
        return {
            "model": self.model.to_json(),
            "train": self.train.model_dump(mode="json"),
            "sample": self.sample.model_dump(mode="json"),
            "scoring": self.scoring.model_dump(mode="json"),
            "variant": self.variant.to_json(),
        }


@dataclass(frozen=True)
class Staging:
    """How a search spends less on a run that surely lies on one side of 1 - epsilon."""

    epsilon: float
    first_samples: int
    """Samples are drawn in stages, this many first and then always doubling the total."""
    early_stop: bool
    """End the training where its snapshots settle the side."""


@dataclass(frozen=True)
class RunSpec:
    """A run: what it draws, trains, samples and scores. All that a worker needs besides the data."""

    root: Path
    """Folder of all runs."""
    name: str
    """Folder of the run, below ``root``."""
    setting: Setting
    size: int
    """Distinct rows of the training set."""
    replicate: int
    root_seed: int
    """Of the training set, the training and the samples."""
    device: str
    second_at: int | None = None
    """Where the second source begins in the data."""
    staging: Staging | None = None
    """None, as in a study: all is trained and all samples are drawn."""
    gap: bool = False
    """Measure the gap of each scored snapshot to the optimum, too."""

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.root / self.name

    @property
    def file(self) -> Path:
        """The file that is written last: `rote.results.run.PointFile` of a search, else `TrialFile`."""
        return self.folder / ("trial.json" if self.staging is None else "point.json")

    @property
    def is_finished(self) -> bool:
        """Whether its result is there."""
        return self.file.exists()

    def finished(self, model: type[ResultT]) -> ResultT | None:
        """Return the result that an earlier call has left, or None."""
        return read_result(self.file, model) if self.is_finished else None

    def moved(self, root: Path) -> RunSpec:
        """Return the same run below another folder."""
        return replace(self, root=root)

    def to_json(self) -> dict[str, Any]:
        """Return what decides the run as plain types, for a tracker."""
        own = {"size": self.size, "replicate": self.replicate, "seed": self.root_seed}
        staging = {} if self.staging is None else {"staging": asdict(self.staging)}
        return own | self.setting.to_json() | staging

    def draw(self, dataset: Dataset) -> TrainingSet:
        """Draw the training set from the full source (or both)."""
        return draw_variant(
            dataset,
            self.setting.variant,
            self.size,
            seed=self._subset_seed,
            second_at=self.second_at,
            stratify=self.setting.scoring.stratify,
        )

    def rest(self, dataset: Dataset, drawn: TrainingSet) -> Dataset | None:
        """Return what could have been drawn and was not, in the order of the draw, if there is any."""
        order = dataset.subset_indices(len(dataset), seed=self._subset_seed)
        rest = order[np.isin(order, drawn.population) & ~np.isin(order, drawn.rows)]
        return dataset.take(rest) if len(rest) else None

    @property
    def _subset_seed(self) -> int | None:
        """None: always the first items of the source."""
        return self.root_seed if self.setting.scoring.subset == "random" else None
