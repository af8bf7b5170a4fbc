"""A look at a source before anything of it is decoded: how many files, of which sizes, how fast."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import DataError
from rote.data.files.archives import holds_files
from rote.data.files.decode import Header, UnreadableImageError, decode, header_of
from rote.data.files.entry import Entry
from rote.data.files.listing import Listing, open_listing
from rote.data.options import ReadOptions
from rote.data.resample import workers

LOOKED_AT = 64
TIMED = 8
_OTHERS = (".npz", ".npy")


@dataclass(frozen=True)
class Probe:
    """What was seen of the files of a folder or an archive.

    Attributes
    ----------
    listing
        The files, to be read for as long as what was opened for them stays open.
    sizes
        (width, height) of some of them, evenly spread, with how many have it, the commonest first.
    channels
        1 if all of these are grey, else 3.
    seconds
        What one file takes to be decoded with all cores.
    """

    listing: Listing
    sizes: tuple[tuple[tuple[int, int], int], ...]
    channels: int
    seconds: float

    @property
    def files(self) -> int:
        """How many images there are."""
        return len(self.listing.entries)

    @property
    def looked_at(self) -> int:
        """How many files were opened."""
        return sum(count for _, count in self.sizes)

    def shape(self, options: ReadOptions) -> tuple[int, int, int]:
        """Return (H, W, C) of the items that the files become."""
        return Header(*self.sizes[0][0], self.channels).shape(options)


def probe(
    source: str, options: ReadOptions, *, opened: contextlib.ExitStack, timed: bool = False
) -> Probe | None:
    """Look at a folder or an archive of images; None for any other source, or where none can be opened.

    Parameters
    ----------
    source
        As `rote.data.load.load_images` takes it.
    options
        How it would be read.
    opened
        What keeps an archive open, so that nobody has to list the files once more.
    timed
        Whether to decode a few files, to see how long that takes.

    A source that cannot be listed is None: who loads it says why.
    """
    path = Path(source).expanduser()
    with contextlib.suppress(OSError, ValueError, DataError):
        if path.suffix.lower() in _OTHERS:
            return None
        if holds_files(path):
            return _seen(opened.enter_context(open_listing(path, options)), options, timed=timed)
    return None


def _seen(listing: Listing, options: ReadOptions, *, timed: bool) -> Probe | None:
    entries = listing.entries
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
    sizes = Counter((one.width, one.height) for one in found)
    channels = max(one.channels for one in found)
    return Probe(listing, tuple(sizes.most_common()), channels, seconds)


def _header(entry: Entry) -> Header | None:
    with contextlib.suppress(UnreadableImageError):
        return header_of(entry.stored())
    return None


def _decoded(entry: Entry, options: ReadOptions) -> None:
    with contextlib.suppress(UnreadableImageError):
        decode(entry.content(), options, frame=entry.frame)
