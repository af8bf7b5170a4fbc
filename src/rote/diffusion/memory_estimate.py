"""The memory that a training takes, from the shapes alone: nothing is allocated, nothing is run.

Weights, gradient, two moments of Adam and the moving average are float32, one each: 20 bytes a parameter
(16 with SGD, which has one moment). Activations are what autograd keeps of one forward pass of a
micro-batch, counted on the meta device; with precision bf16 in bfloat16 throughout, a lower estimate, for
autocast keeps some of them in float32, and copies of the weights. Buffers of the convolution library are
not in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.preconditioning import build_denoiser


@dataclass(frozen=True)
class Footprint:
    """Bytes, but for ``parameters``."""

    parameters: int
    state: int
    """Weights, gradient, moments, moving average."""
    activations: int
    """Of one micro-batch."""
    data: int

    def to_json(self) -> dict[str, Any]:
        """Return plain types, with the sum."""
        return asdict(self) | {"total": self.state + self.activations + self.data}


def footprint(
    model: ModelConfig,
    config: TrainConfig,
    *,
    shape: tuple[int, ...],
    label_count: int = 0,
    data: int = 0,
) -> Footprint:
    """Return what training a model on items of ``shape`` takes; ``data`` are the bytes of the data.

    Raises
    ------
    ConfigError
        If the architecture does not fit the shape.
    """
    with torch.device("meta"):
        denoiser = build_denoiser(model, shape, label_count=label_count, seed=0)
    parameters = sum(p.numel() for p in denoiser.parameters())
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    network = denoiser.network.to(dtype)
    own = {p.untyped_storage()._cdata for p in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in own:
            kept[storage] = tensor  # held, so that its storage's address is not used again
        return tensor

    batch = config.micro_batch or config.batch
    x = torch.empty(batch, *shape, dtype=dtype, device="meta")
    noise = torch.empty(batch, dtype=dtype, device="meta")
    labels = torch.empty(batch, dtype=torch.int64, device="meta") if label_count else None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = network(x, noise, labels)
    activations = sum(t.untyped_storage().nbytes() for t in kept.values())
    del out
    slots = 4 if config.optimizer == "sgd" else 5
    return Footprint(parameters, 4 * slots * parameters, activations, data)
