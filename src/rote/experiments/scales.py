"""How large a study is: `smoke`, `cpu` and `paper`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from rote.core.config import StrictModel
from rote.core.errors import ConfigError, did_you_mean
from rote.diffusion.config import ModelConfig, Positive, SampleConfig, TrainConfig
from rote.experiments.config import preset
from rote.memorization.defaults import RATIO_THRESHOLD


class Scoring(StrictModel):
    """How a run is scored."""

    samples: Positive
    """Fresh samples whose rate is the result."""
    selection_samples: Positive = 10_000
    """Samples on which each snapshot is scored to choose one (snapshot=best)."""
    snapshot: Literal["last", "best"] = "last"
    """"best" (the paper): the snapshot with the highest rate; "last": the end of the training."""
    weights: Literal["ema", "raw"] = "ema"
    """Which weights are sampled."""
    ratio_threshold: Annotated[float, Field(ge=0.001, le=1)] = RATIO_THRESHOLD
    """Memorized: closer to the nearest than this share of the second distance."""
    subset: Literal["random", "archive"] = "random"
    """Every run draws its own images, or takes the first ones of the source (the paper)."""
    stratify: bool = False
    """The same number of each class."""


@dataclass(frozen=True)
class Scale:
    """A scale: the baseline's configuration, the size of the training set, how many runs."""

    name: str
    model: ModelConfig
    train: TrainConfig
    sample: SampleConfig
    scoring: Scoring
    size: int
    seeds: int
    baseline_seeds: int
    """Runs of a baseline for each run of a value: it takes part in every comparison."""
    margin: float
    """Two rates are alike if their difference is surely no more than this."""


def _smoke() -> Scale:
    return Scale(
        name="smoke",
        # One resolution: half the cost of two. Studies of skip connections take two.
        model=ModelConfig(width=16, channel_mult=(1,), blocks=1, attention_resolutions=()),
        train=TrainConfig(
            batch=32,
            images=8000,
            learning_rate=8e-3,
            ema_halflife_images=200,
            snapshot_images=10**9,
            log_images=800,
        ),
        sample=SampleConfig(steps=6, tile=64),
        scoring=Scoring(samples=64),
        size=6,
        seeds=1,
        baseline_seeds=2,
        margin=0.2,
    )


def _cpu() -> Scale:
    tiny = preset("tiny")
    train = tiny.train.model_copy(
        update={"images": 64_000, "snapshot_images": 10**9, "log_images": 3200}
    )
    return Scale(
        name="cpu",
        model=tiny.model,
        train=train,
        sample=tiny.sample,
        scoring=Scoring(samples=384),
        size=64,
        seeds=2,
        baseline_seeds=2,
        margin=0.15,
    )


def _paper() -> Scale:
    paper = preset("paper")
    return Scale(
        name="paper",
        model=paper.model,
        train=paper.train,
        sample=paper.sample,
        scoring=Scoring(samples=10_000, snapshot="best", subset="archive", stratify=True),
        size=1000,
        seeds=3,  # one run of a value says nothing of how far runs lie apart, and so decides nothing
        baseline_seeds=1,
        margin=0.02,
    )


SCALES: dict[str, Callable[[], Scale]] = {"smoke": _smoke, "cpu": _cpu, "paper": _paper}


def scale(name: str, *, kind: str = "image") -> Scale:
    """Return a scale; for volumes its network, training and sampler are those of their preset.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name not in SCALES:
        raise ConfigError(f"`scale` {name} is unknown{did_you_mean(name, SCALES)}")
    found = SCALES[name]()
    if kind != "volume":
        return found
    own = preset("paper" if name == "paper" else "tiny", kind=kind)
    scoring = found.scoring.model_copy(update={"subset": "random", "stratify": False})
    train = own.train
    if scoring.snapshot == "last":
        train = train.model_copy(update={"snapshot_images": found.train.snapshot_images})
    return replace(found, model=own.model, train=train, sample=own.sample, scoring=scoring)
