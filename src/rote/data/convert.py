"""The one file that converts between items at rest and what models see.

Images: uint8 in [0, 255] at rest, float32 in [-1, 1] for models, x = u / 127.5 - 1; back by rounding
to the nearest integer, halves up. Vectors: each column is shifted and scaled to mean 0 and standard
deviation 0.5 over the *full* source (0.5 is EDM's sigma_data, and near the standard deviation of
natural images in [-1, 1]), so that distances mean the same for every subset size. Columns that do
not vary are shifted only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import DataError
from rote.data.dataset import ImageDataset

VECTOR_STD = 0.5


def to_model(items: torch.Tensor) -> torch.Tensor:
    """Convert uint8 images (N, C, H, W) to float32 in [-1, 1]; float32 vectors pass as they are."""
    if items.dtype == torch.uint8:
        return items.to(torch.float32) / 127.5 - 1
    return items


def from_model(samples: torch.Tensor, *, kind: str) -> npt.NDArray[Any]:
    """Convert model output to items at rest.

    Parameters
    ----------
    samples
        Float (N, C, H, W) in about [-1, 1], or (N, D).
    kind
        "image" or "vector".

    Returns
    -------
    numpy.ndarray
        uint8 (N, H, W, C), values outside [-1, 1] clipped as a display would; or float32 (N, D).

    Raises
    ------
    DataError
        If a sample is not finite: a diverged model, never an image.
    """
    if not bool(torch.isfinite(samples).all()):
        broken = int((~torch.isfinite(samples.flatten(1)).all(1)).sum())
        raise DataError(
            f"{broken} of {len(samples)} samples hold NaN or infinity; the model has diverged "
            "(try a lower learning rate)"
        )
    if kind == "vector":
        return samples.to(torch.float32).cpu().numpy()
    scaled = torch.floor(samples.to(torch.float64) * 127.5 + 128.0).clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Scaling:
    """Shift and scale of each vector column; float64 (D,)."""

    shift: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @staticmethod
    def fit(vectors: npt.NDArray[np.float32]) -> Scaling:
        """Measure the columns of float32 (N, D)."""
        values = vectors.astype(np.float64)
        deviation = values.std(axis=0)
        varying = deviation > 1e-12 * np.abs(values).max(axis=0, initial=1e-300)
        scale = np.where(varying, VECTOR_STD / np.where(varying, deviation, 1.0), 1.0)
        return Scaling(shift=values.mean(axis=0), scale=scale)

    def to_json(self) -> dict[str, list[float]]:
        """Return plain types for a checkpoint."""
        return {"shift": self.shift.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_json(data: dict[str, list[float]]) -> Scaling:
        """Read back what `to_json` wrote."""
        return Scaling(np.array(data["shift"]), np.array(data["scale"]))

    def apply(self, dataset: ImageDataset) -> ImageDataset:
        """Return the data set in scaled units."""
        values = (dataset.images.astype(np.float64) - self.shift) * self.scale
        return replace(dataset, images=values.astype(np.float32))

    def invert(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return scaled float32 (N, D) in the original units."""
        return (vectors.astype(np.float64) / self.scale + self.shift).astype(np.float32)


def for_models(dataset: ImageDataset) -> tuple[ImageDataset, Scaling | None]:
    """Return the data set as training and distances take it: vectors scaled, images untouched."""
    if dataset.kind == "image":
        return dataset, None
    scaling = Scaling.fit(dataset.images)
    return scaling.apply(dataset), scaling
