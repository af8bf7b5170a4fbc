"""The configuration of a whole experiment, and the presets `tiny`, `small` and `paper`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rote.core.config import StrictModel
from rote.core.errors import ConfigError, did_you_mean
from rote.diffusion.config import ModelConfig, Positive, SampleConfig, TrainConfig
from rote.experiments.trainers.config import TrainerConfig
from rote.memorization.defaults import RATIO_THRESHOLD


class SearchConfig(StrictModel):
    """How the EMM is searched for."""

    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The EMM is the largest size whose rate is at least 1 - epsilon."""
    tolerance: Annotated[float, Field(gt=0)] = 0.1
    """Runs are added until the ends of the EMM's interval lie within a factor of 1 + tolerance of its
    middle."""
    replicates: Positive = 1
    """Fewest runs of the trained size nearest the EMM."""
    max_runs: Positive = 100
    """Runs after which no new round begins."""
    budget_images: Positive | None = None
    """Images seen by all trainings together after which no new round begins; None: no limit."""
    budget_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds within which all runs are to end: what a run takes is learned from those that have ended,
    and none begins that would not end in time; None: no limit. The one setting by which the speed of a
    machine changes a result."""
    start: Annotated[int, Field(ge=2)] = 64
    """The smaller of the two sizes of the first round."""
    min_size: Annotated[int, Field(ge=2)] = 4
    """Smallest size that may be trained."""
    max_size: Positive | None = None
    """Largest size that may be trained; None: the whole data set."""
    steps_per_octave: Positive = 4
    """Sizes lie on the grid start * 2^(i / steps_per_octave)."""
    points_per_round: Positive = 2
    """Runs proposed together. Part of the design, not of the machine: the number of workers never
    changes which runs are trained."""
    snapshot: Literal["best", "last"] = "best"
    """"best" (the paper): the snapshot with the highest rate on a selection sample, measured on fresh
    samples. "last": a fixed training budget; no selection sample is needed."""
    early_stop: bool = True
    """End a training where its snapshots settle on which side of 1 - epsilon it will be (needs
    snapshot=best)."""
    selection_samples: Positive = 256
    """Most samples on which a snapshot is scored, to choose one."""
    fresh_samples: Positive = 1000
    """Most fresh samples on which the chosen snapshot is scored."""
    first_samples: Positive = 128
    """Samples are drawn in stages, this many first and then always doubling the total, until they are
    enough to place the run or the most is reached."""
    gap: bool = True
    """Measure each scored snapshot's gap to the theoretical optimum, too (no sampling needed)."""
    ratio_threshold: Annotated[float, Field(ge=0.001, le=1)] = RATIO_THRESHOLD
    """Memorized: closer to the nearest than this share of the second distance."""
    subset: Literal["random", "archive"] = "random"
    """"random": every run draws its own subset. "archive" (the paper): always the first items of the
    source, so that runs of one size differ by their other seeds alone."""
    stratify: bool = False
    """The same number of each class; sizes are then multiples of the number of classes."""
    weights: Literal["ema", "raw"] = "ema"
    """Which weights are sampled: the moving average, or the raw ones."""
    threads: Positive = 1
    """Threads of each worker. Part of the design, since the last bits of a sum depend on it."""


class ExperimentConfig(StrictModel):
    """Everything that decides the numbers of an experiment, apart from the data and the seed."""

    model: ModelConfig
    train: TrainConfig
    sample: SampleConfig
    search: SearchConfig
    trainer: TrainerConfig | None = None
    """Who trains and samples in place of rote; model, train and sample then count for nothing."""

    def to_json(self) -> dict[str, Any]:
        """Return what counts, as plain types."""
        left_out = {"trainer"} if self.trainer is None else {"model", "train", "sample"}
        value = self.model_dump(mode="json", exclude=left_out)
        if self.trainer is not None:
            return value | {"trainer": self.trainer.to_json()}
        return value | {"model": self.model.to_json()}

    @model_validator(mode="after")
    def _check(self) -> ExperimentConfig:
        if self.sample.guidance != 1 and not self.train.label_dropout:
            raise ValueError(
                "sample.guidance needs a model trained with train.label_dropout above 0"
            )
        return self


def _tiny() -> ExperimentConfig:
    """Minutes on two CPU cores: a network of 0.18 M parameters on 8x8 images."""
    return ExperimentConfig(
        model=ModelConfig(width=16, channel_mult=(1, 2), blocks=1, attention_resolutions=()),
        train=TrainConfig(
            batch=64,
            images=64 * 1200,
            learning_rate=1e-3,
            ema_halflife_images=2000,
            snapshot_images=64 * 300,
            log_images=64 * 20,
        ),
        sample=SampleConfig(),
        search=SearchConfig(start=32, tolerance=0.4),
    )


def _small() -> ExperimentConfig:
    """Under an hour on two CPU cores: 8x8 to 16x16 color images."""
    return ExperimentConfig(
        model=ModelConfig(width=32, channel_mult=(1, 2), blocks=1, attention_resolutions=()),
        train=TrainConfig(
            batch=64,
            images=64 * 2500,
            learning_rate=1e-3,
            ema_halflife_images=5000,
            snapshot_images=64 * 625,
            log_images=64 * 25,
        ),
        sample=SampleConfig(),
        search=SearchConfig(start=32),
    )


def _paper() -> ExperimentConfig:
    """The basic configuration of Gu et al. (2025): CIFAR-10 at 32x32, a GPU and days."""
    return ExperimentConfig(
        model=ModelConfig(dropout=0.13, preconditioning="vp"),
        train=TrainConfig(
            batch=512,
            epochs=40_000,
            learning_rate=2e-4,
            warmup_epochs=200,
            ema_halflife_images=500_000,
            ema_rampup=0.05,
            ema_rampup_reference=50_000,
            order="fixed",
            snapshot_images=2_500_000,
            log_images=50_000,
        ),
        sample=SampleConfig(),
        search=SearchConfig(
            start=1000,
            min_size=100,
            selection_samples=10_000,
            fresh_samples=10_000,
            subset="archive",
            stratify=True,
        ),
    )


PRESETS: dict[str, Callable[[], ExperimentConfig]] = {
    "tiny": _tiny,
    "small": _small,
    "paper": _paper,
}


def preset(name: str, *, kind: str = "image") -> ExperimentConfig:
    """Return a preset for images, volumes, vectors (a residual perceptron, no U-Net) or series.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name not in PRESETS:
        raise ConfigError(f"`preset` {name} is unknown{did_you_mean(name, PRESETS)}")
    config = PRESETS[name]()
    if kind != "image":
        if kind == "vector":
            width = {"tiny": 128, "small": 256, "paper": 1024}[name]
            model = ModelConfig(architecture="mlp", width=width, blocks=4)
        else:
            own = {"series": "unet1d", "volume": "unet3d"}[kind]
            model = config.model.model_copy(update={"architecture": own})
        search = config.search.model_copy(
            update={"stratify": False, "subset": "random", "start": min(64, config.search.start)}
        )
        config = config.model_copy(update={"model": model, "search": search})
    return _of_volumes(config, name) if kind == "volume" else config


def _of_volumes(config: ExperimentConfig, name: str) -> ExperimentConfig:
    """Return a preset that draws fewer volumes at once; `tiny` is sized for 24x24x24 voxels."""
    sample = config.sample.model_copy(update={"tile": 16})
    if name != "tiny":
        return config.model_copy(update={"sample": sample})
    # Training items of 13,824 voxels are told apart at sigma 15 to 30, where EDM's own noise hardly goes;
    # and a place of 64 channels cannot carry the noise of 512 voxels out again (docs/decisions/049).
    noise = {"p_mean": 1.0, "p_std": 1.5, "sigma_data": 0.07}
    model = config.model.model_copy(update={"width": 64, "channel_mult": (1,), "patch": 8, **noise})
    train = config.train.model_copy(
        update={
            "batch": 16,
            "images": 16 * 1000,
            "learning_rate": 2e-3,
            "ema_halflife_images": 1600,
            "snapshot_images": 16 * 500,
            "log_images": 16 * 20,
        }
    )
    search = config.search.model_copy(
        update={"start": 16, "selection_samples": 64, "fresh_samples": 256, "first_samples": 64}
    )
    sample = sample.model_copy(update={"steps": 10, "sigma_min": 0.3})
    return config.model_copy(
        update={"model": model, "train": train, "sample": sample, "search": search}
    )
