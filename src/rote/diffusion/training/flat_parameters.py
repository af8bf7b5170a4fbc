"""A module's parameters and gradients as two flat tensors.

What treats all weights alike (zeroing, bounding, Adam, averaging) is then one operation each, where a
U-Net has hundreds of small tensors and the time of an operation is mostly that of starting it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Elements: a parameter starts at a multiple of 256 bytes, as it would in memory of its own."""


class FlatParameters:
    """The parameters of a module, moved into one tensor that each of them is a view of.

    Padding between parameters is 0 and stays 0: its gradient is 0, and so are Adam's moments there.
    """

    def __init__(self, module: nn.Module) -> None:
        """Move the parameters; they must be float32 or alike, of one dtype and one device."""
        named = list(module.named_parameters())
        first = named[0][1]
        self._places: dict[str, tuple[int, torch.Size]] = {}
        length = 0
        for name, parameter in named:
            assert parameter.dtype == first.dtype
            assert parameter.device == first.device
            self._places[name] = (length, parameter.shape)
            length += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        self.values = nn.Parameter(torch.zeros(length, dtype=first.dtype, device=first.device))
        self.gradient = torch.zeros_like(self.values)
        self.values.grad = self.gradient
        # Autograd adds to a gradient that is there, in place: it ends up in the flat one.
        values, gradients = self.views(self.values.detach()), self.views(self.gradient)
        for name, parameter in named:
            values[name].copy_(parameter.detach())
            parameter.data, parameter.grad = values[name], gradients[name]

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Cut a tensor of the layout of ``values`` into one view for each parameter, by name."""
        return {
            name: flat[start : start + shape.numel()].view(shape)
            for name, (start, shape) in self._places.items()
        }
