"""Decode all image files of one source into one array, in a thread pool and a fixed order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import release_pages
from rote.core.memory import memory_of_machine
from rote.core.progress.work import counted_results, work
from rote.data.account import Treated
from rote.data.files.archives import Entry
from rote.data.files.decode import (
    DEEP_COLOR,
    DEEP_GREY,
    OUTSIDE,
    TWO_LEVELS,
    Picture,
    UnreadableImageError,
    count_frames,
    decode,
)
from rote.data.files.sniff import FOREIGN_EXTENSIONS, extension_of
from rote.data.files.treatment import Noted, masks, treatments
from rote.data.files.window import measure, percentile_window, to_uint8, window_of_bits
from rote.data.messages import first_few, shown
from rote.data.options import Range, ReadOptions
from rote.data.resample import Pixels, resize, set_channels, workers

_BATCH = 256  # decoded images that may wait for the collector: bounds the memory


MakeRoom = Callable[[tuple[int, ...]], Pixels]


def _in_memory(shape: tuple[int, ...]) -> Pixels:
    if math.prod(shape) > memory_of_machine():  # the system promises more than it has
        raise MemoryError
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
    treated
        What was special, and what was done about it.
    notes
        Sentences about all images.
    window
        What became black and white, where files are deeper than 8 bits.
    """

    images: Pixels
    kept: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]
    treated: tuple[Treated, ...] = ()
    notes: tuple[str, ...] = ()
    window: Range | None = None


@dataclass(frozen=True)
class _Result:
    """What one file gave: pixels fitted to the options and what was noted, or a reason."""

    pixels: Pixels | None = None
    noted: Noted | None = None
    reason: str = ""
    deep: bool = False


def paged(entries: Sequence[Entry], options: ReadOptions) -> Sequence[Entry]:
    """Return an entry for every page of every file, where all are to be read."""
    if options.frames == "first":
        return entries
    found: list[Entry] = []
    with ThreadPoolExecutor(workers()) as pool:
        counts = counted_results(pool.map(_pages_of, entries), "files opened", len(entries))
        for entry, count in zip(entries, counts, strict=True):
            pages = [replace(entry, name=f"{entry.name}#{n + 1}", frame=n) for n in range(count)]
            found += pages if count > 1 else [entry]
    return found


def _pages_of(entry: Entry) -> int:
    try:
        return count_frames(entry.content())
    except UnreadableImageError:
        return 1


def fit_window(entries: Sequence[Entry], options: ReadOptions, *, where: str) -> Range:
    """Return what becomes black and white in a source's deep files, measured over all of them.

    Raises
    ------
    DataError
        If their values give none.
    """

    def values(batch: Sequence[Entry]) -> list[npt.NDArray[np.float64]]:
        found = []
        for entry in batch:
            try:
                picture = decode(entry.content(), options, frame=entry.frame)
            except UnreadableImageError:
                continue
            if DEEP_GREY in picture.facts:
                seen = picture.pixels[..., 0]
                found.append(seen if picture.hidden is None else seen[~picture.hidden])
        return [one for one in found if one.size]

    def blocks() -> Iterator[npt.NDArray[np.float64]]:
        with ThreadPoolExecutor(workers()) as pool:
            for start in range(0, len(entries), _BATCH):
                batch = entries[start : start + _BATCH]
                parts = [batch[first : first + 8] for first in range(0, len(batch), 8)]
                for found in pool.map(values, parts):
                    yield from found

    found = measure(blocks)
    if options.window == "percentile":
        return percentile_window(found, where=where)
    return window_of_bits(found, where=where)


def decode_all(
    entries: Sequence[Entry],
    *,
    where: str,
    options: ReadOptions,
    make_room: MakeRoom = _in_memory,
    all_entries: Sequence[Entry] | None = None,
) -> Decoded:
    """Decode every entry, bring it to the form that the options ask for, and stack all.

    ``make_room`` gives the uint8 array that the images are put into, from its shape. ``all_entries`` are
    those that a window is measured over, where ``entries`` are a part of them.

    Raises
    ------
    DataError
        If files are unreadable (unless they are to be skipped), if grey and RGB are mixed and
        `channels` is None, if sizes are mixed and `resolution` is None, or if deep files have no window.
    """
    window: Range | None = options.window if isinstance(options.window, tuple) else None

    def read(group: Sequence[Entry]) -> list[_Result]:
        found = []
        content = None
        for entry in group:
            try:
                content = entry.content() if content is None else content
                picture = decode(content, options, frame=entry.frame)
                found.append(_fitted(picture, options, window))
            except UnreadableImageError as error:
                extension = extension_of(entry.name)
                foreign = extension in FOREIGN_EXTENSIONS
                reason = (
                    f"{extension} is not supported, convert it to .png" if foreign else str(error)
                )
                found.append(_Result(reason=reason))
            decoded.add()
        return found

    collector = _Collector(len(entries), where, make_room, options)
    with ThreadPoolExecutor(workers()) as pool, work("files decoded", len(entries)) as decoded:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            files = [list(group) for _, group in groupby(batch, key=lambda entry: entry.read)]
            results = [result for group in pool.map(read, files) for result in group]
            if window is None and any(result.deep for result in results):
                window = fit_window(all_entries or entries, options, where=where)
                results = [result for group in pool.map(read, files) for result in group]
            for offset, result in enumerate(results):
                collector.add(start + offset, batch[offset].name, result)
            decoded.reach(start + len(batch))
            if collector.images is not None:
                release_pages(collector.images)
    return collector.finish(window)


def _fitted(picture: Picture, options: ReadOptions, window: Range | None) -> _Result:
    pixels, facts = picture.pixels, picture.facts
    low, high = 0.0, 0.0
    if DEEP_GREY in facts:
        low, high = float(pixels.min()), float(pixels.max())
        if window is None:
            if options.window is None and not picture.full_range:
                kind = "floating-point" if pixels.dtype.kind == "f" else "32-bit"
                return _Result(
                    reason=f"{kind} pixels of unknown range, here from {low:g} to {high:g}: give the "
                    "values that become black and white with `window`"
                )
            return _Result(deep=True)
        seen = pixels if picture.hidden is None else pixels[~picture.hidden]
        if seen.size and (seen.min() < window[0] or seen.max() > window[1]):
            facts = (*facts, OUTSIDE)
        pixels = to_uint8(pixels, window)
        if picture.hidden is not None:
            pixels[picture.hidden] = 255 if options.alpha == "white" else 0
    size, channels = pixels.shape[:2], pixels.shape[2]
    fitted = resize(set_channels(pixels, options.channels), options.resolution, options.resize)
    brightest = int(pixels.max()) if DEEP_COLOR in facts else 0
    noted = Noted(facts, size, channels, picture.frames, (low, high), brightest)
    return _Result(pixels=fitted, noted=noted)


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
    options: ReadOptions
    images: Pixels | None = None
    kept: list[int] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    sizes: dict[tuple[int, int], _Seen] = field(default_factory=dict)
    kinds: dict[int, _Seen] = field(default_factory=dict)
    noted: list[tuple[str, Noted]] = field(default_factory=list)

    def add(self, index: int, name: str, result: _Result) -> None:
        if result.pixels is None or result.noted is None:
            self.unreadable.append((name, result.reason))
            return
        height, width, _ = result.pixels.shape
        self.sizes.setdefault((height, width), _Seen(0, name)).count += 1
        self.kinds.setdefault(result.noted.channels, _Seen(0, name)).count += 1
        self.noted.append((name, result.noted))
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

    def finish(self, window: Range | None) -> Decoded:
        if self.images is None:
            raise DataError(
                f"{self.where}: none of {self.total:,} image files can be read "
                f"({self._unreadable_text()}); give `source` a source with readable images"
            )
        if self.unreadable and not self.options.skip_unreadable:
            raise DataError(
                f"{self.where}: {len(self.unreadable):,} of {self.total:,} image files cannot be "
                f"read ({self._unreadable_text()}); repair or remove them, or leave them out with "
                "`skip_unreadable`"
            )
        if len(self.kinds) > 1 and self.options.channels is None:
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
            treated=treatments(self.noted, self.options, window, where=self.where),
            notes=masks(
                [name for name, _ in self.noted],
                [name for name, one in self.noted if TWO_LEVELS in one.facts],
            ),
            window=window,
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
            "to bring all to one (`resize` says how: crop, squeeze or pad)"
        )
