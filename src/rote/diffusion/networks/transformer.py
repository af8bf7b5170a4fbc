"""A small diffusion transformer: (B, C, H, W), (B,), labels (B,) -> (B, C, H, W).

After Peebles & Xie (2023): the image is cut into patches, each a token with a fixed two-dimensional
sinusoidal position; every block scales, shifts and gates its two residual branches by the embedding of
noise level and label (adaLN). Gates start near zero, so every block starts near the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.layers import NEAR_ZERO, Dropout, linear
from rote.diffusion.networks.unet import NoiseAndLabelEmbedding

MLP_RATIO = 4


def positions(rows: int, columns: int, width: int) -> Tensor:
    """Return sinusoids of the row and the column of every token, float32 (rows * columns, width)."""
    quarter = width // 4
    frequencies = 10_000.0 ** (-torch.arange(quarter, dtype=torch.float32) / quarter)

    def wave(count: int) -> Tensor:
        angles = torch.arange(count, dtype=torch.float32)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    down = wave(rows)[:, None].expand(-1, columns, -1)
    right = wave(columns)[None].expand(rows, -1, -1)
    return torch.cat([down, right], dim=2).reshape(rows * columns, width)


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale[:, None]) + shift[:, None]


class TransformerBlock(nn.Module):
    """Self-attention over the tokens, then a perceptron for each; both modulated and gated."""

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, Dropout(dropout)
        self.norm0 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = linear(width, 3 * width)
        self.mixed = linear(width, width)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.dense0 = linear(width, MLP_RATIO * width)
        self.dense1 = linear(MLP_RATIO * width, width)
        self.modulation = linear(width, 6 * width, gain=NEAR_ZERO)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Map (B, T, width) and (B, width) to (B, T, width)."""
        parts = self.modulation(embedded).chunk(6, dim=1)
        x = x + parts[2][:, None] * self._attend(_modulate(self.norm0(x), parts[0], parts[1]))
        hidden = self.dense0(_modulate(self.norm1(x), parts[3], parts[4]))
        hidden = self.dropout(functional.gelu(hidden, approximate="tanh"))
        return x + parts[5][:, None] * self.dense1(hidden)

    def _attend(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        split = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.mixed(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Transformer(nn.Module):
    """The transformer of the module docstring."""

    position: Tensor

    def __init__(self, config: ModelConfig, shape: tuple[int, ...], label_count: int = 0) -> None:
        super().__init__()
        channels, height, width = shape
        self.patch = config.patch
        if height % self.patch or width % self.patch:
            raise ConfigError(
                f"images of {width}x{height} cannot be cut into patches of {self.patch} pixels; "
                f"choose `resolution` as a multiple of {self.patch}, or another model.patch"
            )
        values = channels * self.patch**2
        self.embed = NoiseAndLabelEmbedding(config, label_count, config.width)
        self.input = linear(values, config.width)
        table = positions(height // self.patch, width // self.patch, config.width)
        # Not saved with the weights: it is a constant of the configuration.
        self.register_buffer("position", table, persistent=False)
        self.blocks = nn.ModuleList(
            TransformerBlock(config.width, config.heads, dropout=config.dropout)
            for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False, eps=1e-6)
        self.modulation = linear(config.width, 2 * config.width, gain=NEAR_ZERO)
        self.out = linear(config.width, values, gain=NEAR_ZERO)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Run the network; the meaning of its output is the preconditioning's."""
        embedded = self.embed(c_noise, labels)
        shape = x.shape
        tokens = self.input(self._cut(x)) + self.position
        for block in self.blocks:
            tokens = block(tokens, embedded)
        shift, scale = self.modulation(embedded).chunk(2, dim=1)
        return self._join(self.out(_modulate(self.norm(tokens), shift, scale)), shape)

    def _cut(self, x: Tensor) -> Tensor:
        """Cut (B, C, H, W) into tokens (B, T, C * patch * patch), row by row."""
        return functional.unfold(x, self.patch, stride=self.patch).transpose(1, 2)

    def _join(self, tokens: Tensor, shape: torch.Size) -> Tensor:
        """Undo `_cut`."""
        return functional.fold(tokens.transpose(1, 2), shape[2:], self.patch, stride=self.patch)
