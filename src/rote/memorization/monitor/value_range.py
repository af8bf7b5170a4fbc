"""Whether values have the range that they were said to have, judged over all that was seen.

A wrong range finds no copies and looks like a model that copies nothing. Extremes of a few images say
little, so batches of fewer than `TELLING` are judged together, and what is left when a rate is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError

TELLING = 16
"""Images whose extremes say something about their range."""
CHANCE = 0.001
"""Of extremes that fewer images may have by themselves, as the training images have them."""

Images = npt.NDArray[Any] | torch.Tensor
ValueRange = tuple[float, float]


@dataclass(frozen=True)
class Levels:
    """What of the training images' values tells a range; shares of images."""

    dark: bool
    """Whether more than a tenth of the values lie below the middle."""
    bright_images: float
    black_images: float
    brightest: int

    @staticmethod
    def of(images: npt.NDArray[np.uint8]) -> Levels:
        """Return those of images (N, H, W, C)."""
        axes = tuple(range(1, images.ndim))
        lowest, highest = images.min(axis=axes), images.max(axis=axes)
        return Levels(
            bool((images < 128).mean() > 0.1),
            float((lowest >= 128).mean()),
            float((highest <= 1).mean()),
            int(highest.max()),
        )


@dataclass(frozen=True)
class Extremes:
    """Of some images that were said to have one range; None: 8 bits."""

    said: ValueRange | None
    low: float
    high: float
    count: int

    @staticmethod
    def of(images: Images, value_range: ValueRange | None) -> Extremes:
        """Return those of a batch."""
        values = images.detach() if isinstance(images, torch.Tensor) else images
        floats = images.dtype not in (np.uint8, torch.uint8)
        said = (value_range[0], value_range[1]) if floats and value_range else None
        return Extremes(said, float(values.min()), float(values.max()), len(images))

    def joined(self, other: Extremes) -> Extremes:
        """Return those of both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Extremes(self.said, low, high, self.count + other.count)

    def judge(self, training: Levels, name: str) -> None:
        """Refuse images whose values plainly have another range than was said."""
        guess, alike = "", 0.0
        if self.said is None:
            if self.high == 1 and training.brightest > 1:
                guess, alike = "[0, 1] cut to whole numbers", training.black_images
        elif self.low >= 0 and self.high > 2:
            guess = "[0, 255]"
        elif self.said[0] == 0 and -1.5 <= self.low <= -0.5 and self.high <= 1.5:
            guess = "[-1, 1]"
        elif self.said[0] == -1 and self.low >= 0 and 0.5 < self.high <= 1 and training.dark:
            guess, alike = "[0, 1]", training.bright_images
        if guess and (self.count >= TELLING or alike**self.count < CHANCE):
            said = "uint8 in [0, 255]" if self.said is None else f"value_range={self.said}"
            raise DataError(
                f"{name} were said to be {said}, but {self.count} of them run from {self.low:g} to "
                f"{self.high:g}, which looks like {guess}; a wrong range finds no copies at all"
            )


class RangeGuard:
    """The extremes of batches that were too small to be judged by themselves."""

    def __init__(self, training: Levels) -> None:
        self._training = training
        self._waiting: dict[ValueRange | None, Extremes] = {}

    def see(self, images: Images, value_range: ValueRange | None, name: str) -> None:
        """Judge a batch, with those before it as far as it is small; errors as `Extremes.judge`."""
        if len(images):
            found = Extremes.of(images, value_range)
            if found.count < TELLING:
                self._add(found)
                found = self._waiting[found.said]
            if found.count >= TELLING:
                found.judge(self._training, name)
                if len(images) < TELLING:
                    del self._waiting[found.said]

    def judge(self, name: str) -> None:
        """Judge what has waited; nothing is forgotten."""
        for found in self._waiting.values():
            found.judge(self._training, name)

    def merge(self, waiting: list[list[Any]]) -> None:
        """Add the `state` of another."""
        for said, low, high, count in waiting:
            self._add(Extremes(None if said is None else (said[0], said[1]), low, high, count))

    @property
    def state(self) -> list[list[Any]]:
        """What has waited, as plain types."""
        return [
            [None if said is None else list(said), found.low, found.high, found.count]
            for said, found in self._waiting.items()
        ]

    def _add(self, found: Extremes) -> None:
        before = self._waiting.get(found.said)
        self._waiting[found.said] = found if before is None else before.joined(found)


def check_range(value_range: ValueRange | None) -> None:
    """Refuse a range that is none of the two."""
    if value_range is not None and tuple(value_range) not in ((-1, 1), (0, 1)):
        raise ConfigError(f"value_range is {value_range}; (-1, 1) or (0, 1) is expected")
