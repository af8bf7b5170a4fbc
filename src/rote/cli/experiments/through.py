"""Images through the autoencoder of a latent model, before any model is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

ThroughAutoencoder = Annotated[
    str | None,
    typer.Option(
        "--through-autoencoder",
        help="For latent models: train on the images, and compare with them, as a diffusers "
        "AutoencoderKL (folder or repository; of a pipeline its own) gives them back.",
    ),
]


def through(name: str | None, dataset: Dataset) -> Dataset:
    """Return the images as an autoencoder gives them back, on the CPU; None: as they are.

    The name of the source says so, which the page shows.
    """
    if name is None:
        return dataset
    from rote.spaces.autoencoder import load_autoencoder

    return load_autoencoder(name).round_trip(dataset)
