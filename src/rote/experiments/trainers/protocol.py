"""What anyone's training must offer so that rote can search its EMM: a function of one job.

def trainer(job):
    model = fit(job.data.items, seed=job.seed, rate=job.settings["rate"])
    yield rote.TrainedModel(images_seen=64_000, sample=lambda num, seed: model.draw(num, seed))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.data.dataset import Dataset
from rote.diffusion.sample import DenoiserLike
from rote.memorization.monitor.value_range import ValueRange

SEEDS = 2**31
"""Seeds of trainers and samplers lie below this: many libraries take no larger ones."""
Sampler = Callable[[int, int], Any]
"""From a number of samples and a seed to so many samples, another set for every seed."""


@dataclass(frozen=True)
class TrainingJob:
    """One training that is asked for: the only argument of a trainer."""

    data: Dataset
    """The training set, in its own units: ``data.items`` are uint8 images (N, H, W, C), float32 rows
    (N, D) or series (N, T, C); ``data.labels``, ``data.classes`` and ``data.captions`` where the source
    has them."""
    seed: int
    """In [0, 2**31). Two jobs that differ in their seed alone are replicates."""
    folder: Path
    """Of this training alone. It is there, and stays between calls: what is left here can be resumed
    from; a trainer that cannot resume starts again."""
    device: str
    """"cpu" or "cuda"."""
    threads: int
    """CPU threads it may use."""
    settings: Mapping[str, Any]
    """What the caller has set; plain values."""
    should_stop: Callable[[], bool]
    """True once the work is to end: what can be resumed should then be saved, and the function return.
    Looking is optional; between two snapshots rote looks itself."""


@dataclass(frozen=True)
class TrainedModel:
    """A model at one moment of its training: what a trainer yields."""

    images_seen: int
    """Training items seen so far, repeats counted; later snapshots have seen more."""
    sample: Sampler
    """``sample(num, seed)`` returns ``num`` samples: uint8 or float (N, H, W, C) arrays or (N, C, H, W)
    tensors as `rote.MemorizationRate` takes them, float (N, D) rows or (N, T, C) series."""
    reusable: bool = False
    """Whether ``sample`` goes on to draw from this moment when the training has gone on (it holds a copy
    of the weights, or reads a file). Where it does not, every sample is drawn before the next one is
    asked for, which costs samples of snapshots that are not chosen."""
    planned: int | None = None
    """Images seen at the end of the training, if it is known: a training that surely stays below the
    line is then ended early."""
    value_range: ValueRange | None = None
    """What samples of floating point mean, if they are images: (-1, 1) or (0, 1)."""
    denoiser: DenoiserLike | None = None
    """D(x, sigma, labels) in model units (images in [-1, 1]), if there is one: gaps to the theoretical
    optimum are then measured."""


Trainer = Callable[[TrainingJob], "Iterable[TrainedModel] | TrainedModel"]
"""Trains, and yields the model now and then, or returns the one model that it ends with."""
