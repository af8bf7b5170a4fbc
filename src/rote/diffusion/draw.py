"""Samples of a snapshot as a data set: those of `rote sample`, wherever they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from rote.core.seeds import child_seed
from rote.data.convert import from_model
from rote.data.dataset import Dataset, kind_of_shape
from rote.data.scaling import Scaling
from rote.diffusion.checkpoint import Checkpoint, Weights
from rote.diffusion.conditioning import drawn_labels
from rote.diffusion.config import SampleConfig
from rote.diffusion.sample import DenoiserLike, sample

Change = Callable[[DenoiserLike], DenoiserLike]
"""Puts something between a denoiser and the sampler."""


def draw(
    checkpoint: Checkpoint,
    count: int,
    *,
    seed: int,
    device: str,
    config: SampleConfig | None = None,
    weights: Weights = "ema",
    label: int | None = None,
    change: Change = lambda denoiser: denoiser,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Dataset:
    """Draw ``count`` samples of a snapshot, in the units of its training data, with their noise seeds.

    Parameters
    ----------
    checkpoint
        The snapshot.
    count
        How many.
    seed
        Root seed: sample i is a function of (seed, i) and, if conditional, of its label.
    device
        "cpu" or "cuda".
    config
        The sampler; None takes the defaults.
    weights
        "ema" or "raw".
    label
        Of all samples of a conditional model; None draws them uniformly from those trained on.
    change
        What is put around the denoiser.
    on_progress
        Called with the samples drawn and their total.
    """
    labels = None
    if checkpoint.label_count:
        uniform = drawn_labels(
            checkpoint.label_count,
            count,
            unused=checkpoint.unused_labels,
            seed=child_seed(seed, "labels"),
        )
        labels = torch.from_numpy(uniform if label is None else np.full(count, label))
    seeds = noise_seeds(count, seed)
    drawn = sample(
        change(checkpoint.denoiser(weights=weights, device=device)),
        seeds,
        shape=checkpoint.shape,
        config=config,
        labels=labels,
        device=device,
        on_progress=on_progress,
    )
    images = from_model(drawn, kind=kind_of_shape(checkpoint.shape))
    schema = None
    if checkpoint.facts["scaling"]:
        scaling = Scaling.from_json(checkpoint.facts["scaling"])
        images, schema = scaling.invert(images), scaling.schema
    found = Dataset(
        images, source=str(checkpoint.path), seeds=np.array(seeds, np.int64), schema=schema
    )
    if labels is not None:
        names = tuple(str(number) for number in range(checkpoint.label_count))
        found = replace(found, labels=labels.numpy(), classes=names)
    return found


def noise_seeds(count: int, seed: int) -> list[int]:
    """Return the noise seed of each sample."""
    return [child_seed(seed, "sample", number) for number in range(count)]
