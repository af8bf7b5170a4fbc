"""Sound files as series: float32 (N, times, channels), full scale is 1, read by soundfile.

All files of a source have one rate (samples a second) and one number of channels; nothing is resampled or
mixed by guess. They are brought to one length by `seconds`: what is longer is cut at the end, what is
shorter is silent there.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError, first_line
from rote.core.progress.work import counted_results
from rote.data.account import Account, Treated, first_names, left_out
from rote.data.dataset import Dataset
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.faults import stop_if_machine_fails
from rote.data.files.listing import Listing
from rote.data.files.sniff import extension_of
from rote.data.labels import labels_of_files
from rote.data.messages import first_few, shown, storable
from rote.data.options import ReadOptions
from rote.data.resample import workers

MOST_SECONDS = 3600.0
"""Of one clip, where nobody asks for less: float32 of an hour takes gigabytes."""


@dataclass(frozen=True)
class Clip:
    """One file: values (times, channels) as far as they are asked for, its rate and its whole length."""

    values: npt.NDArray[np.float32]
    rate: int
    times: int


def load_sounds(source: str, listing: Listing, options: ReadOptions) -> Dataset:
    """Read all sound files of a listing.

    Raises
    ------
    DataError
        If one cannot be read (unless such are to be skipped), or rates, channels or lengths differ.
    """
    where, entries = shown(source), listing.entries
    with ThreadPoolExecutor(workers()) as pool:
        running = pool.map(lambda entry: _clip(entry, options), entries)
        found = counted_results(running, "sound files read", len(entries))
    broken = [(n, one) for n, one in enumerate(found) if isinstance(one, str)]
    texts = [f"{entries[n].name}: {reason}" for n, reason in broken]
    kept = [(n, one) for n, one in enumerate(found) if isinstance(one, Clip)]
    if broken and (not kept or not options.skip_unreadable):
        raise DataError(
            f"{where}: {len(broken):,} of {len(entries):,} sound files cannot be read "
            f"({first_few(texts)}); repair or remove them, or leave them out with `skip_unreadable`"
        )
    clips = [one for _, one in kept]
    names = [storable(entries[n].name) for n, _ in kept]
    items, treated = _stacked(clips, names, options, where=where)
    labels, classes = labels_of_files(
        [entry.path for entry in entries], listing.sidecar, where=where, below=listing.below
    )
    unread = left_out([("unreadable", extension_of(t), entries[n].name) for n, t in broken])
    return Dataset(
        items=items,
        labels=None if labels is None else labels[[n for n, _ in kept]],
        classes=classes,
        names=tuple(names),
        source=storable(source),
        unreadable=tuple(storable(entries[n].name) for n, _ in broken),
        account=Account(listing.files, len(kept), (*listing.left_out, *unread), treated),
        sample_rate=clips[0].rate,
    )


def _clip(entry: Entry, options: ReadOptions) -> Clip | str:
    """Read one file, or say why it cannot be read."""
    try:
        import soundfile
    except ImportError:
        raise DataError(
            "sound files need soundfile to be read; pip install 'rote-memorization[sound]'"
        ) from None
    try:
        with soundfile.SoundFile(io.BytesIO(entry.stored())) as file:
            seconds = options.seconds or MOST_SECONDS
            values = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)
            rate, times = int(file.samplerate), max(int(file.frames), len(values))
    except UnreadableImageError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - soundfile answers broken bytes with several
        stop_if_machine_fails(error)
        return f"broken: {first_line(error)}"
    if not len(values):
        return "it holds no sound"
    if options.seconds is None and times > len(values):
        return f"it is longer than {MOST_SECONDS:g} seconds: give `seconds`"
    if not np.isfinite(values).all():
        return "it holds NaN or infinity"
    return Clip(values, rate, times)


def _stacked(
    clips: Sequence[Clip], names: Sequence[str], options: ReadOptions, *, where: str
) -> tuple[npt.NDArray[np.float32], tuple[Treated, ...]]:
    """Return all clips in one array, and what was done to bring them to one length."""
    rate, channels = (
        _the_one(values, names, what, where=where)
        for values, what in (
            ([clip.rate for clip in clips], "samples a second"),
            ([clip.values.shape[1] for clip in clips], "channels"),
        )
    )
    lengths = [clip.times for clip in clips]
    if options.seconds is None and len(set(lengths)) > 1:
        low, high = min(lengths) / rate, max(lengths) / rate
        raise DataError(
            f"{where}: the clips last from {low:.3g} to {high:.3g} seconds; give `seconds`, such as "
            f"`seconds` {float(f'{np.median(lengths) / rate:.2g}'):g}: longer ones are cut at the end, "
            "shorter ones silent there"
        )
    times = lengths[0] if options.seconds is None else max(1, round(options.seconds * rate))
    items = np.zeros((len(clips), times, channels), np.float32)
    for item, clip in zip(items, clips, strict=True):
        item[: len(clip.values)] = clip.values
    treated = []
    for what, done, many in (
        ("longer", "cut at the end", [length > times for length in lengths]),
        ("shorter", "silent at the end", [length < times for length in lengths]),
    ):
        if cut := list(itertools.compress(names, many)):
            treated.append(Treated(what, len(cut), done, first_names(cut), option="seconds"))
    return items, tuple(treated)


def _the_one(values: list[int], names: Sequence[str], what: str, *, where: str) -> int:
    """Return the value that all have, or refuse the source with an example of each of the commonest."""
    counts: Any = Counter(values).most_common()
    if len(counts) > 1:
        told = [
            f"{value:,} ({count:,}, such as {shown(names[values.index(value)])})"
            for value, count in counts[:2]
        ]
        raise DataError(
            f"{where}: files of {' and '.join(told)} {what} are mixed; bring all to one, or leave some "
            "out with `include` or `exclude`"
        )
    return values[0]
