"""Decode all volumes of one source into one array, one after the other.

What a source holds is planned from the headers of its files first: how many items there are, of which
form. Then each volume is read, brought to the spacing that is asked for, to 8 bits by the window of the
whole source, to one size, and put in its place. A few are in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import release_pages
from rote.core.progress.work import work
from rote.data.account import left_out
from rote.data.files.collect import Decoded, Hashes, MakeRoom, in_memory
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.sniff import extension_of
from rote.data.files.window import measure, percentile_window, to_uint8
from rote.data.item_digests import DIGEST_BYTES
from rote.data.messages import first_few, shown, storable
from rote.data.options import Range, ReadOptions
from rote.data.resample import resize, set_channels, workers
from rote.data.volumes.plan import Plan, plan_volumes
from rote.data.volumes.told import told
from rote.data.volumes.volume import (
    Values,
    Volumes,
    cropped,
    form_of,
    resampled,
    slice_numbers,
    sliced,
)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Form:
    """What volumes of one shape become.

    Attributes
    ----------
    shape
        Of an item: (D, H, W, C), or (H, W, C) where it is an image.
    count
        Items of one volume.
    flat
        The axis without depth that is left out, where a file of one slice is an image.
    """

    shape: tuple[int, ...]
    count: int = 1
    flat: int | None = None


def decode_volumes(
    entries: Sequence[Entry],
    *,
    where: str,
    options: ReadOptions,
    make_room: MakeRoom = in_memory,
    hashed: bool = False,
) -> Decoded:
    """Decode every volume and stack all; arguments as `rote.data.files.decode_all.decode_all` has them.

    Returns
    -------
    Decoded
        uint8 (N, D, H, W, C); with slices asked for, and of files of one slice, (N, H, W, C).

    Raises
    ------
    DataError
        If files change or are unreadable (unless they are to be skipped), if sizes are mixed and
        `crop` is None, or if deep values have no window.
    """
    forms, plan = _forms(plan_volumes(entries, options, hashed=hashed), options)
    _check_plan(plan, forms, entries, where=where, options=options)
    window = _window(plan, options, where=where)
    return _Stack(plan, forms, entries, where, options, window).decoded(make_room)


def _forms(plan: Plan, options: ReadOptions) -> tuple[list[Form], Plan]:
    """Return what the volumes become, and the plan without those that cannot be brought to it."""
    forms, kept, broken = [], [], list(plan.unreadable)
    for volumes in plan.volumes:
        try:
            forms.append(_form(volumes, options))
            kept.append(volumes)
        except UnreadableImageError as error:
            broken.append((volumes.files[0], str(error)))
    return forms, Plan(kept, broken, plan.without_pixels, plan.modalities, plan.digests)


def _form(volumes: Volumes, options: ReadOptions) -> Form:
    form = form_of(volumes, options)
    flat = None if options.crop or options.slices or 1 not in form[:3] else form.index(1)
    if flat is None and options.slices is None:
        if options.resolution is not None or options.channels is not None:
            option = "resolution" if options.resolution is not None else "channels"
            raise DataError(
                f"`{option}` is for images, and {shown(volumes.names[0])} is a volume of "
                f"{_sizes(form)} voxels; give `crop` or `spacing` to bring volumes to one size, or "
                "`slices` to take images out of them"
            )
        return Form(form)
    if form[3] not in (1, 3):
        if options.slices is None:
            return Form(form)  # an image of many bands is a volume without depth
        raise UnreadableImageError(f"its slices have {form[3]} channels; images have 1 or 3")
    count = 1 if flat is not None else len(slice_numbers(form, options))
    axis = "DHW".index(options.slices[0]) if options.slices else int(flat or 0)
    if not count:
        raise UnreadableImageError(
            f"its {form[axis]} slices along {'DHW'[axis]} end before `slices`"
        )
    size = (*form[:axis], *form[axis + 1 : 3])
    if options.resolution is not None:
        size = (options.resolution, options.resolution)
    return Form((*size, options.channels or form[3]), count, flat)


def _check_plan(
    plan: Plan, forms: Sequence[Form], entries: Sequence[Entry], *, where: str, options: ReadOptions
) -> None:
    broken = [f"{entries[file].name}: {reason}" for file, reason in plan.unreadable]
    if broken and (not options.skip_unreadable or not forms):
        raise unreadable(broken, len(plan.volumes) + len(broken), where=where)
    if not forms:
        raise DataError(
            f"{where}: none of its {len(entries):,} files holds a volume "
            f"({first_few([reason for _, reason in plan.without_pixels])}); give `source` another source"
        )
    shapes: dict[tuple[int, ...], list[str]] = {}
    for volumes, form in zip(plan.volumes, forms, strict=True):
        shapes.setdefault(form.shape, []).append(volumes.names[0])
    if len(shapes) < 2:
        return
    common = sorted(shapes.items(), key=lambda pair: -len(pair[1]))
    parts = [
        f"{_sizes(shape)} ({len(names):,}, such as {shown(names[0])})"
        for shape, names in common[:2]
    ]
    shape = common[0][0]
    channels = {one[-1] for one in shapes}
    hint = f"give `crop`, such as `crop` {','.join(map(str, shape[:3]))}, to bring all to one"
    if len(shape) == 3 and len(channels) == 1:
        hint = f"give `resolution`, such as `resolution` {min(shape[:2])}, to bring all to one"
    elif len(channels) > 1:
        hint = "grey and color are mixed: read them apart with `include` or `exclude`"
    raise DataError(
        f"{where}: the items have {len(shapes)} forms, most often {' and '.join(parts)}; {hint}"
    )


def _sizes(form: tuple[int, ...]) -> str:
    """Say a form as a person would: 20x64x64, with its channels where these are no grey."""
    *sides, channels = form
    return "x".join(map(str, sides)) + (f" in {channels} channels" if channels != 1 else "")


def unreadable(broken: Sequence[str], total: int, *, where: str) -> DataError:
    """Return the error for volumes that cannot be read: their names, each with its reason."""
    return DataError(
        f"{where}: {len(broken):,} of {total:,} volumes cannot be read ({first_few(broken)}); repair or "
        "remove them, or leave them out with `skip_unreadable`"
    )


def _window(plan: Plan, options: ReadOptions, *, where: str) -> Range | None:
    """Return what becomes black and white in deep volumes; None where it is not known or not needed."""
    if options.window != "percentile":
        return options.window

    def blocks() -> Iterator[Values]:
        for volumes in plan.volumes:
            try:
                for values in volumes.read():
                    if values.dtype != np.uint8:
                        yield from values
            except UnreadableImageError:
                continue  # told when it is decoded

    try:
        first = next(blocks(), None)
        return None if first is None else percentile_window(measure(blocks), where=where)
    except UnreadableImageError:
        return None


@dataclass(frozen=True)
class _Read:
    """The items of one file or series, and the ends of its values; or why it cannot be read."""

    items: list[Pixels]
    deep: tuple[float, float] | None = None
    reason: str = ""


class _Stack:
    """All volumes of a plan, put behind each other."""

    def __init__(
        self,
        plan: Plan,
        forms: Sequence[Form],
        entries: Sequence[Entry],
        where: str,
        options: ReadOptions,
        window: Range | None,
    ) -> None:
        self._plan, self._forms, self._entries = plan, forms, entries
        self._where, self._options, self._window = where, options, window

    def decoded(self, make_room: MakeRoom) -> Decoded:
        """Read one volume after the other, the next ones while one is put in its place."""
        counts = [
            len(volumes.names) * form.count
            for volumes, form in zip(self._plan.volumes, self._forms, strict=True)
        ]
        shape = (sum(counts), *self._forms[0].shape)
        try:
            room = make_room(shape)
        except MemoryError:
            raise DataError(
                f"{self._where}: {shape[0]:,} items of {_sizes(shape[1:])} need "
                f"{np.prod(shape, dtype=np.float64) / 2**30:.1f} GiB of memory; give a smaller `crop`, a "
                "wider `spacing` or fewer volumes"
            ) from None
        done, kept = 0, []
        names, patients = [], []
        digests, broken = [], list(self._plan.unreadable)
        deep: list[tuple[str, tuple[float, float]]] = []
        with work("volumes decoded", len(self._plan.volumes)) as told_of:
            for volumes, form, read in self._in_order():
                told_of.add()
                if read.reason:
                    broken.append((volumes.files[0], read.reason))
                    continue
                if read.deep is not None:
                    deep.append((volumes.names[0], read.deep))
                for item in read.items:
                    room[done] = item
                    digests.append(hashlib.sha256(np.ascontiguousarray(item).data).digest())
                    done += 1
                kept += [volumes.files[0]] * len(read.items)
                names += self._names(volumes, form)
                patients += [volumes.patient] * len(read.items)
                release_pages(room)
        found = self._finished(room[:done], kept, names, digests, broken, deep)
        known = bool(patients) and all(patients)
        return replace(found, groups=tuple(map(storable, patients)) if known else None)

    def _in_order(self) -> Iterator[tuple[Volumes, Form, _Read]]:
        pairs = list(zip(self._plan.volumes, self._forms, strict=True))
        ahead = workers()
        with ThreadPoolExecutor(ahead) as pool:
            waiting = [pool.submit(self._read, *pair) for pair in pairs[:ahead]]
            for number, (volumes, form) in enumerate(pairs):
                found = waiting.pop(0).result()
                if number + ahead < len(pairs):
                    waiting.append(pool.submit(self._read, *pairs[number + ahead]))
                yield volumes, form, found

    def _read(self, volumes: Volumes, form: Form) -> _Read:
        items: list[Pixels] = []
        ends: list[tuple[float, float]] = []
        try:
            for values in volumes.read():
                if values.shape != volumes.shape:
                    return _Read(
                        [], reason=f"its header tells {volumes.shape}, it has {values.shape}"
                    )
                pixels = values
                if values.dtype != np.uint8:
                    ends.append((float(values.min()), float(values.max())))
                    if self._window is None:
                        raise self._windowless(volumes, values.dtype, ends[-1])
                    pixels = to_uint8(resampled(values, volumes, self._options), self._window)
                elif self._options.spacing is not None:
                    pixels = to_uint8(resampled(values, volumes, self._options), (0, 255))
                items += self._items(cropped(pixels, self._options.crop), form)
        except UnreadableImageError as error:
            return _Read([], reason=str(error))
        deep = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
        return _Read(items, deep)

    def _windowless(
        self, volumes: Volumes, dtype: np.dtype[Any], ends: tuple[float, float]
    ) -> DataError:
        low, high = ends
        return DataError(
            f"{self._where}: {shown(volumes.names[0])} holds {dtype} values from {low:g} to {high:g}; "
            "give the values that become black and white with `window`, such as those that the model was "
            "trained with, or `window` percentile"
        )

    def _items(self, volume: Pixels, form: Form) -> list[Pixels]:
        if form.flat is not None:
            images = np.moveaxis(volume, form.flat, 0)
        elif self._options.slices is not None:
            images = sliced(volume, self._options)
        else:
            return [volume]
        channels, side, how = self._options.channels, self._options.resolution, self._options.resize
        return [resize(set_channels(image, channels), side, how) for image in images]

    def _names(self, volumes: Volumes, form: Form) -> list[str]:
        if self._options.slices is None:
            return list(volumes.names)
        numbers = slice_numbers(form_of(volumes, self._options), self._options)
        axis = self._options.slices[0]
        return [f"{name}#{axis}{n}" for name in volumes.names for n in numbers]

    def _finished(
        self,
        room: Pixels,
        kept: list[int],
        names: list[str],
        digests: list[bytes],
        broken: list[tuple[int, str]],
        deep: list[tuple[str, tuple[float, float]]],
    ) -> Decoded:
        entries, plan = self._entries, self._plan
        texts = [f"{entries[file].name}: {reason}" for file, reason in broken]
        if texts and (not len(room) or not self._options.skip_unreadable):
            raise unreadable(texts, len(plan.volumes) + len(plan.unreadable), where=self._where)
        others = [(reason, name) for name, reason in plan.without_pixels]
        items = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
        return Decoded(
            images=room,
            kept=np.array(kept, np.int64),
            unreadable=tuple(entries[file].name for file, _ in broken),
            treated=told(plan.volumes, deep, self._options, self._window),
            notes=plan.notes,
            window=self._window if deep else None,
            hashes=None if plan.digests is None else Hashes(plan.digests, items),
            names=tuple(storable(name) for name in names),
            left_out=left_out([(reason, extension_of(name), name) for reason, name in others]),
        )
