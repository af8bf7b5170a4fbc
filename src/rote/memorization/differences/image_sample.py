"""A sample of images that come in batches; it depends on what they hold, not on order or batches."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.seeds import child_seed
from rote.data.sampling import keyed_digests

Pixels = npt.NDArray[np.uint8]

SIZE = 128
SEEN = 128
"""Places a side of larger images that are kept."""


@dataclass(frozen=True)
class _Kept:
    """One image: its place in the order, its bounds, and its pixels, as `seen`."""

    digest: bytes
    low: int
    high: int
    pixels: Pixels


class ImageSample:
    """The `SIZE` images whose digests are smallest, of all that were seen.

    So the same images are taken from a set however it is ordered and cut into batches: those that come
    first in `rote.data.sampling.drawn_by_content`.

    Parameters
    ----------
    seed
        Root of the seed of the order.

    >>> images = np.arange(3 * 12, dtype=np.uint8).reshape(3, 2, 2, 3)
    >>> whole, parts = ImageSample(seed=0), ImageSample(seed=0)
    >>> whole.see(images)
    >>> for image in images[::-1]:
    ...     parts.see(image[None])
    >>> bool((whole.pixels == parts.pixels).all()), whole.bounds
    (True, (0, 35))
    """

    def __init__(self, *, seed: int) -> None:
        self._seed = child_seed(seed, "probe")
        self._kept: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._kept)

    def see(self, images: Pixels) -> None:
        """Take in a batch, uint8 (N, H, W, C)."""
        worst = self._kept[-1].digest if len(self) == SIZE else None
        digests = keyed_digests(images, range(len(images)), seed=self._seed)
        found = [
            (digest, position)
            for position, digest in enumerate(digests)
            if worst is None or digest < worst
        ]
        more = []
        for digest, position in sorted(found)[:SIZE]:
            image = images[position : position + 1]
            more.append(_Kept(digest, int(image.min()), int(image.max()), seen(image)[0]))
            release_pages(images)
        self._add(more)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """What tells this sample from another one."""
        return tuple(one.digest for one in self._kept)

    @property
    def pixels(self) -> Pixels:
        """The images, as `seen`, uint8 (n, h, w, C)."""
        return np.stack([one.pixels for one in self._kept])

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest value in them."""
        return min(one.low for one in self._kept), max(one.high for one in self._kept)

    @property
    def state(self) -> list[dict[str, Any]]:
        """The sample as plain types, to be sent to another process."""
        return [
            {
                "digest": one.digest.hex(),
                "bounds": [one.low, one.high],
                "shape": list(one.pixels.shape),
                "pixels": base64.b64encode(one.pixels.tobytes()).decode(),
            }
            for one in self._kept
        ]

    def merge(self, state: list[dict[str, Any]]) -> None:
        """Add the `state` of another sample, of the same seed."""
        self._add(
            [
                _Kept(
                    bytes.fromhex(one["digest"]),
                    one["bounds"][0],
                    one["bounds"][1],
                    np.frombuffer(base64.b64decode(one["pixels"]), np.uint8).reshape(one["shape"]),
                )
                for one in state
            ]
        )

    def _add(self, more: list[_Kept]) -> None:
        self._kept = sorted(self._kept + more, key=lambda one: one.digest)[:SIZE]


def seen(images: Pixels, rows: npt.NDArray[np.int64] | slice = slice(None)) -> Pixels:
    """Return some images at no more than `SEEN` places a side; silent differences show there as well.

    >>> seen(np.zeros((2, 300, 66, 1), np.uint8)).shape
    (2, 128, 66, 1)
    """
    if max(images.shape[1:3]) <= SEEN:
        return images[rows]
    down, right = (seen_places(size) for size in images.shape[1:3])
    return images[np.arange(len(images))[rows][:, None, None], down[:, None], right]


def seen_places(size: int, most: int = SEEN) -> npt.NDArray[np.int64]:
    """Return where images of so many pixels a side are `seen`; a mirror changes these as it does them."""
    if size <= most:
        return np.arange(size)
    half = ((np.arange(most // 2) + 0.5) * size / most).astype(np.int64)
    return np.concatenate([half, size - 1 - half[::-1]])
