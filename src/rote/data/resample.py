"""Channels and sizes: grey or RGB, and a square of a given resolution.

The size is changed as EDM's data set tool does it, where nothing else is asked: crop the largest centered
square, then scale it with Pillow's Lanczos filter. RGB becomes grey by Pillow's formula (ITU-R 601-2 luma
in 16-bit fixed point), so arrays and files agree to the bit.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.data.options import Resize

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


def resize(pixels: Pixels, resolution: int | None, how: Resize = "crop") -> Pixels:
    """Scale one uint8 image (H, W, C) to (resolution, resolution, C); None keeps it.

    What is not square is cropped, squeezed or padded with black, as ``how`` says.
    """
    height, width, channels = pixels.shape
    if resolution is None or height == width == resolution:
        return pixels
    size = (resolution, resolution)
    if how == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    elif how == "pad":
        longest = max(height, width)
        size = tuple(max(1, round(n * resolution / longest)) for n in (width, height))
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    scaled = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    scaled = scaled.reshape(size[1], size[0], channels)
    if size == (resolution, resolution):
        return scaled
    padded = np.zeros((resolution, resolution, channels), np.uint8)
    top, left = (resolution - size[1]) // 2, (resolution - size[0]) // 2
    padded[top : top + size[1], left : left + size[0]] = scaled
    return padded


def fit_images(
    images: Pixels, *, resolution: int | None, channels: int | None, how: Resize = "crop"
) -> Pixels:
    """Convert all images uint8 (N, H, W, C) to the given channels and resolution, as `resize` does.

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
            fitted[start + offset] = resize(image, resolution, how)

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(fit_chunk, range(0, count, _CHUNK)))
    return fitted
