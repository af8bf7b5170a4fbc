"""The one file that converts between items at rest and what models see.

Images and volumes: uint8 in [0, 255] at rest, float32 in [-1, 1] for models, x = u / 127.5 - 1; back by
rounding to the nearest integer, halves up. Vectors and series, which `rote.data.scaling` has scaled, pass
as they are.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from rote.core.errors import DataError
from rote.data.dataset import Dataset, Kind
from rote.data.scaling import Scaling


def to_model(items: torch.Tensor) -> torch.Tensor:
    """Convert uint8 items (N, C, ...) to float32 in [-1, 1]; all else passes as it is."""
    if items.dtype == torch.uint8:
        # A GPU multiplies by the inverse of a plain number, and rounds twice; by a tensor it divides.
        half = torch.full((), 127.5, device=items.device)
        return items.to(torch.float32) / half - 1
    return items


def from_model(samples: torch.Tensor, *, kind: Kind) -> npt.NDArray[Any]:
    """Convert model output to items at rest.

    Parameters
    ----------
    samples
        Float (N, C, H, W) or (N, C, D, H, W) in about [-1, 1], (N, D) or (N, C, T).
    kind
        "image", "volume", "vector" or "series".

    Returns
    -------
    numpy.ndarray
        uint8 (N, H, W, C) or (N, D, H, W, C), values outside [-1, 1] clipped as a display would; or
        float32 (N, D) or (N, T, C).

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
    if kind == "series":
        return samples.to(torch.float32).movedim(1, -1).contiguous().cpu().numpy()
    scaled = torch.floor(samples.to(torch.float64) * 127.5 + 128.0).clamp(0, 255)
    return scaled.to(torch.uint8).movedim(1, -1).contiguous().cpu().numpy()


def as_items(samples: torch.Tensor, like: Dataset, *, source: str) -> Dataset:
    """Return model output as a data set in the units of ``like``, the data that the model is of.

    Samples of a table's model become what the table can hold (`rote.data.scaling.Scaling.snapped`).
    """
    items = from_model(samples, kind=like.kind)
    if like.scaling is not None:
        items = like.scaling.snapped(items)
    return Dataset(
        items, source=source, schema=like.schema, scaling=like.scaling, sample_rate=like.sample_rate
    )


def for_models(dataset: Dataset) -> tuple[Dataset, Scaling | None]:
    """Return the data set as training and distances take it: 8-bit levels untouched, all else scaled."""
    if dataset.in_levels:
        return dataset, None
    scaling = Scaling.fit(dataset.items, dataset.schema)
    return dataset.scaled(scaling), scaling


def in_own_units(dataset: Dataset) -> npt.NDArray[Any]:
    """Return the items of a data set in the units of its source."""
    return dataset.items if dataset.scaling is None else dataset.scaling.invert(dataset.items)
