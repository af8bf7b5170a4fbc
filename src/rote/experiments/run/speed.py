"""What a training takes on this machine, from a few of its steps."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.preconditioning import Denoiser, build_denoiser, denoising_loss

TIMED_STEPS = 4


def seconds_per_image(
    model: ModelConfig,
    train: TrainConfig,
    shape: Sequence[int],
    *,
    label_count: int = 0,
    device: str = "cpu",
    threads: int | None = None,
) -> float:
    """Return what a training takes for each image that it sees, by a few steps here.

    Parameters
    ----------
    model, train
        The configuration.
    shape
        Of an item, channels first.
    label_count
        Labels of a conditional model, or 0.
    device
        "cpu" or "cuda".
    threads
        CPU threads of the training; None: as many as torch takes now.
    """
    network = build_denoiser(model, tuple(shape), label_count=label_count, seed=0).to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        return step_seconds(network, train.batch, shape, label_count) / train.batch
    finally:
        torch.set_num_threads(before)


Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]


def inputs(count: int, shape: Sequence[int], labels: int, device: str = "cpu") -> Inputs:
    """Return blank items (count, *shape), their noise levels, and their labels where there are some."""
    asked = torch.zeros(count, dtype=torch.int64, device=device) if labels else None
    return torch.zeros(count, *shape, device=device), torch.ones(count, device=device), asked


def step_seconds(network: Denoiser, batch: int, shape: Sequence[int], labels: int) -> float:
    """Return the seconds of one training step; the first ones, which prepare much, do not count."""
    device = str(next(network.parameters()).device)
    clean, sigma, asked = inputs(batch, shape, labels, device)
    adam = torch.optim.Adam(network.parameters())
    steps = []
    for _ in range(TIMED_STEPS):
        started = time.perf_counter()
        loss = denoising_loss(network, clean, sigma, torch.zeros_like(clean), asked)
        loss.mean().backward()
        adam.step()
        if device != "cpu":
            torch.cuda.synchronize()
        steps.append(time.perf_counter() - started)
    return min(steps[1:])
