"""Changes that may have been made to one side of an audit and not to the other, unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rote.data.files.mapped import blocks_of

Pixels = npt.NDArray[np.uint8]
FULL, VIDEO = (0, 255), (16, 235)


@dataclass(frozen=True)
class Change:
    """What may have been done to one side and not to the other.

    Attributes
    ----------
    name, words
        Of the change; ``words`` end the sentence "copies of training images ...".
    done
        What it makes of training images, uint8 (N, H, W, C).
    undone
        What brings generated images nearest to training images; exact where ``keeps_distances``.
    keeps_distances
        Whether two changed images differ as much as the two images themselves.
    """

    name: str
    words: str
    done: Callable[[Pixels], Pixels]
    undone: Callable[[Pixels], Pixels]
    keeps_distances: bool = True


def changes_of(
    shape: tuple[int, ...], generated: tuple[int, int], training: tuple[int, int]
) -> list[Change]:
    """Return all changes that images of a shape (N, H, W, C) and `bounds` of two sides can have."""
    return [*turns(shape), *channel_orders(shape), *tones(generated, training), *moves()]


def bounds(images: Pixels) -> tuple[int, int]:
    """Return the least and the largest value, some images in memory at a time."""
    found = [(int(block.min()), int(block.max())) for block in blocks_of(images)]
    return min(low for low, _ in found), max(high for _, high in found)


def turns(shape: tuple[int, ...]) -> list[Change]:
    """Return the ways to lie differently in the frame."""
    found = [
        Change("mirrored", "mirrored left to right", _mirror, _mirror),
        Change("upside-down", "upside down", lambda x: x[:, ::-1], lambda x: x[:, ::-1]),
        Change(
            "half-turn",
            "turned by 180 degrees",
            lambda x: x[:, ::-1, ::-1],
            lambda x: x[:, ::-1, ::-1],
        ),
    ]
    if shape[1] == shape[2]:
        for times, name in ((1, "quarter-turn"), (3, "three-quarter-turn")):
            found.append(
                Change(
                    name,
                    f"turned by {90 * times} degrees",
                    lambda x, times=times: np.rot90(x, times, (1, 2)),  # type: ignore[misc]
                    lambda x, times=times: np.rot90(x, -times, (1, 2)),  # type: ignore[misc]
                )
            )
        found.append(
            Change("transposed", "with rows and columns exchanged", _transpose, _transpose)
        )
    return found


def channel_orders(shape: tuple[int, ...]) -> list[Change]:
    """Return the other orders of three channels."""
    found = []
    for order in ((2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2)):
        name = "".join("RGB"[channel] for channel in order)
        kind = "reversed" if name == "BGR" else "exchanged"
        back = tuple(int(place) for place in np.argsort(order))
        found.append(
            Change(
                f"channels-{name}",
                f"with their channels {kind} (channel order {name})",
                lambda x, order=order: x[..., order],  # type: ignore[misc]
                lambda x, back=back: x[..., back],  # type: ignore[misc]
            )
        )
    return found if shape[3] == 3 else []


def tones(generated: tuple[int, int], training: tuple[int, int]) -> list[Change]:
    """Return other ways to write brightness; the bounds of the values of both sides tell one of them."""
    found = [
        Change("inverted", "inverted, as negatives", lambda x: 255 - x, lambda x: 255 - x),
        _by_tables("gamma", "with a gamma of 2.2 applied", _gamma(2.2), _gamma(1 / 2.2)),
        _by_tables("inverse-gamma", "with a gamma of 1/2.2 applied", _gamma(1 / 2.2), _gamma(2.2)),
    ]
    ranges = [("video-range", FULL, VIDEO), ("full-range", VIDEO, FULL)]
    if generated != training and min(b - a for a, b in (generated, training)) > 0:
        ranges.insert(0, ("range", training, generated))
    for name, source, target in ranges:
        words = f"with values {source[0]} to {source[1]} written as {target[0]} to {target[1]}"
        found.append(_by_tables(name, words, _stretch(source, target), _stretch(target, source)))
    return found


def moves() -> list[Change]:
    """Return the half pixel by which two ways of resizing differ, either way."""
    return [
        Change(
            "half-pixel", "moved by half a pixel", _half_pixel, lambda x: x, keeps_distances=False
        ),
        Change(
            "half-pixel-back",
            "moved back by half a pixel",
            lambda x: _half_pixel(x[:, ::-1, ::-1])[:, ::-1, ::-1],
            lambda x: x,
            keeps_distances=False,
        ),
    ]


def _mirror(images: Pixels) -> Pixels:
    return images[:, :, ::-1]


def _transpose(images: Pixels) -> Pixels:
    return images.transpose(0, 2, 1, 3)


def _by_tables(name: str, words: str, done: Pixels, undone: Pixels) -> Change:
    return Change(name, words, lambda x: done[x], lambda x: undone[x], keeps_distances=False)


def _gamma(exponent: float) -> Pixels:
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)


def _stretch(source: tuple[int, int], target: tuple[int, int]) -> Pixels:
    share = (np.arange(256) - source[0]) / (source[1] - source[0])
    return np.clip(np.rint(target[0] + share * (target[1] - target[0])), 0, 255).astype(np.uint8)


def _half_pixel(images: Pixels) -> Pixels:
    """Move by half a pixel down and to the right."""
    padded = np.pad(images, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="edge").astype(np.uint16)
    total = padded[:, :-1, :-1] + padded[:, 1:, :-1] + padded[:, :-1, 1:] + padded[:, 1:, 1:]
    return ((total + 2) // 4).astype(np.uint8)
