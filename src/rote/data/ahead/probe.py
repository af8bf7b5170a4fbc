"""A look at a source before anything of it is decoded: how many files, of which sizes, how fast."""

from __future__ import annotations

import contextlib
import io
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rote.core.errors import DataError
from rote.data.files.archives import Entry, is_archive
from rote.data.files.decode import FORMATS, UnreadableImageError, decode
from rote.data.files.listing import open_listing
from rote.data.options import ReadOptions
from rote.data.resample import workers
from rote.data.tables.files import TABLE_EXTENSIONS

LOOKED_AT = 64
TIMED = 8
_OTHERS = (*TABLE_EXTENSIONS, ".npz", ".npy")
_GREY = ("1", "L", "LA", "La", "I", "F")
_TURNED = range(5, 9)
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Probe:
    """What was seen of the files of a folder or an archive.

    Attributes
    ----------
    files
        How many images there are.
    sizes
        (width, height) of some of them, evenly spread, with how many have it, the commonest first.
    channels
        1 if all of these are grey, else 3.
    seconds
        What one file takes to be decoded with all cores.
    """

    files: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    channels: int
    seconds: float

    @property
    def looked_at(self) -> int:
        """How many files were opened."""
        return sum(count for _, count in self.sizes)

    def shape(self, options: ReadOptions) -> tuple[int, int, int]:
        """Return (H, W, C) of the items that the files become."""
        width, height = self.sizes[0][0]
        if options.resolution is not None:
            width = height = options.resolution
        return height, width, options.channels or self.channels


def probe(source: str, options: ReadOptions, *, timed: bool = False) -> Probe | None:
    """Look at a folder or an archive of images; None for any other source, or where none can be opened.

    Parameters
    ----------
    source
        As `rote.data.load.load_images` takes it.
    options
        How it would be read.
    timed
        Whether to decode a few files, to see how long that takes.

    A source that cannot be listed is None: who loads it says why.
    """
    path = Path(source).expanduser()
    with contextlib.suppress(OSError, ValueError, DataError):
        if path.suffix.lower() in _OTHERS:
            return None
        if path.is_dir() or (path.is_file() and is_archive(path)):
            with open_listing(path, options) as listing:
                return _seen(listing.entries, options, timed=timed)
    return None


def _seen(entries: tuple[Entry, ...], options: ReadOptions, *, timed: bool) -> Probe | None:
    step = -(-len(entries) // LOOKED_AT)
    with ThreadPoolExecutor(workers()) as pool:
        found = [one for one in pool.map(_header, entries[::step]) if one is not None]
        if not found:
            return None
        seconds = 0.0
        if timed:
            some = entries[:: max(1, len(entries) // TIMED)][:TIMED]
            began = time.perf_counter()
            list(pool.map(lambda entry: _decoded(entry, options), some))
            seconds = (time.perf_counter() - began) / len(some)
    sizes = Counter(size for size, _ in found)
    channels = 1 if all(grey for _, grey in found) else 3
    return Probe(len(entries), tuple(sizes.most_common()), channels, seconds)


def _header(entry: Entry) -> tuple[tuple[int, int], bool] | None:
    """Return size and whether it is grey, of a file that is opened and not decoded."""
    try:
        content = entry.stored()
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            return (width, height), image.mode in _GREY or image.mode.startswith("I;16")
    except Exception:  # noqa: BLE001 - as in `decode`; who reads it will say why
        return None


def _decoded(entry: Entry, options: ReadOptions) -> None:
    with contextlib.suppress(UnreadableImageError):
        decode(entry.content(), options, frame=entry.frame)
