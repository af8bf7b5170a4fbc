"""Spaces without a network: `lowres`."""

from __future__ import annotations

import torch
from torch.nn.functional import adaptive_avg_pool2d

from rote.spaces.factory import SpaceFactory
from rote.spaces.parse import Wanted, check_options, size_of
from rote.spaces.space import Images, Space

SIZE = 8


def lowres(wanted: Wanted, device: str) -> Space:
    """Return the space of area means: SIZE x SIZE of them per channel, in 8-bit units.

    A shift by a pixel moves a mean over s x s pixels by about 1 / s of what it moves a pixel, and noise
    averages out; D is small, so that searches are fast. Details no longer count.
    """
    check_options(wanted, ())
    size = size_of(wanted.argument or str(SIZE), wanted)

    def prepare(images: Images) -> torch.Tensor:
        return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()

    return Space(
        name=wanted.text,
        preprocessing=f"means over a grid of {size}x{size} areas, in 8-bit units",
        beside="",
        prepare=prepare,
        network=lambda prepared: adaptive_avg_pool2d(prepared, size).flatten(1),
        tile=512,
        smallest=size,
    )


LOW_RESOLUTION = SpaceFactory(
    "lowres",
    "Area means, 8x8 unless given: fast, and blind to small shifts and noise.",
    lowres,
    usage="lowres[:SIZE]",
)
