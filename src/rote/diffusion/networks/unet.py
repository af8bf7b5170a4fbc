"""One U-Net that is DDPM++ or NCSN++ by configuration (Song et al. 2021, Karras et al. 2022).

For images (C, H, W); with all convolutions along one axis, for series (C, T): ``unet1d``; along three,
for volumes (C, D, H, W): ``unet3d``. That takes ``patch`` voxels each way as the channels of one place:
at the full resolution, where nearly all of the cost would be, nothing is convolved.

Encoder: an input convolution, then at each resolution ``blocks`` residual blocks, with a halving
block in between. Each of these outputs is one skip connection, numbered from 1 at the input, and is
concatenated to the input of one decoder block, last first. With three resolutions and two blocks
there are nine: 1 to 3 at full, 4 to 6 at half, 7 to 9 at quarter resolution.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.layers import (
    NEAR_ZERO,
    ConvThenHalve,
    FourierEmbedding,
    PositionalEmbedding,
    UNetBlock,
    conv,
    from_blocks,
    linear,
    norm,
    to_blocks,
)


class NoiseAndLabelEmbedding(nn.Module):
    """(c_noise, label) -> (B, outputs): time embedding + label map, then two dense layers."""

    def __init__(self, config: ModelConfig, label_count: int, outputs: int) -> None:
        super().__init__()
        # NCSN++ has twice as many channels of noise, whichever its time embedding.
        channels = config.width * (2 if config.encoder == "residual" else 1)
        fourier = config.time_embedding == "fourier"
        self.time = FourierEmbedding(channels) if fourier else PositionalEmbedding(channels)
        self.label_count = label_count
        self.label_map = linear(label_count, channels) if label_count else None
        self.dense0 = linear(channels, outputs)
        self.dense1 = linear(outputs, outputs)

    def forward(self, c_noise: Tensor, labels: Tensor | None) -> Tensor:
        """Embed (B,) and int64 (B,)."""
        x = self.time(c_noise)
        if self.label_map is not None:
            if labels is None:
                raise ConfigError(
                    f"this model is conditional on {self.label_count} labels and got none; "
                    "give labels, one per image"
                )
            # One-hot vectors times sqrt(C) have unit variance per image, as the paper's do. An
            # embedding table would learn at another speed.
            one_hot = functional.one_hot(labels.clamp(min=0), self.label_count).to(x.dtype)
            one_hot = one_hot * (labels >= 0)[:, None]  # no label (-1): zeros
            x = x + self.label_map(one_hot * math.sqrt(self.label_count))
        x = functional.silu(self.dense0(x))
        return functional.silu(self.dense1(x))


class UNet(nn.Module):
    """The U-Net above: (B, C, ...), noise (B,), labels (B,) to the first's shape."""

    def __init__(self, config: ModelConfig, shape: tuple[int, ...], label_count: int = 0) -> None:
        super().__init__()
        axes = len(shape) - 1
        self.patch = config.patch if axes == 3 else 1
        _check_sizes(config, shape, self.patch)
        channels, height = shape[0] * self.patch**3, shape[1] // self.patch
        self.kept = frozenset(config.skips) if config.skips is not None else None
        self.residual = config.encoder == "residual"
        embedding = 4 * config.width
        self.embed = NoiseAndLabelEmbedding(config, label_count, embedding)
        widths = [config.width * mult for mult in config.channel_mult]
        heights = [height >> level for level in range(len(widths))]

        def block(
            inputs: int, outputs: int, *, attend: bool = False, way: str | None = None
        ) -> UNetBlock:
            return UNetBlock(
                inputs,
                outputs,
                embedding,
                dropout=config.dropout,
                attention=attend,
                resample=way,
                taps=config.resampling_filter,
                axes=axes,
            )

        self.input = conv(channels, config.width, 3, axes=axes)
        self.encoder = nn.ModuleList()
        self.halvings = nn.ModuleList()
        self.pyramid = nn.ModuleList()  # NCSN++: the image itself, mapped and halved, is added in
        skip_widths = [config.width]
        current, pyramid = config.width, channels
        for level, wide in enumerate(widths):
            if level:
                self.halvings.append(block(current, current, way="down"))
                skip_widths.append(current)
                if self.residual:
                    taps = config.resampling_filter
                    self.pyramid.append(ConvThenHalve(pyramid, current, taps, axes=axes))
                    pyramid = current
            attend = heights[level] in config.attention_resolutions
            stage = nn.ModuleList()
            for _ in range(config.blocks):
                stage.append(block(current, wide, attend=attend))
                current = wide
                skip_widths.append(current)
            self.encoder.append(stage)

        self.middle = nn.ModuleList([block(current, current, attend=True), block(current, current)])
        self.decoder = nn.ModuleList()
        self.doublings = nn.ModuleList()
        for level in reversed(range(len(widths))):
            if level < len(widths) - 1:
                self.doublings.append(block(current, current, way="up"))
            stage = nn.ModuleList()
            for number in range(config.blocks + 1):
                last = number == config.blocks
                attend = last and heights[level] in config.attention_resolutions
                stage.append(block(current + skip_widths.pop(), widths[level], attend=attend))
                current = widths[level]
            self.decoder.append(stage)
        self.out_norm = norm(current)
        self.out = conv(current, channels, 3, gain=NEAR_ZERO, axes=axes)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Run the network; the meaning of its output is the preconditioning's."""
        embedded = self.embed(c_noise, labels)
        if self.patch > 1:
            x = to_blocks(x, self.patch)
        skips = self._encode(x, embedded)
        x = skips[-1]
        if self.kept is not None:
            skips = [
                skip if number in self.kept else torch.zeros_like(skip)
                for number, skip in enumerate(skips, start=1)
            ]
        for block in self.middle:
            x = block(x, embedded)
        for level, stage in enumerate(self.decoder):
            if level:
                x = self.doublings[level - 1](x, embedded)
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(torch.cat([x, skips.pop()], dim=1), embedded)
        x = self.out(functional.silu(self.out_norm(x)))
        return from_blocks(x, self.patch) if self.patch > 1 else x

    def _encode(self, x: Tensor, embedded: Tensor) -> list[Tensor]:
        image = x
        x = self.input(x)
        skips = [x]
        for level, stage in enumerate(self.encoder):
            if level:
                x = self.halvings[level - 1](x, embedded)
                if self.residual:
                    x = image = (x + self.pyramid[level - 1](image)) * math.sqrt(0.5)
                skips.append(x)
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x, embedded)
                skips.append(x)
        return skips


def _check_sizes(config: ModelConfig, shape: tuple[int, ...], patch: int) -> None:
    """Refuse items that cannot be halved as often as the network does."""
    halvings = len(config.channel_mult) - 1
    factor = patch * 2**halvings
    if not any(size % factor for size in shape[1:]):
        return
    sizes = shape[1:]
    what, way, less = {
        1: (f"series of {sizes[0]} times", "cut or pad them to a multiple", "a shorter"),
        2: (
            "images of " + "x".join(map(str, reversed(sizes))),
            "choose `resolution` as a multiple",
            "a shorter",
        ),
        3: (
            f"volumes of {'x'.join(map(str, sizes))} voxels, in blocks of {patch},",
            "choose `crop` as multiples",
            "a smaller model.patch or a shorter",
        ),
    }[len(sizes)]
    often = "once" if halvings == 1 else f"{halvings} times"
    raise ConfigError(
        f"{what} cannot be halved {often}; {way} of {factor}, or {less} model.channel_mult"
        if halvings
        else f"{what} leave a rest; {way} of {factor}, or a smaller model.patch"
    )
