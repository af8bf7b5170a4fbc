"""Exponential moving average of the weights, counted in images seen."""

from __future__ import annotations

from torch import Tensor, nn

from rote.diffusion.config import TrainConfig
from rote.diffusion.training.flat_parameters import FlatParameters


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

    def __init__(self, module: nn.Module, flat: FlatParameters) -> None:
        """Start at the module's values; ``flat`` holds its parameters."""
        self._current = flat.values.detach()
        self._average = self._current.clone()
        buffers = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self.tensors: dict[str, Tensor] = buffers | flat.views(self._average)

    def update(self, decay: float) -> None:
        """Move the average towards the weights: average = decay * average + (1 - decay) * weights."""
        self._average.lerp_(self._current, 1 - decay)
