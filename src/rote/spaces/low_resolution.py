"""Spaces without a network: `lowres`, of images and of volumes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from rote.spaces.factory import SpaceFactory
from rote.spaces.parse import Wanted, check_options, size_of
from rote.spaces.space import Images, Space

SIZE = 8
TOGETHER = 4
"""Volumes that are averaged at once: one may have millions of voxels."""


def lowres(wanted: Wanted, device: str) -> Space:
    """Return the space of area means: SIZE x SIZE of them per channel, in 8-bit units.

    A shift by a pixel moves a mean over s x s pixels by about 1 / s of what it moves a pixel, and noise
    averages out; D is small, so that searches are fast. Details no longer count. Of volumes it is the
    means over SIZE x SIZE x SIZE parts, fewer along a side of fewer voxels.
    """
    check_options(wanted, ())
    size = size_of(wanted.argument or str(SIZE), wanted)

    def prepare(images: Images) -> torch.Tensor:
        return torch.from_numpy(images).to(device).movedim(-1, 1).float()

    def means(prepared: torch.Tensor) -> torch.Tensor:
        depth, height, width = (min(size, side) for side in prepared.shape[2:])
        return adaptive_avg_pool3d(prepared, (depth, height, width)).flatten(1)

    of_images = Space(
        name=wanted.text,
        preprocessing=f"means over a grid of {size}x{size} areas, in 8-bit units",
        beside="",
        prepare=prepare,
        network=lambda prepared: adaptive_avg_pool2d(prepared, size).flatten(1),
        tile=512,
        smallest=size,
    )
    of_volumes = replace(
        of_images,
        preprocessing=f"means over a grid of {size}x{size}x{size} parts, in 8-bit units",
        network=means,
        tile=TOGETHER,
        smallest=1,
        takes="volumes",
        words="Means over parts of volumes: fast, and blind to small shifts and noise.",
    )
    return replace(of_images, of_volumes=of_volumes)


LOW_RESOLUTION = SpaceFactory(
    "lowres",
    "Area means, 8x8 unless given: fast, and blind to small shifts and noise.",
    lowres,
    usage="lowres[:SIZE]",
)
