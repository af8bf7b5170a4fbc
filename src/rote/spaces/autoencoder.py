"""Real images through a latent model's autoencoder, before they are measured.

What a latent diffusion model makes has been through its decoder, and no image of the training side has.
The autoencoder's own error then lies between a copy and its original, and hides it. So the training side,
and the held-out one as the control that it is, go through the same encoder and decoder:
x -> D(mean of E(x)), rounded to 8 bits as samples are.

The autoencoder is diffusers' `AutoencoderKL`, by the name of a repository or a folder with config.json
and diffusion_pytorch_model.safetensors. Of the folder of a pipeline it is the part `vae`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError, first_line
from rote.core.installation import extra
from rote.core.progress.work import reported
from rote.data.ahead.existing import PIPELINE
from rote.data.convert import from_model, to_model
from rote.data.dataset import Dataset
from rote.data.resample import set_channels
from rote.spaces.hub_network import misfits, quiet
from rote.spaces.parse import file_digest

WEIGHTS = "diffusion_pytorch_model.safetensors"
TILE = 8
"""Images at once; the last tile is filled up, so that a result depends on its own image alone."""


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A loaded autoencoder.

    Attributes
    ----------
    factor
        Height and width of images must be multiples of it.
    """

    name: str
    weights_sha256: str
    factor: int
    network: Any
    device: str

    def describe(self) -> dict[str, Any]:
        """Return what it is, as plain types."""
        return {"name": self.name, "weights_sha256": self.weights_sha256}

    def round_trip(
        self,
        dataset: Dataset,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Dataset:
        """Return the images of a data set as the autoencoder gives them back.

        Raises
        ------
        DataError
            If there are no images, or their size is no multiple of the factor.
        """
        if dataset.kind != "image":
            raise DataError(
                f"`through_autoencoder` is for images, and {dataset.source} holds vectors; leave it out"
            )
        channels, height, width = dataset.shape
        if height % self.factor or width % self.factor:
            raise DataError(
                f"`through_autoencoder` {self.name} takes sizes that are multiples of {self.factor}, "
                f"and {dataset.source} has images of {width}x{height}; load them with `resolution`"
            )
        images = np.empty(dataset.items.shape, np.uint8)
        with reported("images through the autoencoder", len(images), on_progress) as report:
            for start in range(0, len(images), TILE):
                part = np.asarray(dataset.items[start : start + TILE])
                images[start : start + TILE] = self._trip(part, channels)
                report(min(start + TILE, len(images)), len(images))
        return replace(dataset, items=images, source=f"{dataset.source}, through {self.name}")

    def _trip(self, images: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
        count = len(images)
        filled = np.concatenate([images, np.repeat(images[-1:], TILE - count, axis=0)])
        colored = torch.from_numpy(set_channels(filled, 3)).permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            latent = self.network.encode(to_model(colored.to(self.device))).latent_dist.mode()
            made = from_model(self.network.decode(latent).sample, kind="image")
        return set_channels(made[:count], channels)


def load_autoencoder(name: str, *, device: str = "cpu") -> Autoencoder:
    """Load an autoencoder.

    Parameters
    ----------
    name
        A folder, of an autoencoder or of a pipeline, or a repository of the Hugging Face hub.

    Raises
    ------
    ConfigError
        If diffusers is not installed, or the weights cannot be had.
    """
    try:
        from diffusers import AutoencoderKL
        from diffusers.utils import logging
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        raise ConfigError(
            "`through_autoencoder` needs the package diffusers, which is not installed: "
            f"{extra('diffusers')}"
        ) from None
    folder = Path(name).expanduser()
    called = folder.name if folder.is_dir() else name
    if (folder / PIPELINE).exists():
        folder = folder / "vae"
    try:
        where = str(folder) if folder.is_dir() else name
        with quiet(logging):
            network, found = AutoencoderKL.from_pretrained(
                where, use_safetensors=True, output_loading_info=True
            )
    except Exception as error:
        reason = first_line(error, longest=160)
        raise ConfigError(
            f"`through_autoencoder` {name} cannot be loaded ({reason}); give a folder with config.json "
            f"and {WEIGHTS}, or the folder of a pipeline"
        ) from error
    wrong = misfits(found)
    if wrong:
        raise ConfigError(
            f"`through_autoencoder` {name}: the weights do not fit the network ({wrong}), and what is "
            "missing would be random; get both files of the same model again"
        )
    path = folder / WEIGHTS if folder.is_dir() else Path(str(try_to_load_from_cache(name, WEIGHTS)))
    factor = 2 ** (len(network.config.block_out_channels) - 1)
    network = network.eval().to(device)
    return Autoencoder(
        name=called,
        weights_sha256=file_digest(path),
        factor=factor,
        network=network,
        device=device,
    )
