"""Sampling: Heun's and Euler's method along the noise schedule (Karras et al. 2022, alg. 1 and 2).

The state is float64 and every image has its own generator, so an image is a function of its seed
alone: the same in any batch and in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from rote.core.errors import ConfigError, Interrupted
from rote.core.precision import strict_fp32
from rote.core.seeds import Purpose, child_seed
from rote.diffusion.conditioning import NO_LABEL
from rote.diffusion.config import SampleConfig


class DenoiserLike(Protocol):
    """What the sampler needs: a trained network and the theoretical optimum both have it."""

    @property
    def sigma_min(self) -> float:
        """Smallest noise level it was made for."""

    @property
    def sigma_max(self) -> float:
        """Largest noise level it was made for."""

    def __call__(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise float x (B, *shape) of noise sigma (B,)."""


class Guided:
    """Classifier-free guidance (Ho & Salimans 2022): D = D_none + strength (D_label - D_none)."""

    def __init__(self, denoiser: DenoiserLike, strength: float) -> None:
        self._denoiser, self._strength = denoiser, strength

    @property
    def sigma_min(self) -> float:
        """Smallest noise level of the denoiser."""
        return self._denoiser.sigma_min

    @property
    def sigma_max(self) -> float:
        """Largest noise level of the denoiser."""
        return self._denoiser.sigma_max

    def __call__(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise x (B, *shape) of noise sigma (B,) towards its labels (B,)."""
        assert labels is not None
        free = self._denoiser(x, sigma, torch.full_like(labels, NO_LABEL))
        return free + self._strength * (self._denoiser(x, sigma, labels) - free)


def noise_schedule(config: SampleConfig, *, sigma_min: float, sigma_max: float) -> Tensor:
    """Return the noise levels, float64 (steps + 1,), falling, the last one 0 (eq. 5).

    The ends are ``max(config.sigma_min, sigma_min)`` and ``min(config.sigma_max, sigma_max)``.
    """
    low, high = max(config.sigma_min, sigma_min), min(config.sigma_max, sigma_max)
    if config.steps == 1:
        return torch.tensor([high, 0.0], dtype=torch.float64)
    ramp = torch.arange(config.steps, dtype=torch.float64) / (config.steps - 1)
    inverse = 1 / config.rho
    levels = (high**inverse + ramp * (low**inverse - high**inverse)) ** config.rho
    return torch.cat([levels, levels.new_zeros(1)])


def sample(
    denoiser: DenoiserLike,
    seeds: Sequence[int],
    *,
    shape: tuple[int, ...],
    config: SampleConfig | None = None,
    labels: Tensor | None = None,
    device: str | torch.device = "cpu",
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Draw one sample for each seed.

    Parameters
    ----------
    denoiser
        A trained denoiser or the theoretical optimum, on ``device``.
    seeds
        One integer per sample.
    shape
        Shape of one item: (C, H, W), (C, D, H, W), (C, T) or (D,).
    config
        The sampler; None takes the defaults (deterministic Heun, 18 steps, 35 evaluations).
    labels
        int64 (len(seeds),) for a conditional denoiser.
    device
        Where the denoiser is.
    should_stop
        Asked before every tile of images; once true, `Interrupted` is raised.
    on_progress
        Called after every tile with the images done and their total.

    Returns
    -------
    torch.Tensor
        Float64 (len(seeds), *shape) on the CPU, in model units (images: about [-1, 1]).
    """
    config = config or SampleConfig()
    if labels is not None and labels.shape != (len(seeds),):
        raise ConfigError(f"{len(seeds)} seeds but labels of shape {tuple(labels.shape)}")
    if config.guidance != 1:
        if labels is None:
            raise ConfigError(
                f"sample.guidance is {config.guidance:g}, but the model is sampled without labels; "
                "leave it at 1"
            )
        denoiser = Guided(denoiser, config.guidance)
    levels = noise_schedule(config, sigma_min=denoiser.sigma_min, sigma_max=denoiser.sigma_max)
    done: list[Tensor] = []
    with torch.no_grad(), strict_fp32():
        for start in range(0, len(seeds), config.tile):
            if should_stop():
                raise Interrupted
            part = list(seeds[start : start + config.tile])
            # The last bits of a network's output depend on its batch size: fill up the last tile.
            full = part + [part[-1]] * (config.tile - len(part))
            own = None
            if labels is not None:
                own = labels[start : start + config.tile]
                own = torch.cat([own, own[-1:].expand(config.tile - len(part))]).to(device)
            tile = _sample_tile(denoiser, full, own, levels, shape, config, torch.device(device))
            done.append(tile[: len(part)].cpu())
            on_progress(start + len(part), len(seeds))
    return torch.cat(done) if done else torch.empty(0, *shape, dtype=torch.float64)


def _sample_tile(
    denoiser: DenoiserLike,
    seeds: list[int],
    labels: Tensor | None,
    levels: Tensor,
    shape: tuple[int, ...],
    config: SampleConfig,
    device: torch.device,
) -> Tensor:
    def slope(x: Tensor, sigma: Tensor) -> Tensor:
        """dx/dsigma = (x - D(x, sigma)) / sigma (eq. 3), D in float32."""
        level = sigma.to(device, torch.float32).expand(len(x))
        denoised = denoiser(x.float(), level, labels).double()
        return (x - denoised) / sigma.to(device)

    churn_max = math.inf if config.churn_max is None else config.churn_max
    x = _noise(seeds, "sample", 0, shape, device) * levels[0].to(device)
    for number in range(config.steps):
        current, following = levels[number], levels[number + 1]
        if config.churn and config.churn_min <= current <= churn_max:
            gamma = min(config.churn / config.steps, math.sqrt(2) - 1)
            raised = current * (1 + gamma)
            added = (raised**2 - current**2).sqrt() * config.churn_noise
            x = x + _noise(seeds, "churn", number, shape, device) * added.to(device)
            current = raised
        change = (following - current).to(device)
        first = slope(x, current)
        moved = x + change * first
        if config.solver == "heun" and following > 0:
            moved = x + change * 0.5 * (first + slope(moved, following))
        x = moved
    return x


def _noise(
    seeds: list[int], purpose: Purpose, number: int, shape: tuple[int, ...], device: torch.device
) -> Tensor:
    """Standard normal float64 (B, *shape); drawn on the CPU, so every device sees the same noise."""
    generator = torch.Generator()
    rows = []
    for seed in seeds:
        generator.manual_seed(child_seed(seed, purpose, number))
        rows.append(torch.randn(shape, generator=generator, dtype=torch.float64))
    return torch.stack(rows).to(device)
