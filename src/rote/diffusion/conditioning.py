"""What a model is conditioned on: the labels of its training images, and labels left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.diffusion.config import TrainConfig

NO_LABEL = -1
"""The label that stands for none: the network then sees zeros in place of a one-hot vector."""


@dataclass(frozen=True)
class Conditioning:
    """The labels that a model is trained on: int64 (N,) with values below ``count``, or none."""

    labels: Tensor | None
    count: int

    def unused(self) -> list[int]:
        """Return the labels that no training image has: a model was never shown what they mean."""
        held = np.zeros(self.count, bool)
        if self.labels is not None:
            held[self.labels.numpy()] = True
        return [int(label) for label in np.flatnonzero(~held)]


def conditioning(dataset: Dataset, config: TrainConfig, *, seed: int) -> Conditioning:
    """Make the labels that ``config.labels`` asks for.

    Raises
    ------
    DataError
        If true labels, or a number of random classes, are asked of data without labels.
    """
    size = len(dataset)
    if config.labels == "none":
        return Conditioning(None, 0)
    if config.labels == "unique":
        return Conditioning(torch.arange(size), size)
    if config.labels == "random":
        count = config.random_classes or len(dataset.classes)
        if not count:
            raise DataError(f"{dataset.source} has no classes; give train.random_classes")
        if count > size:
            raise DataError(
                f"{count} random classes were asked of {size} training items, so some would have "
                "none; lower train.random_classes or take more items"
            )
        draw = np.random.default_rng(child_seed(seed, "labels")).integers(count, size=size)
        return Conditioning(torch.from_numpy(draw), count)
    if dataset.labels is None:
        raise DataError(f"{dataset.source} has no labels; use train.labels=none, random or unique")
    return Conditioning(torch.from_numpy(dataset.labels), len(dataset.classes))


def drawn_labels(
    count: int, number: int, *, unused: Sequence[int], seed: int
) -> npt.NDArray[np.int64]:
    """Draw labels uniformly among those that training images have, int64 (number,).

    >>> drawn_labels(4, 6, unused=[0, 2], seed=0).tolist()
    [3, 3, 3, 1, 1, 1]
    """
    used = np.setdiff1d(np.arange(count), np.asarray(unused, np.int64))
    found: npt.NDArray[np.int64] = used[
        np.random.default_rng(seed).integers(len(used), size=number)
    ]
    return found


def dropped(labels: Tensor, mask: Tensor) -> Tensor:
    """Return int64 (B,) labels with `NO_LABEL` where bool (B,) ``mask`` is true (Ho & Salimans 2022).

    >>> dropped(torch.tensor([3, 1]), torch.tensor([True, False])).tolist()
    [-1, 1]
    """
    return torch.where(mask, NO_LABEL, labels)
