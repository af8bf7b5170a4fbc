"""Building blocks of the U-Net: time embeddings, resampling, the residual block with attention.

All work on images (B, C, H, W), with ``axes=1`` on series (B, C, T), with ``axes=3`` on volumes
(B, C, D, H, W).

After Ho et al. (2020), Song et al. (2021) and Karras et al. (2022), appendix F. Weights start as in
those papers: Xavier uniform, last layers of a residual branch near zero, biases zero.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

NEAR_ZERO = 1e-5
ATTENTION_GAIN = math.sqrt(0.2)
Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
LayerT = TypeVar("LayerT", nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
SPREAD = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
POOL = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
"""By the number of axes."""


def conv(inputs: int, outputs: int, kernel: int, *, gain: float = 1.0, axes: int = 2) -> Conv:
    """Return a size-preserving convolution with Xavier-uniform weights times ``gain``."""
    if axes == 1:
        return _start(nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2), gain)
    if axes == 3:
        return _start(nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2), gain)
    return _start(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), gain)


def linear(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Linear:
    """Return a linear layer with Xavier-uniform weights times ``gain``."""
    return _start(nn.Linear(inputs, outputs), gain)


def _start(layer: LayerT, gain: float) -> LayerT:
    nn.init.xavier_uniform_(layer.weight, gain=gain)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def norm(channels: int) -> nn.GroupNorm:
    """Group norm with at most 32 groups of at least 4 channels."""
    groups = next(g for g in range(min(32, max(1, channels // 4)), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-6)


class PositionalEmbedding(nn.Module):
    """Sinusoidal embedding of c_noise (Vaswani et al. 2017): (B,) -> (B, channels)."""

    frequencies: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        exponents = torch.arange(half, dtype=torch.float32) / max(1, half - 1)
        self.register_buffer("frequencies", 10_000.0**-exponents)

    def forward(self, c_noise: Tensor) -> Tensor:
        """Embed (B,)."""
        angles = c_noise[:, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class FourierEmbedding(nn.Module):
    """Random Fourier features of c_noise (Tancik et al. 2020), scale 16: (B,) -> (B, channels)."""

    frequencies: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(channels // 2) * 16)

    def forward(self, c_noise: Tensor) -> Tensor:
        """Embed (B,)."""
        angles = c_noise[:, None] * (2 * math.pi * self.frequencies)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


def low_pass(taps: tuple[int, ...], *, axes: int) -> Tensor:
    """Return the separable filter of sum 1, float32 (1, 1, T, T), with as many T as axes."""
    one = torch.tensor(taps, dtype=torch.float32)
    kernel = one
    for _ in range(axes - 1):
        kernel = kernel[..., None] * one
    return (kernel / one.sum() ** axes)[None, None]


class Resample(nn.Module):
    """Halve or double all axes behind the channels, with a separable low-pass filter."""

    kernel: Tensor

    def __init__(self, direction: str, taps: tuple[int, ...], *, axes: int = 2) -> None:
        super().__init__()
        self.direction, self.axes = direction, axes
        self.is_box = taps == (1, 1)
        self.pad = (len(taps) - 1) // 2
        # Not saved with the weights: it is a constant of the configuration.
        self.register_buffer("kernel", low_pass(taps, axes=axes), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Resample (B, C, H, W), (B, C, T) or (B, C, D, H, W)."""
        if self.is_box:  # the same as the general case, at a tenth of its cost on a CPU
            if self.direction == "down":
                return POOL[self.axes](x, 2)
            return functional.interpolate(x, scale_factor=2, mode="nearest")
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, *[-1] * self.axes)
        if self.direction == "down":
            down = CONVOLVE[self.axes]
            return down(x, kernel, stride=2, padding=self.pad, groups=channels)
        up = SPREAD[self.axes]
        return up(x, kernel * 2**self.axes, stride=2, padding=self.pad, groups=channels)


class ConvThenHalve(nn.Module):
    """A 3-wide convolution at full resolution, blurred and halved after it: a step of NCSN++'s pyramid.

    Zeros lie around the image, not around what the convolution makes of it: that is made as far out as
    the filter reaches. The bias comes last.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, taps: tuple[int, ...], *, axes: int = 2) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs, 3, axes=axes)
        self.axes, self.pad = axes, 1 + (len(taps) - 1) // 2
        # Not saved with the weights: it is a constant of the configuration.
        self.register_buffer("kernel", low_pass(taps, axes=axes), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2), series and volumes alike."""
        convolve = CONVOLVE[self.axes]
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        wide = convolve(x, weight, padding=self.pad)
        kernel = self.kernel.to(x.dtype).expand(wide.shape[1], 1, *[-1] * self.axes)
        return convolve(wide, kernel, bias, stride=2, groups=wide.shape[1])


def to_blocks(x: Tensor, side: int) -> Tensor:
    """Turn blocks of volumes (B, C, D, H, W) into channels: (B, C side^3, D / side, ..., W / side)."""
    batch, channels, *sizes = x.shape
    split = [part for size in sizes for part in (size // side, side)]
    x = x.view(batch, channels, *split).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(batch, -1, *split[::2])


def from_blocks(x: Tensor, side: int) -> Tensor:
    """Undo `to_blocks`."""
    batch, channels, *sizes = x.shape
    x = x.view(batch, channels // side**3, side, side, side, *sizes)
    return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, *(size * side for size in sizes))


class Dropout(nn.Module):
    """Dropout whose masks belong to the whole batch, of which a forward pass may see some rows alone.

    So a batch gets the same masks however it is split into micro-batches or over processes, as long as
    each forward pass starts from the same seed.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.rows: Tensor | None = None
        """int64, the rows of the batch that are seen; None: all of it."""
        self.batch = 0
        """Rows of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of (B, ...), while training."""
        if not self.training or not self.rate:
            return x
        if self.rows is None:
            return functional.dropout(x, self.rate)
        whole = torch.ones(self.batch, *x.shape[1:], dtype=x.dtype, device=x.device)
        return x * functional.dropout(whole, self.rate)[self.rows]


class Attention(nn.Module):
    """One-head self-attention over the pixels, times or voxels, without its residual sum."""

    def __init__(self, channels: int, *, axes: int = 2) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.qkv = conv(channels, 3 * channels, 1, gain=ATTENTION_GAIN, axes=axes)
        self.out = conv(channels, channels, 1, gain=NEAR_ZERO, axes=axes)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within (B, C, H, W), (B, C, T) or (B, C, D, H, W)."""
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)[:, None].chunk(3, dim=3)
        mixed = functional.scaled_dot_product_attention(q, k, v)[:, 0]
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class UNetBlock(nn.Module):
    """Residual block: norm, act, (resample), conv, + embedding, norm, act, dropout, conv; then attention.

    Both residual sums are divided by sqrt(2), which keeps the variance of the sum at 1.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        *,
        dropout: float,
        attention: bool = False,
        resample: str | None = None,
        taps: tuple[int, ...] = (1, 1),
        axes: int = 2,
    ) -> None:
        super().__init__()
        self.norm0 = norm(inputs)
        self.resample = Resample(resample, taps, axes=axes) if resample else None
        self.conv0 = conv(inputs, outputs, 3, axes=axes)
        self.affine = linear(embedding, outputs)
        self.norm1 = norm(outputs)
        self.dropout = Dropout(dropout)
        self.conv1 = conv(outputs, outputs, 3, gain=NEAR_ZERO, axes=axes)
        plain = inputs == outputs and resample is None
        self.shortcut = None if plain else conv(inputs, outputs, 1, axes=axes)
        self.attention = Attention(outputs, axes=axes) if attention else None
        self.lift = (-1, outputs, *[1] * axes)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, embedding) to (B, outputs, H', W'), series and volumes alike."""
        hidden = functional.silu(self.norm0(x))
        if self.resample is not None:
            hidden, x = self.resample(hidden), self.resample(x)
        hidden = self.conv0(hidden) + self.affine(embedded).view(self.lift)
        hidden = self.dropout(functional.silu(self.norm1(hidden)))
        hidden = self.conv1(hidden)
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = (hidden + shortcut) * math.sqrt(0.5)
        if self.attention is not None:
            x = (x + self.attention(x)) * math.sqrt(0.5)
        return x
