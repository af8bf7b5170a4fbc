"""Exponential moving average of the weights, counted in images seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rote.diffusion.config import TrainConfig


def ema_decay(config: TrainConfig, *, images_seen: int, size: int) -> float:
    """Return the factor that the average keeps at this step.

    ``0.5 ** (batch / halflife)``, where ramp-up holds the half-life to at most ``ema_rampup`` of the
    images seen so far, times reference / size where a reference is given (the paper's 50,000 / N).
    """
    halflife = config.ema_halflife_images
    if config.ema_rampup is not None:
        rampup = images_seen * config.ema_rampup
        if config.ema_rampup_reference is not None:
            rampup *= config.ema_rampup_reference / size
        halflife = min(halflife, rampup)
    return float(0.5 ** (config.batch / halflife)) if halflife > 0 else 0.0


class Ema:
    """A moving average of a module's parameters; buffers are copied."""

    def __init__(self, module: nn.Module) -> None:
        self.tensors: dict[str, Tensor] = {
            name: value.detach().clone() for name, value in module.state_dict().items()
        }
        self._averaged = [name for name, _ in module.named_parameters()]

    @torch.no_grad()
    def update(self, module: nn.Module, decay: float) -> None:
        """Move the average towards the module: average = decay * average + (1 - decay) * weights."""
        current = dict(module.named_parameters())
        average = [self.tensors[name] for name in self._averaged]
        torch._foreach_lerp_(average, [current[name] for name in self._averaged], 1 - decay)
