"""Four kinds of pictures, a training side and fresh ones of each, and silent changes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.data.load import load_images

Pixels = npt.NDArray[np.uint8]
ROWS, COLUMNS = np.mgrid[:32, :32]


def photographs(count: int = 500, fresh: int = 300) -> tuple[Pixels, Pixels]:
    """Smooth textures in color, as scaled-up noise gives them: real ones take too much room in a test."""
    rng = np.random.default_rng(5)
    made = []
    for _ in range(count + fresh):
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        fine = Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)
        made.append(np.asarray(fine))
    return np.stack(made[:count]), np.stack(made[count:])


def digits() -> tuple[Pixels, Pixels]:
    """scikit-learn's handwritten digits."""
    items = load_images("digits").items
    return items[:1000], items[1000:1400]


def faint_objects(count: int = 600, fresh: int = 300) -> tuple[Pixels, Pixels]:
    """Small blurred ellipses on black with noise, as galaxies are."""
    rng = np.random.default_rng(1)
    made = np.empty((count + fresh, 32, 32, 1), np.uint8)
    for image in made:
        bright = rng.random() < 0.02
        size, peak = (6.0, 255.0) if bright else (rng.uniform(1, 2.2), rng.uniform(60, 200))
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        x, y = COLUMNS - rng.uniform(13, 19), ROWS - rng.uniform(13, 19)
        u, v = x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / flat
        light = peak * np.exp(-np.hypot(u, v) / size) + rng.normal(4, 1, (32, 32))
        image[..., 0] = np.clip(light, 0, 255)
    return made[:count], made[count:]


def icons(count: int = 500, fresh: int = 300) -> tuple[Pixels, Pixels]:
    """Flat shapes of three colors on a fourth."""
    rng = np.random.default_rng(0)
    made = np.empty((count + fresh, 32, 32, 3), np.uint8)
    for image in made:
        image[:] = rng.integers(0, 256, 3)
        for _ in range(3):
            color, corner = rng.integers(0, 256, 3), rng.integers(0, 24, 2)
            width, height = rng.integers(4, 16, 2)
            if rng.random() < 0.5:
                inside = (abs(COLUMNS - corner[0]) < width) & (abs(ROWS - corner[1]) < height)
            else:
                inside = np.hypot(COLUMNS - corner[0], ROWS - corner[1]) < width
            image[inside] = color
    return made[:count], made[count:]


KINDS: dict[str, Callable[[], tuple[Pixels, Pixels]]] = {
    "photographs": photographs,
    "digits": digits,
    "faint objects": faint_objects,
    "icons": icons,
}


def changed(name: str, images: Pixels) -> Pixels | None:
    """Return images as a silent difference leaves them; None where these images have none such."""
    if name == "channels-BGR":
        return None if images.shape[3] == 1 else images[..., ::-1].copy()
    share = images / 255
    made = {
        "inverted": lambda: 1 - share,
        "transposed": lambda: share.transpose(0, 2, 1, 3),
        "quarter-turn": lambda: np.rot90(share, 1, (1, 2)),
        "half-turn": lambda: share[:, ::-1, ::-1],
        "mirrored": lambda: share[:, :, ::-1],
        "upside-down": lambda: share[:, ::-1],
        "gamma": lambda: share**2.2,
        "half-range": lambda: share / 2,
        "video-range": lambda: (16 + 219 * share) / 255,
        "half-pixel": lambda: (
            sum(np.roll(share, by, axis=(1, 2)) for by in ((0, 0), (1, 0), (0, 1), (1, 1))) / 4
        ),
    }[name]()
    return np.rint(255 * made).astype(np.uint8)
