"""ResNet-50 (He et al. 2016), as imgsim trained it for the similarity of copies.

Bottleneck blocks 1x1, 3x3, 1x1 with four times as many channels at the end; the stride is in the 3x3 (the
common "v1.5"). The head maps the mean over all places to 768 numbers through tanh.

Sources: He et al., "Deep Residual Learning for Image Recognition" (2016); Chen et al., "AugNet" (2021).
"""

from __future__ import annotations

import torch
from torch import nn

BLOCKS = (3, 4, 6, 3)
WIDTH = 768
EXPANSION = 4


class Bottleneck(nn.Module):
    """(T, inside, h, w) -> (T, 4 channels, h / stride, w / stride)."""

    def __init__(self, inside: int, channels: int, *, stride: int) -> None:
        super().__init__()
        outside = EXPANSION * channels
        self.conv1 = nn.Conv2d(inside, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.bn1(self.conv1(x)))
        h = torch.relu(self.bn2(self.conv2(h)))
        return torch.relu(self.bn3(self.conv3(h)) + self.downsample(x))


class ResNet50(nn.Module):
    """Normalized images (T, 3, h, w), h and w from 32 on -> (T, 768) in (-1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            self._layer(number, blocks) for number, blocks in enumerate(BLOCKS)
        )
        self.fc = nn.Linear(64 * 8 * EXPANSION, WIDTH)

    @staticmethod
    def _layer(number: int, blocks: int) -> nn.Sequential:
        channels = 64 << number
        inside = 64 if number == 0 else EXPANSION * channels // 2
        first = Bottleneck(inside, channels, stride=1 if number == 0 else 2)
        rest = (Bottleneck(EXPANSION * channels, channels, stride=1) for _ in range(blocks - 1))
        return nn.Sequential(first, *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.bn1(self.conv1(x)))
        h = nn.functional.max_pool2d(h, 3, 2, 1)
        h = self.layer4(self.layer3(self.layer2(self.layer1(h))))
        return torch.tanh(self.fc(h.mean(dim=(2, 3))))


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return imgsim's state under the names above."""
    return {key.removeprefix("module.").removeprefix("pre."): value for key, value in state.items()}
