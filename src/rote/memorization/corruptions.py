"""Degraded copies of images: what a model's copies may look like, at known strengths.

Each function takes one uint8 image (H, W, C), a strength and a generator, and returns such an image.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Pixels = npt.NDArray[np.uint8]
Degrade = Callable[[Pixels, float, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Degradation:
    """One corruption at one strength; ``unit`` says what the strength measures."""

    name: str
    strength: float
    unit: str
    apply: Degrade

    def __call__(self, images: Pixels, *, seed: int) -> Pixels:
        """Degrade images (N, H, W, C), each with its own randomness from ``seed``."""
        generators = np.random.default_rng(seed).spawn(len(images))
        done = [
            self.apply(image, self.strength, generator)
            for image, generator in zip(images, generators, strict=True)
        ]
        return np.stack(done)


def noise(image: Pixels, sigma: float, generator: np.random.Generator) -> Pixels:
    """Add Gaussian noise of ``sigma`` 8-bit levels."""
    return _to_uint8(image + sigma * generator.standard_normal(image.shape))


def blur(image: Pixels, radius: float, generator: np.random.Generator) -> Pixels:
    """Blur by a Gaussian of ``radius`` pixels."""
    return _pixels(_picture(image).filter(ImageFilter.GaussianBlur(radius)))


def jpeg(image: Pixels, quality: float, generator: np.random.Generator) -> Pixels:
    """Compress and decompress."""
    buffer = io.BytesIO()
    _picture(image).save(buffer, "JPEG", quality=int(quality))
    with Image.open(buffer) as picture:
        return _pixels(picture)


def shift(image: Pixels, pixels: float, generator: np.random.Generator) -> Pixels:
    """Move by ``pixels`` in one of eight directions; the edge is repeated into the gap."""
    by = int(pixels)
    directions = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    down, right = directions[int(generator.integers(len(directions)))]
    height, width, _ = image.shape
    padded = np.pad(image, ((by, by), (by, by), (0, 0)), mode="edge")
    top, left = by - by * down, by - by * right
    return padded[top : top + height, left : left + width]


def flip(image: Pixels, times: float, generator: np.random.Generator) -> Pixels:
    """Exchange left and right."""
    return image[:, ::-1]


def tone(image: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
    """Take away a share of the contrast and brighten by half of that share of the range."""
    return _to_uint8((image - 127.5) * (1 - strength) + 127.5 + 127.5 * strength)


def resize(image: Pixels, factor: float, generator: np.random.Generator) -> Pixels:
    """Scale down by ``factor`` and up again (Lanczos)."""
    height, width, _ = image.shape
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = _picture(image).resize(small, Image.Resampling.LANCZOS)
    return _pixels(picture.resize((width, height), Image.Resampling.LANCZOS))


_GRID: tuple[tuple[Degrade, str, tuple[float, ...]], ...] = (
    (noise, "levels", (4, 8, 16, 32)),
    (blur, "pixels", (0.5, 1, 2)),
    (jpeg, "quality", (90, 75, 50, 30)),
    (shift, "pixels", (1, 2)),
    (flip, "times", (1,)),
    (tone, "share", (0.1, 0.2, 0.4)),
    (resize, "factor", (2, 4)),
)
DEGRADATIONS = tuple(
    Degradation(function.__name__, strength, unit, function)
    for function, unit, strengths in _GRID
    for strength in strengths
)


def _to_uint8(values: npt.NDArray[np.floating[Any]]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def _pixels(picture: Image.Image) -> Pixels:
    values = np.asarray(picture)
    return values[:, :, None] if values.ndim == 2 else values
