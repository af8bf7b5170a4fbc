"""Channels and sizes: grey or RGB, and a square of a given resolution.

The size is changed as EDM's data set tool does it: crop the largest centered square, then scale it
with Pillow's Lanczos filter. RGB becomes grey by Pillow's formula (ITU-R 601-2 luma in 16-bit fixed
point), so arrays and files agree to the bit.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_CHUNK = 512  # images per task: enough to hide the cost of a task, few enough for small temporaries


def workers() -> int:
    """Return how many threads decode and scale: Pillow releases the interpreter's lock."""
    return min(8, os.cpu_count() or 1)


def set_channels(pixels: Pixels, channels: int | None) -> Pixels:
    """Convert uint8 (..., C) between grey (1) and RGB (3); None keeps the channels."""
    if channels is None or pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    red, green, blue = (pixels[..., i].astype(np.uint32) for i in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def resize(pixels: Pixels, resolution: int | None) -> Pixels:
    """Crop and scale one uint8 image (H, W, C) to (resolution, resolution, C); None keeps it."""
    height, width, channels = pixels.shape
    if resolution is None or height == width == resolution:
        return pixels
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    image = Image.fromarray(square[:, :, 0] if channels == 1 else square)
    scaled = image.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(scaled).reshape(resolution, resolution, channels)


def fit_images(images: Pixels, *, resolution: int | None, channels: int | None) -> Pixels:
    """Convert all images uint8 (N, H, W, C) to the given channels and resolution.

    The input is returned as it is where nothing has to change.
    """
    count, height, width, old_channels = images.shape
    new_channels = channels or old_channels
    size = (height, width) if resolution is None else (resolution, resolution)
    if (*size, new_channels) == images.shape[1:]:
        return images
    fitted = np.empty((count, *size, new_channels), dtype=np.uint8)

    def fit_chunk(start: int) -> None:
        chunk = set_channels(images[start : start + _CHUNK], channels)
        if size == (height, width):
            fitted[start : start + _CHUNK] = chunk
            return
        for offset, image in enumerate(chunk):
            fitted[start + offset] = resize(image, resolution)

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(fit_chunk, range(0, count, _CHUNK)))
    return fitted
