"""The denoising loss of single items: how well a denoiser returns an item from under its noise.

    loss_i(sigma) = mean over draws of |D(y_i + sigma eps) - y_i|^2 / d

in squared model units per element, without the training's weight, which is one factor for all items of
one noise level. Draw k of item i has its own noise, a function of (seed, i, k), so item i of one set and
item i of another meet the same noise. The network always sees full tiles, so an item's loss is the same
bytes whatever lies beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import ConfigError
from rote.core.precision import strict_fp32
from rote.core.seeds import child_seed
from rote.data.convert import to_model
from rote.data.dataset import Dataset
from rote.diffusion.sample import DenoiserLike

TILE = 64


def item_losses(
    denoiser: DenoiserLike,
    dataset: Dataset,
    *,
    sigmas: Sequence[float],
    draws: int,
    seed: int,
    labels: Tensor | None = None,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float64]:
    """Return the loss of every item at every noise level, float64 (S, N).

    Parameters
    ----------
    denoiser
        In evaluation mode, on ``device``.
    dataset
        Items in model units.
    sigmas
        Noise levels (S,), each above 0 and known to the denoiser.
    draws
        Noises per item and level, at least 1.
    seed
        Root seed of the noise.
    labels
        int64 (N,) of a conditional model, or None.
    device
        Where the denoiser is.
    on_progress
        Called with tiles done and their total.

    Raises
    ------
    ConfigError
        If a noise level or the number of draws is out of range, or the denoiser is in training mode.
    """
    low, high = denoiser.sigma_min, denoiser.sigma_max
    for sigma in sigmas:
        if not (0 < sigma < math.inf and low <= sigma <= high):
            raise ConfigError(f"sigma {sigma:g} lies outside the model's {low:g} to {high:g}")
    if not sigmas or draws < 1:
        raise ConfigError(
            f"{len(sigmas)} noise levels with {draws} draws; give at least one of each"
        )
    if getattr(denoiser, "training", False):
        raise ConfigError("the denoiser is in training mode; call .eval() on it first")
    items = dataset.tensor()
    total = np.zeros((len(sigmas), len(items)))
    tiles = -(-len(items) // TILE)
    with torch.no_grad(), strict_fp32():
        for number in range(tiles):
            rows = np.minimum(np.arange(number * TILE, (number + 1) * TILE), len(items) - 1)
            kept = min(TILE, len(items) - number * TILE)
            chosen = torch.from_numpy(rows)
            clean = to_model(items[chosen]).float().to(device)
            own = None if labels is None else labels[chosen].to(device)
            for draw in range(draws):
                noise = _noise(seed, rows, draw, dataset.shape).to(device)
                for place, sigma in enumerate(sigmas):
                    level = torch.full((TILE,), sigma, device=device)
                    found = denoiser(clean + sigma * noise, level, own)
                    sq = (found.double() - clean.double()).flatten(1).square().mean(1)
                    total[place, rows[:kept]] += sq[:kept].cpu().numpy()
            on_progress(number + 1, tiles)
    return total / draws


def _noise(seed: int, rows: npt.NDArray[np.int64], draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 (T, *shape), drawn on the CPU, each item by its own seed."""
    generator = torch.Generator()
    found = []
    for row in rows.tolist():
        generator.manual_seed(child_seed(seed, "gap", row, draw, 1))
        found.append(torch.randn(shape, generator=generator))
    return torch.stack(found)
