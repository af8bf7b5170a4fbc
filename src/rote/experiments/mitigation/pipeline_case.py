"""A text-to-image pipeline: what it draws of captions that it was trained on, and of others."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.messages import first_few
from rote.diffusion.pipelines.changes import Change, unchanged
from rote.diffusion.pipelines.drawing import TILE, draw
from rote.diffusion.pipelines.opened import OpenPipeline
from rote.diffusion.pipelines.prompts import Asked, images_of
from rote.experiments.mitigation.case import Case
from rote.spaces.autoencoder import Autoencoder


@dataclass(frozen=True)
class Drawn:
    """How a pipeline draws.

    Attributes
    ----------
    guidance, steps
        Classifier-free guidance, and denoising steps.
    change
        Of the text that the network is told.
    asking
        From an image that is asked for to what the pipeline is asked in its place.
    """

    guidance: float
    steps: int
    change: Change = unchanged
    asking: Callable[[Asked], Asked] = lambda asked: asked


@dataclass(frozen=True, eq=False)
class PipelineSampler:
    """Draws images of the captions that were trained on, and of others."""

    pipeline: OpenPipeline
    prompts: tuple[str, ...]
    other_prompts: tuple[str, ...]
    how: Drawn

    def __call__(self, num: int, seed: int) -> Dataset:
        """Draw ``num`` images of the trained captions in turn: those of `rote sample --prompts`."""
        return self._images(self.prompts, num, seed)

    def others(self, num: int, seed: int) -> Dataset:
        """Draw as many of other captions."""
        return self._images(self.other_prompts, num, seed)

    def _images(self, prompts: Sequence[str], num: int, seed: int) -> Dataset:
        asked = images_of(prompts, each=1, seed=seed, count=num)
        told = [self.how.asking(one) for one in asked]
        parts = [
            draw(
                self.pipeline,
                told[start : start + TILE],
                guidance=self.how.guidance,
                steps=self.how.steps,
                change=self.how.change,
            )
            for start in range(0, num, TILE)
        ]
        return Dataset(
            np.concatenate(parts),
            captions=tuple(one.prompt for one in asked),
            seeds=np.array([one.seed for one in asked], np.int64),
        )


@dataclass(frozen=True, eq=False)
class PipelineCase(Case):
    """A pipeline of diffusers; rote does not train it, so what it draws with can be changed."""

    pipeline: OpenPipeline
    prompts: tuple[str, ...]
    other_prompts: tuple[str, ...]
    how: Drawn

    @property
    def other_captions(self) -> bool:
        """Whether the held-out pictures have captions of their own."""
        return bool(self.other_prompts)

    def identity(self) -> dict[str, Any]:
        """Return its weights, how it draws, and the captions."""
        texts = json.dumps([self.prompts, self.other_prompts]).encode()
        return {
            "seed": self.seed,
            "weights_sha256": self.pipeline.digest(),
            "guidance": self.how.guidance,
            "steps": self.how.steps,
            "dtype": self.pipeline.dtype,
            "prompts_sha256": hashlib.sha256(texts).hexdigest(),
        }

    def sampler(self, **changes: Any) -> PipelineSampler:
        """Return what draws as `rote sample` does, but for ``changes`` of `Drawn`."""
        how = replace(self.how, **changes)
        return PipelineSampler(self.pipeline, self.prompts, self.other_prompts, how)


def through_autoencoder(pipeline: OpenPipeline, images: Dataset) -> Dataset:
    """Return real images as the pipeline's autoencoder gives them back; what has none leaves them."""
    vae = getattr(pipeline.given, "vae", None)
    if vae is None:
        return images
    network = vae if pipeline.dtype == "float32" else copy.deepcopy(vae).float()
    factor = int(pipeline.given.vae_scale_factor)
    return Autoencoder(pipeline.name, "", factor, network, pipeline.device).round_trip(images)


def captions_of(images: Dataset, *, argument: str) -> tuple[str, ...]:
    """Return the different captions of images, in the order in which they first come.

    Raises
    ------
    ConfigError
        If an image has none.
    """
    told = images.captions or (None,) * len(images)
    if missing := [name for name, text in zip(images.names, told, strict=True) if text is None]:
        raise ConfigError(
            f"`{argument}` {images.source} has no caption for {len(missing):,} of {len(images):,} images "
            f"({first_few(missing)}), and a pipeline is asked for those; caption every image, with a "
            "metadata.jsonl or a .txt file beside it"
        )
    return tuple(dict.fromkeys(text for text in told if text is not None))


def check_size(images: Dataset, pipeline: OpenPipeline, *, argument: str) -> None:
    """Refuse images of another size than the pipeline makes.

    Raises
    ------
    DataError
        With the option that mends it.
    """
    wanted = (3, pipeline.size, pipeline.size)
    if images.shape != wanted:
        raise DataError(
            f"`{argument}` {images.source} has images of {images.shape} and the pipeline makes {wanted}; "
            f"load them with `resolution` {pipeline.size} and `channels` 3"
        )
