"""Decoded images put behind each other in one array, with what was noted and hashed of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.memory import memory_of_machine
from rote.data.account import LeftOut, Treated
from rote.data.files.decode import TWO_LEVELS
from rote.data.files.entry import Entry
from rote.data.files.faults import changed_file
from rote.data.files.treatment import Noted, masks, treatments
from rote.data.item_digests import DIGEST_BYTES
from rote.data.messages import first_few, shown
from rote.data.options import Range, ReadOptions
from rote.data.resample import Pixels

FIRST, BATCH, BATCH_BYTES = 32, 256, 2**26
"""Decoded images that may wait for the collector: before their size is known, and then."""
TINY = 96 * 96
"""Pixels up to which images are decoded by one thread."""

MakeRoom = Callable[[tuple[int, ...]], Pixels]


def in_memory(shape: tuple[int, ...]) -> Pixels:
    """Return room for images in memory, where there is so much."""
    if math.prod(shape) > memory_of_machine():  # the system promises more than it has
        raise MemoryError
    return np.empty(shape, dtype=np.uint8)


@dataclass(frozen=True)
class Decoded:
    """The readable images or volumes of a source.

    Attributes
    ----------
    images
        uint8 (N, H, W, C), or volumes (N, D, H, W, C).
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
    hashes
        What was hashed on the way, where that was asked for.
    names
        Of each item, where one file may hold several; None: the name of its entry.
    left_out
        Entries that hold nothing to be read, which is no fault of theirs.
    groups
        Whose each item is, such as a patient's, where all files tell.
    """

    images: Pixels
    kept: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]
    treated: tuple[Treated, ...] = ()
    notes: tuple[str, ...] = ()
    window: Range | None = None
    hashes: Hashes | None = None
    names: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of files and of images, taken while these are in a processor's cache.

    Attributes
    ----------
    files
        One of each file, in order: of its content, or why it cannot be read.
    items
        uint8 (N, 32): of each image.
    """

    files: tuple[bytes, ...]
    items: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Result:
    """What one file gave: pixels fitted to the options and what was noted, or a reason."""

    pixels: Pixels | None = None
    noted: Noted | None = None
    reason: str = ""
    deep: bool = False
    file: bytes = b""
    item: bytes = b""


@dataclass
class _Seen:
    """How many images had a property, and the first of them."""

    count: int
    example: str


@dataclass
class Collector:
    """Takes the results of all files, in order, and gives the images or says what is wrong."""

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
    same: dict[Noted, Noted] = field(default_factory=dict)
    hashed: bool = False
    files: list[tuple[Entry, bytes]] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)

    @property
    def tiny(self) -> bool:
        """Whether the images seen first are so small that one thread decodes them fastest."""
        first = self.noted[:BATCH]
        return bool(first) and all(math.prod(one.size) <= TINY for _, one in first)

    @property
    def batch(self) -> int:
        """How many images are decoded together."""
        if self.images is None:
            return FIRST
        return min(BATCH, max(FIRST // 2, BATCH_BYTES // self.images[:1].nbytes))

    def add(self, index: int, entry: Entry, result: Result) -> None:
        name = entry.name
        if self.hashed:
            self._hash(entry, result.file)
        if result.pixels is None or result.noted is None:
            self.unreadable.append((name, result.reason))
            return
        height, width, _ = result.pixels.shape
        self.sizes.setdefault((height, width), _Seen(0, name)).count += 1
        self.kinds.setdefault(result.noted.channels, _Seen(0, name)).count += 1
        self.noted.append((name, self.same.setdefault(result.noted, result.noted)))
        if self.images is None:
            self.images = self._room_for(result.pixels.shape)
        if self.images.shape[1:] == result.pixels.shape:  # else an error follows in any case
            self.images[len(self.kept)] = result.pixels
            self.kept.append(index)
            if self.hashed:
                self.items.append(result.item)

    def _hash(self, entry: Entry, digest: bytes) -> None:
        """Note the hash of a file, which is that of all its pages."""
        if self.files and self.files[-1][0].read is entry.read:
            if self.files[-1][1] != digest:
                raise changed_file(entry.name)
        else:
            self.files.append((entry, digest))

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
            hashes=self._hashes() if self.hashed else None,
        )

    def _hashes(self) -> Hashes:
        items = np.frombuffer(b"".join(self.items), np.uint8).reshape(-1, DIGEST_BYTES)
        return Hashes(tuple(d for _, d in self.files), items)

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
