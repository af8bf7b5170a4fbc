"""Decode all image files of one source into one array, in a thread pool and a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.progress.work import counted_results, work
from rote.data.files.collect import BATCH, Collector, Decoded, MakeRoom, Result, in_memory
from rote.data.files.decode import (
    DEEP_COLOR,
    DEEP_GREY,
    OUTSIDE,
    Picture,
    UnreadableImageError,
    count_frames,
    decode,
)
from rote.data.files.entry import Entry
from rote.data.files.sniff import FOREIGN_EXTENSIONS, extension_of
from rote.data.files.treatment import Noted
from rote.data.files.window import measure, percentile_window, to_uint8, window_of_bits
from rote.data.options import Range, ReadOptions
from rote.data.resample import resize, set_channels, workers

_Batch = tuple[int, Sequence[Entry], list[list[Entry]], Iterator[list[Result]]]
"""Where it starts, its entries, these file by file, and what becomes of the files."""


def paged(entries: Sequence[Entry], options: ReadOptions) -> Sequence[Entry]:
    """Return an entry for every page of every file, where all are to be read."""
    if options.frames != "all":
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
            for start in range(0, len(entries), BATCH):
                batch = entries[start : start + BATCH]
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
    make_room: MakeRoom = in_memory,
    all_entries: Sequence[Entry] | None = None,
    hashed: bool = False,
) -> Decoded:
    """Decode every entry, bring it to the form that the options ask for, and stack all.

    ``make_room`` gives the uint8 array that the images are put into, from its shape. ``all_entries`` are
    those that a window is measured over, where ``entries`` are a part of them. With ``hashed`` files and
    images are hashed as they are read.

    Raises
    ------
    DataError
        If files change, if files are unreadable (unless they are to be skipped), if grey and RGB are
        mixed and `channels` is None, if sizes are mixed and `resolution` is None, or if deep files have
        no window.
    """
    window: Range | None = options.window if isinstance(options.window, tuple) else None

    def read(group: Sequence[Entry]) -> list[Result]:
        found = []
        content, digest = None, b""
        for entry in group:
            try:
                if content is None:
                    content = entry.content()
                    if hashed:
                        assert isinstance(content, bytes), "only files are hashed"
                        digest = hashlib.sha256(content).digest()
                picture = decode(content, options, frame=entry.frame)
                result = _fitted(picture, options, window)
                if hashed and result.pixels is not None:
                    pixels = np.ascontiguousarray(result.pixels)
                    result = replace(result, item=hashlib.sha256(pixels.data).digest())
            except UnreadableImageError as error:
                extension = extension_of(entry.name)
                foreign = extension in FOREIGN_EXTENSIONS
                reason = (
                    f"{extension} is not supported, convert it to .png" if foreign else str(error)
                )
                result = Result(reason=reason)
                digest = digest or str(error).encode(errors="replace")
            found.append(replace(result, file=digest) if hashed else result)
            decoded.add()
        return found

    def begin(start: int, pool: Executor) -> _Batch:
        batch = entries[start : start + collector.batch]
        files = [list(group) for _, group in groupby(batch, key=lambda entry: entry.read)]
        # Of tiny images the interpreter takes longer than the decoder: threads would wait for it.
        running = map(read, files) if collector.tiny else pool.map(read, files)
        return start, batch, files, running

    collector = Collector(len(entries), where, make_room, options, hashed=hashed)
    with ThreadPoolExecutor(workers()) as pool, work("files decoded", len(entries)) as decoded:
        ahead: _Batch | None = begin(0, pool)
        while ahead is not None:
            start, batch, files, running = ahead
            stop = start + len(batch)
            # The next are decoded while these are put in place.
            ahead = begin(stop, pool) if stop < len(entries) else None
            results = [result for group in running for result in group]
            if any(result.deep for result in results):
                window = window or fit_window(all_entries or entries, options, where=where)
                results = [result for group in pool.map(read, files) for result in group]
            for offset, result in enumerate(results):
                collector.add(start + offset, batch[offset], result)
            decoded.reach(stop)
            if collector.images is not None:
                release_pages(collector.images)
    return collector.finish(window)


def _fitted(picture: Picture, options: ReadOptions, window: Range | None) -> Result:
    pixels, facts = picture.pixels, picture.facts
    low, high = 0.0, 0.0
    if DEEP_GREY in facts:
        low, high = float(pixels.min()), float(pixels.max())
        if window is None:
            if options.window is None and not picture.full_range:
                kind = "floating-point" if pixels.dtype.kind == "f" else "32-bit"
                return Result(
                    reason=f"{kind} pixels of unknown range, here from {low:g} to {high:g}: give the "
                    "values that become black and white with `window`"
                )
            return Result(deep=True)
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
    return Result(pixels=fitted, noted=noted)
