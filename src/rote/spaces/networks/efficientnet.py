"""EfficientNet-Lite0 (Tan and Le 2019; the "lite" variant of 2020): features before the classifier.

Inverted bottlenecks: 1x1 to six times the channels, depthwise 3x3 or 5x5, 1x1 back, with a shortcut where
shapes allow it. Lite: no squeeze-and-excitation, ReLU6 for swish, and neither stem nor head is scaled.
Strided convolutions pad as TensorFlow's "same" does: what is odd goes to the right and the bottom.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for CNNs" (2019), table 1.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# (blocks, kernel, stride, expansion, channels out)
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, WIDTH = 32, 1280
EPSILON = 1e-3
"""Of the batch norms, as TensorFlow had it."""


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "same"."""

    def __init__(
        self, inside: int, outside: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inside, outside, kernel, stride, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads: list[int] = []
        for side in (x.shape[3], x.shape[2]):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(x, pads))


class Block(nn.Module):
    """(T, inside, h, w) -> (T, outside, h / stride, w / stride)."""

    def __init__(self, inside: int, outside: int, *, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inside * expand
        self.expands = expand != 1
        if self.expands:
            self._expand_conv = SameConv(inside, wide, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=EPSILON)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=EPSILON)
        self._project_conv = SameConv(wide, outside, 1)
        self._bn2 = nn.BatchNorm2d(outside, eps=EPSILON)
        self.shortcut = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        h = functional.relu6(self._bn1(self._depthwise_conv(h)))
        h = self._bn2(self._project_conv(h))
        return h + x if self.shortcut else h


class EfficientNetLite0(nn.Module):
    """Normalized images (T, 3, h, w) -> (T, 1280), the mean over all places; classes are left out."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(STEM, eps=EPSILON)
        blocks: list[nn.Module] = []
        inside = STEM
        for count, kernel, stride, expand, outside in STAGES:
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(Block(inside, outside, kernel=kernel, stride=step, expand=expand))
                inside = outside
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(inside, WIDTH, 1)
        self._bn1 = nn.BatchNorm2d(WIDTH, eps=EPSILON)
        self._fc = nn.Linear(WIDTH, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._places(x).mean(dim=(2, 3))

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        """Return ImageNet's logits (T, 1000), by which tests know that the network is the right one."""
        return self._fc(self.forward(x))

    def _places(self, x: torch.Tensor) -> torch.Tensor:
        h = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            h = block(h)
        return functional.relu6(self._bn1(self._conv_head(h)))
