"""Corruptions: what a model's copies may look like, at known strengths.

Each function of an image takes one uint8 image (H, W, C), a strength and a generator, and returns such an
image; one that is marked so takes a pair, the image and another. Those of volumes are in
`rote.memorization.corruptions.volumes`, those of vectors, rows and series in
`rote.memorization.corruptions.numbers`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from rote.core.catalog import Catalog
from rote.data.dataset import Kind
from rote.memorization.corruptions import numbers as of_numbers
from rote.memorization.corruptions import volumes as of_volumes

Pixels = npt.NDArray[np.uint8]
Degrade = Callable[[Any, float, Any], npt.NDArray[Any]]


@dataclass(frozen=True)
class Corruption:
    """One way to spoil an item.

    Attributes
    ----------
    name
        As files tell it.
    title, adjective
        As a page tells it: "Blur", and "blurred" copies.
    strengths
        To be tried, mild to strong.
    unit
        What a strength measures.
    apply
        Spoils one image, or one `rote.memorization.corruptions.numbers.Numbers`.
    kinds
        The kinds of items that it is for.
    with_other
        Whether it takes a pair of images: the one to be spoiled, and another of the training side.
    shared
        Makes, of an image and its randomness, what all strengths have in common; ``apply`` is then given
        that in place of the randomness. None: nothing.
    """

    name: str
    title: str
    adjective: str
    strengths: tuple[float, ...]
    unit: str
    apply: Degrade
    kinds: tuple[Kind, ...] = ("image",)
    with_other: bool = False
    shared: Callable[[Any, np.random.Generator], Any] | None = None

    def at(
        self, strengths: Iterable[float], item: Any, seed: np.random.SeedSequence
    ) -> Iterator[npt.NDArray[Any]]:
        """Yield an item spoiled at each strength, by the same randomness at all of them."""
        shared = None
        for number, strength in enumerate(strengths):
            given: Any = np.random.default_rng(seed) if shared is None else shared
            if self.shared is not None and number == 0:
                given = shared = self.shared(item, given)
            yield self.apply(item, strength, given)


@dataclass(frozen=True)
class Degradation:
    """One corruption at one strength."""

    corruption: Corruption
    strength: float

    @property
    def name(self) -> str:
        """Of the corruption."""
        return self.corruption.name

    def __call__(
        self,
        items: Pixels | Sequence[Pixels] | Sequence[of_numbers.Numbers],
        *,
        seed: int,
    ) -> npt.NDArray[Any]:
        """Degrade images (N, H, W, C) or (H, W, C) each, or numbers, each by its own randomness."""
        found = [
            next(self.corruption.at((self.strength,), given_to(self.corruption, items, row), own))
            for row, own in enumerate(seeds(seed, len(items)))
        ]
        return np.stack(found)

    def to_json(self) -> dict[str, Any]:
        """Return what it is, as plain types."""
        return {
            "corruption": self.name,
            "title": self.corruption.title,
            "adjective": self.corruption.adjective,
            "strength": self.strength,
            "unit": self.corruption.unit,
        }


def seeds(seed: int, count: int) -> list[np.random.SeedSequence]:
    """Return the root of the randomness of each of so many items."""
    return np.random.SeedSequence(seed).spawn(count)


def given_to(corruption: Corruption, items: Sequence[Any] | Pixels, row: int) -> Any:
    """Return what is to be spoiled: an item, with the next one where the corruption takes a pair."""
    item = items[row]
    return (item, items[(row + 1) % len(items)]) if corruption.with_other else item


def noise(image: Pixels, sigma: float, normal: npt.NDArray[np.float32]) -> Pixels:
    """Add Gaussian noise of ``sigma`` 8-bit levels, given standard normal numbers of its shape."""
    flat, drawn = np.ascontiguousarray(image).reshape(-1), normal.reshape(-1)
    out = np.empty(flat.shape, np.uint8)
    room = np.empty(
        min(len(flat), CACHED), np.float32
    )  # a large image at once would be in memory several times
    for start in range(0, len(flat), CACHED):
        part = flat[start : start + CACHED]
        values = room[: len(part)]
        np.multiply(drawn[start : start + CACHED], np.float32(sigma), out=values)
        values += part
        np.rint(values, out=values)
        out[start : start + CACHED] = np.clip(values, 0, 255, out=values)
    return out.reshape(image.shape)


def normal_of(image: Pixels, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw a standard normal number for each of an image."""
    return generator.standard_normal(image.shape, dtype=np.float32)


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
    levels = np.arange(256, dtype=np.uint8)
    return _to_uint8((levels - 127.5) * (1 - strength) + 127.5 + 127.5 * strength)[image]


def resize(image: Pixels, factor: float, generator: np.random.Generator) -> Pixels:
    """Scale down by ``factor`` and up again (Lanczos)."""
    height, width, _ = image.shape
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = _picture(image).resize(small, Image.Resampling.LANCZOS)
    return _pixels(picture.resize((width, height), Image.Resampling.LANCZOS))


def crop(image: Pixels, share: float, generator: np.random.Generator) -> Pixels:
    """Cut ``share`` off height and width, half of it at each edge, and scale back (Lanczos)."""
    height, width, _ = image.shape
    top, left = (max(1, round(share / 2 * size)) if size > 2 else 0 for size in (height, width))
    inner = _picture(image[top : height - top, left : width - left])
    return _pixels(inner.resize((width, height), Image.Resampling.LANCZOS))


def paste(images: tuple[Pixels, Pixels], share: float, generator: np.random.Generator) -> Pixels:
    """Put a corner of an image, ``share`` of its area, where it was, into another turned by 180 degrees.

    Turned, the other is no training image any more, but has what such images have.
    """
    image, other = images
    pasted = other[::-1, ::-1].copy()
    height, width = (max(1, round(size * share**0.5)) for size in image.shape[:2])
    below, right = generator.integers(2, size=2)
    rows = slice(-height, None) if below else slice(height)
    columns = slice(-width, None) if right else slice(width)
    pasted[rows, columns] = image[rows, columns]
    return pasted


COPIES, FEWEST_COPIES, COPIED_BYTES = 100, 25, 2**25
"""Training items that the positive control degrades where nobody says: at most, at least, by size."""
SERIES: tuple[Kind, ...] = ("series",)
VOLUME: tuple[Kind, ...] = ("volume",)
BOTH: tuple[Kind, ...] = ("image", "volume")
CACHED = 2**14
"""Numbers that noise is added to at a time."""

CORRUPTIONS: Catalog[Corruption] = Catalog(
    "the corruption",
    (
        Corruption(
            "noise", "Noise", "noisy", (4, 8, 16, 32), "levels", noise, BOTH, shared=normal_of
        ),
        Corruption("blur", "Blur", "blurred", (0.5, 1, 2), "pixels", blur),
        Corruption("jpeg", "JPEG", "recompressed", (90, 75, 50, 30), "quality", jpeg),
        Corruption("shift", "Shift", "shifted", (1, 2), "pixels", shift),
        Corruption("flip", "Mirror", "mirrored", (1,), "times", flip),
        Corruption(
            "tone",
            "Brightness and contrast",
            "brightness-changed",
            (0.1, 0.2, 0.4),
            "share",
            tone,
            BOTH,
        ),
        Corruption("resize", "Down and up sampling", "resampled", (2, 4), "factor", resize),
        Corruption("crop", "Crop", "cropped", (0.06,), "share", crop),
        Corruption(
            "paste",
            "Part in another image",
            "partial",
            (0.25,),
            "share",
            paste,
            with_other=True,
        ),
        Corruption("blur-3d", "Blur", "blurred", (0.5, 1, 2), "voxels", of_volumes.blur, VOLUME),
        Corruption("shift-3d", "Shift", "shifted", (1, 2), "voxels", of_volumes.shift, VOLUME),
        Corruption("left-right", "Mirror", "mirrored", (1,), "times", of_volumes.flip, VOLUME),
        Corruption(
            "rotation", "Rotation", "turned", (2, 10), "degrees", of_volumes.rotation, VOLUME
        ),
        Corruption(
            "spread-noise",
            "Noise",
            "noisy",
            (0.01, 0.03, 0.1, 0.3),
            "spreads",
            of_numbers.noise,
            ("vector", "series"),
        ),
        Corruption(
            "cells",
            "Cells of other rows",
            "partly exchanged",
            (0.05, 0.1, 0.25),
            "share",
            of_numbers.cells,
            ("vector",),
        ),
        Corruption(
            "offset", "Offset", "moved", (0.03, 0.1, 0.3), "spreads", of_numbers.offset, SERIES
        ),
        Corruption("gain", "Gain", "stretched", (0.05, 0.1, 0.3), "share", of_numbers.gain, SERIES),
        Corruption("delay", "Delay", "delayed", (1, 2), "times", of_numbers.delay, SERIES),
        Corruption("polarity", "Polarity", "inverted", (1,), "times", of_numbers.polarity, SERIES),
    ),
)


def register(corruption: Corruption) -> None:
    """Add a corruption from outside: from then on every positive control tries it.

    Raises
    ------
    ConfigError
        If its name is that of a corruption that comes with rote.
    """
    CORRUPTIONS.register(corruption)


def degradations(kind: Kind = "image") -> tuple[Degradation, ...]:
    """Return every corruption of a kind of items at each of its strengths, in order."""
    return tuple(
        Degradation(one, strength)
        for one in CORRUPTIONS
        if kind in one.kinds
        for strength in one.strengths
    )


def default_copies(item_bytes: int) -> int:
    """Return how many training items of so many bytes are degraded in each way.

    What they take grows with their size and not with the data: 100 images of 512 x 512 in all ways would
    take longer than the rest of many audits.

    >>> default_copies(32 * 32 * 3), default_copies(512 * 512 * 3), default_copies(1024 * 1024 * 3)
    (100, 42, 25)
    """
    return min(COPIES, max(FEWEST_COPIES, COPIED_BYTES // max(1, item_bytes)))


def _to_uint8(values: npt.NDArray[np.floating[Any]]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def _pixels(picture: Image.Image) -> Pixels:
    values = np.asarray(picture)
    return values[:, :, None] if values.ndim == 2 else values
