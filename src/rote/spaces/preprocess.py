"""What is done to images before a network, each step in the words that a description repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

from rote.spaces.space import Images

# name: (mean, standard deviation) of values in [0, 1], per channel
NORMS = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
"""unit: [0, 1]; half: [-1, 1]; lite: (value - 127) / 128; the statistics of ImageNet; those of CLIP."""


@dataclass(frozen=True)
class Preprocessing:
    """From uint8 (T, H, W, C) to float32 (T, 3, h, w).

    Attributes
    ----------
    norm
        A name of `NORMS`.
    size
        The shorter side is scaled to it; None keeps the size.
    crop
        The center of this size is kept; None keeps all.
    filter
        "bilinear" or "bicubic", both with antialiasing.
    least
        Without ``size``: smaller images are scaled up until the shorter side has this many pixels.
    device
        Where the result lies.
    """

    norm: str
    size: int | None = None
    crop: int | None = None
    filter: str = "bilinear"
    least: int | None = None
    device: str = "cpu"

    def __call__(self, images: Images) -> torch.Tensor:
        """Return what the network takes of images; grey ones get three equal channels."""
        found = torch.from_numpy(np.asarray(images)).to(self.device).permute(0, 3, 1, 2)
        found = found.to(torch.float32, memory_format=torch.contiguous_format)
        size = self._target(*found.shape[2:])
        if size != tuple(found.shape[2:]):
            found = interpolate(
                found, size=size, mode=self.filter, antialias=True, align_corners=False
            )
        if self.crop is not None:
            top, left = ((side - self.crop) // 2 for side in found.shape[2:])
            found = found[:, :, top : top + self.crop, left : left + self.crop]
        if found.shape[1] == 1:
            found = found.expand(-1, 3, -1, -1)
        mean, std = (
            255 * torch.tensor(values, device=self.device).view(1, 3, 1, 1)
            for values in NORMS[self.norm]
        )
        return ((found - mean) / std).contiguous()

    def _target(self, height: int, width: int) -> tuple[int, int]:
        short = min(height, width)
        size = self.size
        if size is None:
            size = max(short, self.least or 0)
        return (round(height * size / short), round(width * size / short))

    def __str__(self) -> str:
        steps = []
        if self.size is not None:
            steps.append(f"shorter side to {self.size} ({self.filter}, antialiased)")
        elif self.least is not None:
            steps.append(f"shorter side to at least {self.least} ({self.filter}, antialiased)")
        if self.crop is not None:
            steps.append(f"center crop {self.crop}")
        mean, std = NORMS[self.norm]
        steps.append(f"values in [0, 1], mean {_list(mean)}, standard deviation {_list(std)}")
        return "; ".join(steps)


def _list(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
