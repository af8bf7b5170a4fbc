"""ST-LPIPS (Ghildyal and Liu 2022): a perceptual distance of two images that forgives small shifts.

    d(x, y) = sum over layers l of  mean over places of  sum_c w_lc (f_lc(x) - f_lc(y))^2

with f_l the features of layer l of an AlexNet, scaled to length 1 over channels at every place, and
learned weights w >= 0. So d is a squared L2 distance between rows f sqrt(w / places), too long to be kept
for a whole training set; rote takes sqrt(d) for the distance.

The AlexNet is made tolerant to shifts as the paper says: stride 1 in the first convolution, and wherever
features are made coarser, a blur [1 2 1] x [1 2 1] / 16 with stride 2, padded by two mirrored pixels.

The weights come from a package under BSD-2-Clause that also carries files under a non-commercial license:
none of its code is used here or imported.

Source: Ghildyal and Liu, "Shift-Tolerant Perceptual Similarity Metric" (2022), section 4.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (64, 192, 384, 256, 256)
SMALLEST = 64
"""What it was trained on; smaller images are scaled up to it."""
EPSILON = 1e-10


class Blur(nn.Module):
    """(T, C, h, w) -> about half of h and w."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(channels, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.filt, torch.Tensor)
        padded = functional.pad(x, (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(padded, self.filt, stride=2, groups=x.shape[1])


class ShiftTolerantAlexNet(nn.Module):
    """Images in [-1, 1] (T, 3, h, w), h and w from 64 on -> features of five layers."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = CHANNELS
        # Positions are part of the names that the weights have.
        self.slice1 = _numbered({0: nn.Conv2d(3, a, 11, 1, 2), 1: Blur(a), 2: nn.ReLU()})
        self.slice2 = _numbered(
            {3: nn.MaxPool2d(3, 1), 4: Blur(a), 5: nn.Conv2d(a, b, 5, 1, 2), 6: nn.ReLU()}
        )
        self.slice3 = _numbered(
            {7: nn.MaxPool2d(3, 1), 8: Blur(b), 9: nn.Conv2d(b, c, 3, 1, 1), 10: nn.ReLU()}
        )
        self.slice4 = _numbered({11: nn.Conv2d(c, d, 3, 1, 1), 12: nn.ReLU()})
        self.slice5 = _numbered({13: nn.Conv2d(d, e, 3, 1, 1), 14: nn.ReLU()})

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for part in (self.slice1, self.slice2, self.slice3, self.slice4, self.slice5):
            x = part(x)
            found.append(x)
        return found


def _numbered(modules: dict[int, nn.Module]) -> nn.Sequential:
    result = nn.Sequential()
    for number, module in modules.items():
        result.add_module(str(number), module)
    return result


class Lin(nn.Module):
    """The learned weights of one layer, (1, C, 1, 1), under the name they have in the file."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    @property
    def weight(self) -> torch.Tensor:
        """Weights (1, C, 1, 1)."""
        convolution = self.model[1]
        assert isinstance(convolution, nn.Conv2d)
        return convolution.weight


class Scaling(nn.Module):
    """From [-1, 1] to what the AlexNet was trained with."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.shift, torch.Tensor) and isinstance(self.scale, torch.Tensor)
        return (x - self.shift) / self.scale


class STLPIPS(nn.Module):
    """Images in [-1, 1] (T, 3, h, w) -> rows (T, D) whose squared L2 distance is ST-LPIPS."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = Scaling()
        self.net = ShiftTolerantAlexNet()
        self.lin0, self.lin1, self.lin2, self.lin3, self.lin4 = (Lin(c) for c in CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = []
        weights = [lin.weight for lin in (self.lin0, self.lin1, self.lin2, self.lin3, self.lin4)]
        for features, weight in zip(self.net(self.scaling_layer(x)), weights, strict=True):
            length = features.square().sum(dim=1, keepdim=True).sqrt()
            places = features.shape[2] * features.shape[3]
            scaled = features / (length + EPSILON) * (weight.clamp(min=0) / places).sqrt()
            rows.append(scaled.flatten(1))
        return torch.cat(rows, dim=1)
