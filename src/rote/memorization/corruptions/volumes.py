"""Corruptions of volumes: what a model's copies of scans may look like.

Each function takes one uint8 volume (D, H, W, C), a strength and a generator, and returns such a volume.
Noise and brightness are those of images (`rote.memorization.corruptions`).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Voxels = npt.NDArray[np.uint8]

_STEPS = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
"""Along depth, height and width."""


def blur(volume: Voxels, radius: float, generator: np.random.Generator) -> Voxels:
    """Blur by a Gaussian of ``radius`` voxels along all three axes."""
    from scipy.ndimage import gaussian_filter

    return _whole(gaussian_filter(_single(volume), (radius, radius, radius, 0), mode="nearest"))


def shift(volume: Voxels, voxels: float, generator: np.random.Generator) -> Voxels:
    """Move by ``voxels`` in one of 26 directions; the border is repeated into the gap."""
    step = _STEPS[int(generator.integers(len(_STEPS)))]
    for axis, way in enumerate(step):
        places = np.arange(volume.shape[axis]) - way * int(voxels)
        volume = np.take(volume, np.clip(places, 0, volume.shape[axis] - 1), axis=axis)
    return volume


def flip(volume: Voxels, times: float, generator: np.random.Generator) -> Voxels:
    """Exchange left and right."""
    return volume[:, :, ::-1]


def rotation(volume: Voxels, degrees: float, generator: np.random.Generator) -> Voxels:
    """Turn about the axis from feet to head, to either side; linear between voxels."""
    from scipy.ndimage import rotate

    angle = degrees * float(generator.choice((-1.0, 1.0)))
    return _whole(
        rotate(_single(volume), angle, axes=(1, 2), reshape=False, order=1, mode="nearest")
    )


def _single(volume: Voxels) -> npt.NDArray[np.float32]:
    return volume.astype(np.float32)


def _whole(values: npt.NDArray[np.float32]) -> Voxels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
