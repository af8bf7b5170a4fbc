"""A residual perceptron for vectors: (B, D), (B,), labels (B,) -> (B, D)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.layers import NEAR_ZERO, Dropout, linear
from rote.diffusion.networks.unet import NoiseAndLabelEmbedding


class MlpBlock(nn.Module):
    """Layer norm, dense, + embedding, act, dropout, dense, residual sum."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dense0 = linear(width, width)
        self.affine = linear(width, width)
        self.dropout = Dropout(dropout)
        self.dense1 = linear(width, width, gain=NEAR_ZERO)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Map (B, width), (B, width) to (B, width)."""
        hidden = functional.silu(self.dense0(self.norm(x)) + self.affine(embedded))
        return (x + self.dense1(self.dropout(hidden))) * math.sqrt(0.5)


class Mlp(nn.Module):
    """The residual perceptron of the module docstring."""

    def __init__(self, config: ModelConfig, shape: tuple[int, ...], label_count: int = 0) -> None:
        super().__init__()
        (dimension,) = shape
        self.embed = NoiseAndLabelEmbedding(config, label_count, config.width)
        self.input = linear(dimension, config.width)
        self.blocks = nn.ModuleList(
            MlpBlock(config.width, dropout=config.dropout) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.out = linear(config.width, dimension, gain=NEAR_ZERO)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Run the network; the meaning of its output is the preconditioning's."""
        embedded = self.embed(c_noise, labels)
        x = self.input(x)
        for block in self.blocks:
            x = block(x, embedded)
        return self.out(functional.silu(self.norm(x)))
