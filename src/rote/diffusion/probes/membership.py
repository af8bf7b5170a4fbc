"""Membership by the loss: can the denoising loss tell training items from held-out ones?

A model that has learned its training items by rote returns them from under more noise than items it never
saw. At each noise level the score of an item is its denoising loss (`rote.diffusion.losses`), the smaller
the more of a member, and `rote.stats.roc` says how well it tells the two sets apart: AUC 0.5 and
recall 1 % at 1 % false positives if it does not.

Source: Matsumoto, Miura and Yanai, "Membership Inference Attacks against Diffusion Models" (2023), and
Carlini et al. (2023), section 6.1: the loss at one noise level as the score. Control: the held-out items;
they must be of the training items' own distribution, or the test tells two distributions apart and
says nothing of memorization. All noise levels are reported: the best of several, picked afterwards, is no
result.

What it misses: it is an attack on items, not a rate of copies. A model may tell its members at every
level and sample none of them, and the loss is a weak attack; a stronger one could do better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import Checkpoint, Weights
from rote.diffusion.conditioning import conditioning
from rote.diffusion.config import TrainConfig
from rote.diffusion.losses import item_losses
from rote.diffusion.probes.gap import SIGMAS
from rote.diffusion.sample import DenoiserLike
from rote.stats.jackknife import Estimate, normal_interval
from rote.stats.roc import Roc, roc

DRAWS = 4
LEAST = 8


@dataclass(frozen=True)
class Level:
    """One noise level.

    Attributes
    ----------
    member_loss, other_loss
        Mean losses, squared model units per element.
    difference
        other - member, with the interval of two means.
    """

    sigma: float
    member_loss: float
    other_loss: float
    difference: Estimate
    roc: Roc

    def to_json(self) -> dict[str, Any]:
        """Return the level as plain types."""
        return {
            "sigma": self.sigma,
            "member_loss": self.member_loss,
            "other_loss": self.other_loss,
            "difference": self.difference.to_json(),
            "roc": self.roc.to_json(),
        }


def loss_gap(
    denoiser: DenoiserLike,
    members: Dataset,
    others: Dataset,
    *,
    seed: int,
    sigmas: Sequence[float] = SIGMAS,
    draws: int = DRAWS,
    fpr: float = 0.01,
    confidence: float = 0.95,
    labels: tuple[torch.Tensor, torch.Tensor] | None = None,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Level]:
    """Compare the denoising losses of training and held-out items.

    Parameters
    ----------
    denoiser
        In evaluation mode, on ``device``.
    members, others
        Training and held-out items in model units, at least 8 of each.
    seed
        Root seed of the noise.
    sigmas, draws
        Noise levels, and noises per item and level.
    fpr
        False-positive rate of the recall.
    confidence
        Of all intervals.
    labels
        Of members and others, for a conditional model.
    device
        Where the denoiser is.
    on_progress
        Called with parts done and their total.

    Raises
    ------
    DataError
        If the sides differ in shape, or one is too small.
    ConfigError
        As `item_losses`.
    """
    if members.shape != others.shape:
        raise DataError(
            f"training items have shape {members.shape}, held-out ones {others.shape}; give held-out "
            "items of the same shape"
        )
    if min(len(members), len(others)) < LEAST:
        raise DataError(
            f"there are {len(members)} training and {len(others)} held-out items; give {LEAST} and "
            "more of each"
        )
    losses = []
    for number, side in enumerate((members, others)):

        def report(done: int, total: int, number: int = number) -> None:
            on_progress(number * total + done, 2 * total)

        losses.append(
            item_losses(
                denoiser,
                side,
                sigmas=sigmas,
                draws=draws,
                seed=seed,
                labels=None if labels is None else labels[number],
                device=device,
                on_progress=report,
            )
        )
    return [
        _level(float(sigma), losses[0][k], losses[1][k], fpr=fpr, confidence=confidence)
        for k, sigma in enumerate(sigmas)
    ]


def _level(
    sigma: float,
    members: npt.NDArray[np.float64],
    others: npt.NDArray[np.float64],
    *,
    fpr: float,
    confidence: float,
) -> Level:
    error = math.hypot(
        float(members.std(ddof=1)) / math.sqrt(len(members)),
        float(others.std(ddof=1)) / math.sqrt(len(others)),
    )
    difference = float(others.mean() - members.mean())
    return Level(
        sigma=sigma,
        member_loss=float(members.mean()),
        other_loss=float(others.mean()),
        difference=normal_interval(difference, error, confidence=confidence, method="two means"),
        roc=roc(members, others, fpr=fpr, confidence=confidence),
    )


def checkpoint_loss_gap(
    checkpoint: Checkpoint,
    members: Dataset,
    others: Dataset,
    *,
    weights: Weights = "ema",
    seed: int,
    sigmas: Sequence[float] = SIGMAS,
    draws: int = DRAWS,
    fpr: float = 0.01,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Compare losses under one snapshot of a run; return the content of `membership.json`.

    Held-out items that equal a training item are members by another name: they are counted and left out.

    Raises
    ------
    ConfigError
        If the model was trained on random or unique labels, of which a held-out item has none.
    DataError
        If ``members`` is not what the checkpoint was trained on; else as `loss_gap`.
    """
    checkpoint.check_trained_on(members)
    others, left_out = _without(others, members)
    labels = None
    kind = checkpoint.facts["labels"]
    if checkpoint.label_count:
        if kind != "true":
            raise ConfigError(
                f"{checkpoint.path} was trained on {kind} labels, of which a held-out item has none; "
                "membership by the loss needs an unconditional model, or true labels"
            )
        config = TrainConfig(images=1, labels=kind)
        both = [conditioning(side, config, seed=0).labels for side in (members, others)]
        assert both[0] is not None and both[1] is not None
        labels = (both[0], both[1])
    levels = loss_gap(
        checkpoint.denoiser(weights=weights, device=device),
        members,
        others,
        seed=seed,
        sigmas=sigmas,
        draws=draws,
        fpr=fpr,
        labels=labels,
        device=device,
        on_progress=on_progress,
    )
    return {
        "kind": "membership",
        "images_seen": checkpoint.images_seen,
        "weights": weights,
        "seed": seed,
        "draws": draws,
        "fpr": fpr,
        "training": members.describe(),
        "holdout": others.describe(),
        "holdout_in_training": left_out,
        "levels": [level.to_json() for level in levels],
    }


def _without(others: Dataset, members: Dataset) -> tuple[Dataset, int]:
    """Return the items that equal none of the members, and how many were left out."""
    if others.shape != members.shape:
        return others, 0  # which is refused in a moment
    kept = others.outside(members)
    if len(kept) == len(others):
        return others, 0
    return others.take(kept), len(others) - len(kept)
