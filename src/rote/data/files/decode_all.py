"""Decode all image files of one source into one array, in a thread pool and a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import release_pages
from rote.data.files.decode import UnreadableImageError, decode, strict_pillow
from rote.data.files.listing import Entry
from rote.data.messages import first_few, shown
from rote.data.resample import Pixels, resize, set_channels, workers

_BATCH = 256  # decoded images that may wait for the collector: bounds the memory


MakeRoom = Callable[[tuple[int, ...]], Pixels]


def _in_memory(shape: tuple[int, ...]) -> Pixels:
    return np.empty(shape, dtype=np.uint8)


@dataclass(frozen=True)
class Decoded:
    """The readable images of a source.

    Attributes
    ----------
    images
        uint8 (N, H, W, C).
    kept
        int64 (N,): which entry each image came from.
    unreadable
        Names of the entries left out.
    """

    images: Pixels
    kept: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class _Result:
    """What one file gave: pixels fitted to the options with its own channels, or a reason."""

    pixels: Pixels | None = None
    channels: int = 0
    reason: str = ""


def decode_all(
    entries: Sequence[Entry],
    *,
    where: str,
    resolution: int | None,
    channels: int | None,
    skip_unreadable: bool,
    make_room: MakeRoom = _in_memory,
) -> Decoded:
    """Decode every entry, convert it to ``channels`` and ``resolution``, and stack all.

    ``make_room`` gives the uint8 array that the images are put into, from its shape.

    Raises
    ------
    DataError
        If files are unreadable (unless they are to be skipped), if grey and RGB are mixed and
        ``channels`` is None, or if sizes are mixed and ``resolution`` is None.
    """

    def work(entry: Entry) -> _Result:
        try:
            pixels = decode(entry.content())
        except UnreadableImageError as error:
            return _Result(reason=str(error))
        fitted = resize(set_channels(pixels, channels), resolution)
        return _Result(pixels=fitted, channels=pixels.shape[2])

    collector = _Collector(len(entries), where, make_room)
    with strict_pillow(), ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            for offset, result in enumerate(pool.map(work, batch)):
                collector.add(start + offset, entries[start + offset].name, result)
            if collector.images is not None:
                release_pages(collector.images)
    return collector.finish(channels=channels, skip_unreadable=skip_unreadable)


@dataclass
class _Seen:
    """How many images had a property, and the first of them."""

    count: int
    example: str


@dataclass
class _Collector:
    total: int
    where: str
    make_room: MakeRoom
    images: Pixels | None = None
    kept: list[int] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    sizes: dict[tuple[int, int], _Seen] = field(default_factory=dict)
    kinds: dict[int, _Seen] = field(default_factory=dict)

    def add(self, index: int, name: str, result: _Result) -> None:
        if result.pixels is None:
            self.unreadable.append((name, result.reason))
            return
        height, width, _ = result.pixels.shape
        self.sizes.setdefault((height, width), _Seen(0, name)).count += 1
        self.kinds.setdefault(result.channels, _Seen(0, name)).count += 1
        if self.images is None:
            self.images = self._room_for(result.pixels.shape)
        if self.images.shape[1:] == result.pixels.shape:  # else an error follows in any case
            self.images[len(self.kept)] = result.pixels
            self.kept.append(index)

    def _room_for(self, shape: tuple[int, ...]) -> Pixels:
        try:
            return self.make_room((self.total, *shape))
        except MemoryError:
            size = self.total * int(np.prod(shape)) / 2**30
            raise DataError(
                f"{self.where}: {self.total:,} images of {shape[1]}x{shape[0]} pixels need "
                f"{size:.1f} GiB of memory; give a smaller `resolution` or fewer images"
            ) from None

    def finish(self, *, channels: int | None, skip_unreadable: bool) -> Decoded:
        if self.images is None:
            raise DataError(
                f"{self.where}: none of {self.total:,} image files can be read "
                f"({self._unreadable_text()}); give `source` a source with readable images"
            )
        if self.unreadable and not skip_unreadable:
            raise DataError(
                f"{self.where}: {len(self.unreadable):,} of {self.total:,} image files cannot be "
                f"read ({self._unreadable_text()}); repair or remove them, or leave them out with "
                "`skip_unreadable`"
            )
        if len(self.kinds) > 1 and channels is None:
            grey, rgb = self.kinds[1], self.kinds[3]
            raise DataError(
                f"{self.where}: {grey.count:,} grey images (such as {shown(grey.example)}) and "
                f"{rgb.count:,} RGB images (such as {shown(rgb.example)}) are mixed; all of one "
                "kind are expected: give `channels` 3 to turn all to RGB or `channels` 1 to grey"
            )
        if len(self.sizes) > 1:
            raise DataError(self._sizes_text())
        return Decoded(
            images=self.images[: len(self.kept)],
            kept=np.array(self.kept, dtype=np.int64),
            unreadable=tuple(name for name, _ in self.unreadable),
        )

    def _unreadable_text(self) -> str:
        return first_few([f"{name}: {reason}" for name, reason in self.unreadable])

    def _sizes_text(self) -> str:
        common = sorted(self.sizes.items(), key=lambda item: -item[1].count)
        parts = [
            f"{width}x{height} ({seen.count:,} images, such as {shown(seen.example)})"
            for (height, width), seen in common[:2]
        ]
        (height, width), _ = common[0]
        return (
            f"{self.where}: the images have {len(common)} sizes, most often {' and '.join(parts)}; "
            f"one size is expected: give `resolution`, such as `resolution` {min(height, width)}, "
            "to crop and scale all of them"
        )
