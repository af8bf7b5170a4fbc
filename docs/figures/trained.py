"""Small networks trained by rote on points of the plane; each training is kept in runs/figures and done once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scene import Points, as_dataset, flower

import rote
from rote.diffusion.preconditioning import Denoiser
from rote.memorization.criteria import RatioCriterion

RUNS = Path(__file__).parents[2] / "runs" / "figures"
SAMPLES = 256
RATE = 4e-3
torch.set_num_threads(1)  # the same bytes on any machine


@dataclass(frozen=True)
class Setting:
    """One training: ``labels`` None, or the number of random classes."""

    size: int
    width: int = 64
    labels: int | None = None
    images: int = 64 * 4096
    snapshots: int = 8

    @property
    def points(self) -> Points:
        """The training points (size, 2)."""
        return flower(self.size, seed=100 + self.size)

    def dataset(self) -> rote.Dataset:
        """Return them as a data set."""
        return as_dataset(self.points)

    def denoisers(self) -> list[tuple[int, Denoiser]]:
        """Train, and return every snapshot with the images seen by then."""
        labels = "none" if self.labels is None else "random"
        config = rote.TrainConfig(
            batch=64,
            images=self.images,
            learning_rate=RATE,
            ema_halflife_images=2000,
            snapshot_images=self.images // self.snapshots,
            log_images=self.images,
            labels=labels,
            random_classes=self.labels,
        )
        model = rote.ModelConfig(architecture="mlp", width=self.width, blocks=2)
        out = RUNS / f"n{self.size}-w{self.width}-c{self.labels}-i{self.images}-s{self.snapshots}"
        rote.train(self.dataset(), model, config, out=out, seed=0)
        return [
            (
                seen,
                rote.load_checkpoint(out / "checkpoints" / f"{seen}.safetensors").denoiser(),
            )
            for seen in config.snapshots(self.size)
        ]


def samples(denoiser: Denoiser, labels: torch.Tensor | None = None) -> Points:
    """Return samples (256, 2); the same noise for every network."""
    return rote.sample(denoiser, range(SAMPLES), shape=(2,), labels=labels).numpy()


def copied(found: Points, training: Points) -> np.ndarray:
    """Return which samples (N,) the ratio calls copies of the training points."""
    near = rote.nearest_neighbors(found.astype(np.float32), training.astype(np.float32), k=2)
    return RatioCriterion().memorized(near.sq_distances[:, 0], near.sq_distances[:, 1])


def chance(training: Points) -> float:
    """Return the share of 20,000 fresh points of the ring, copies of nothing, that the ratio flags."""
    return float(copied(flower(20_000, seed=1), training).mean())
