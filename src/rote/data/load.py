"""`load_images`: every source of images, volumes, tables or series, by one name or path.

A source is a named set, a folder, a zip or tar archive or a range of these, Parquet or Arrow with images
in its rows, an .npz or .npy file, a CSV or Parquet table, one file of an image or a volume, or images in
memory.
What each of them may hold is told in `docs/how-to/data.md`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rote.core.cache_folder import cache_folder
from rote.core.errors import DataError
from rote.core.mapped_pages import is_mapped
from rote.data.account import Account, Treated, left_out, of_captions
from rote.data.ahead.existing import existing_path
from rote.data.dataset import Dataset
from rote.data.files.archives import holds_files
from rote.data.files.arrays import check_brightness, dataset_of_array, two_levels
from rote.data.files.decode_all import paged
from rote.data.files.decoded_cache import decode_cached, keep_array
from rote.data.files.faults import FileState
from rote.data.files.listing import Listing, is_image, listed, open_listing, single_file
from rote.data.files.mapped import blocks_of
from rote.data.files.npz import load_array_file
from rote.data.files.sniff import EXTENSIONS, FOREIGN_EXTENSIONS, extension_of
from rote.data.files.treatment import masks, not_square
from rote.data.labels import labels_of_array, labels_of_files
from rote.data.messages import shown, storable, storable_caption
from rote.data.named import cifar10
from rote.data.named import scikit_learn as embedded
from rote.data.named.download import Progress
from rote.data.named.names import CIFAR10, EMBEDDED, named_sources
from rote.data.objects import images_in_memory
from rote.data.options import ReadOptions, Resize, with_options
from rote.data.resample import Pixels, fit_images
from rote.data.sound.read import load_sounds
from rote.data.tables.encode import adopt
from rote.data.tables.files import TABLE_EXTENSIONS, is_frame, load_table
from rote.data.tables.table import Reading
from rote.data.volumes.decode_all import decode_volumes
from rote.data.volumes.fit import fit_volumes, grouped_by_volume, refuse_options

__all__ = ["fit_dataset", "load_images", "named_sources"]


def load_images(
    source: Any,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_unreadable: bool = False,
    options: ReadOptions | None = None,
    reading: Reading | None = None,
    cache: Path | None = None,
    decoded: Path | None = None,
    progress: Progress | None = None,
    listing: Listing | None = None,
) -> Dataset:
    """Load all images, volumes, rows or series of a source into memory.

    Parameters
    ----------
    source
        A named source (see `named_sources`; write ``./digits`` for a folder of that name), a
        folder, a .zip, .tar, .npz or .npy file, a .csv, .tsv or .parquet table, an image file, or
        what is in memory: a NumPy array or torch tensor as `rote.data.files.arrays.dataset_of_array`
        takes it, a data frame, a Pillow image, or a list, data set or generator of paths, images or
        batches, with or without labels.
    resolution
        Scale images to this many pixels a side (Lanczos), of the centered square unless ``options`` say
        otherwise; needed where sizes are mixed.
    channels
        1 (grey) or 3 (RGB): convert all images; needed where grey and RGB are mixed.
    skip_unreadable
        Leave out files that cannot be read, and rows of a table without a label or with cells that the
        training side's columns cannot hold; their names are in ``.unreadable``.
    options
        All ways of reading images; the three arguments above go before theirs.
    reading
        How to read a table, and by whose columns.
    cache
        Folder of downloads; `cache_folder` by default.
    decoded
        Folder of decoded images, as `rote.data.files.decoded_cache` keeps them: large sources are then
        decoded once, and mapped into memory. None: decode into memory every time. Large arrays of
        uint8 images in uncompressed files are mapped where they lie.
    progress
        Called during a download with (bytes so far, bytes in all).
    listing
        The files of a folder or an archive, where they are listed already with the same options.

    Returns
    -------
    Dataset
        uint8 (N, H, W, C) images or (N, D, H, W, C) volumes, float32 (N, D) vectors or (N, T, C)
        series, N >= 1; what became of everything under the source is in ``.account``.

    Raises
    ------
    DataError
        If there is no such source, or it cannot be used as it is; the message says what to do.
    DownloadError
        If a named source has to be fetched and cannot be.

    >>> load_images("digits").shape
    (1, 8, 8)
    >>> load_images("digits", resolution=4, channels=3).shape
    (3, 4, 4)
    """
    options = with_options(
        options, resolution=resolution, channels=channels, skip_unreadable=skip_unreadable
    )
    reading = reading or Reading()
    file: FileState | None = None
    if is_frame(source):
        return _load_table(source, reading, options)
    if not isinstance(source, str | Path):
        dataset = _load_object(source, options)
    elif isinstance(source, str) and source in EMBEDDED:
        refuse_options(options, "a named set", where=source)
        dataset = embedded.load_embedded(source)
    elif isinstance(source, str) and source in CIFAR10:
        refuse_options(options, "a named set", where=source)
        part: Literal["train", "test"] = "train" if source == "cifar10" else "test"
        dataset = cifar10.load_cifar10(part, cache=cache or cache_folder(), progress=progress)
    else:
        path = existing_path(source)
        file = FileState.now(path) if path.exists() else None
        if file and path.suffix.lower() in TABLE_EXTENSIONS and not holds_files(path):
            dataset = _load_table(path, reading, options)
            file.check()
            return dataset
        dataset = _load_path(path, options, decoded=decoded, listing=listing)
        dataset = grouped_by_volume(dataset, options)
    if reading.schema is not None:
        dataset = adopt(dataset, reading.schema)
    elif reading.asked:
        raise DataError(
            f"`categorical`, `label` and `ignore` are for CSV and Parquet tables, and "
            f"{shown(dataset.source)} is none; leave them out"
        )
    return fit_dataset(
        dataset,
        options.resolution,
        options.channels,
        how=options.resize,
        file=file,
        decoded=decoded,
    )


def _load_path(
    path: Path, options: ReadOptions, *, decoded: Path | None, listing: Listing | None
) -> Dataset:
    suffix = extension_of(path.name)
    if path.is_file() and suffix in (".npz", ".npy"):
        return fit_volumes(load_array_file(path, options=options, decoded=decoded), options)
    if listing is not None:
        return _load_files(str(path), listing, options, folder=decoded)
    if holds_files(path):
        with open_listing(path, options) as listing:
            return _load_files(str(path), listing, options, folder=decoded)
    listing = single_file(path, options)
    if (
        listing.kind != "images"
        or suffix in (*EXTENSIONS, *FOREIGN_EXTENSIONS)
        or is_image(listing.entries[0])
    ):
        return _load_files(str(path), listing, options, folder=decoded)
    if suffix == ".safetensors":
        raise DataError(
            f"{shown(path)} holds weights; of a LoRA, `rote sample PIPELINE --lora {shown(path)} "
            "--prompts TRAINING --out samples` makes images: give `source` that folder"
        )
    raise DataError(
        f"{shown(path)} is a file of unknown type '{shown(suffix)}'; give `source` a folder, a .zip, "
        f".tar, .npz or .npy file, a table ({', '.join(TABLE_EXTENSIONS)}), or an image "
        f"({', '.join(EXTENSIONS)})"
    )


def _load_table(source: Any, reading: Reading, options: ReadOptions) -> Dataset:
    refuse_options(
        options, "a table", where=shown(source) if isinstance(source, Path) else "the frame"
    )
    dataset = load_table(source, reading, skip_unreadable=options.skip_unreadable)
    return fit_dataset(dataset, options.resolution, options.channels)


def _load_object(source: Any, options: ReadOptions) -> Dataset:
    """Load what is in memory already, or a list of files."""
    held = images_in_memory(source)
    if isinstance(held.images, np.ndarray):
        where = "array" if isinstance(source, np.ndarray) else type(source).__name__.lower()
        dataset = dataset_of_array(held.images, labels=held.labels, where=where, options=options)
        return replace(fit_volumes(dataset, options), captions=held.captions)
    where = f"{type(source).__name__} of {len(held.images):,} images"
    texts = held.captions or (None,) * len(held.images)
    entries = [replace(one, caption=text) for one, text in zip(held.images, texts, strict=True)]
    dataset = _load_files(where, listed(entries, options), options, folder=None)
    if held.labels is None or len(dataset) != len(held.labels):
        return dataset
    labels, classes = labels_of_array(held.labels, None, count=len(dataset), where=where)
    return replace(dataset, labels=labels, classes=classes)


def _load_files(
    source: str, listing: Listing, options: ReadOptions, *, folder: Path | None
) -> Dataset:
    where, volumes = shown(source), listing.kind == "volumes"
    if listing.kind == "sounds":
        refuse_options(options, "sound", where=where)
        return load_sounds(source, listing, options)
    entries = listing.entries if volumes else paged(listing.entries, options)
    refuse_options(options, listing.kind, where=where)
    labels, classes = labels_of_files(
        [entry.path for entry in entries], listing.sidecar, where=where, below=listing.below
    )
    decoded = decode_cached(
        entries,
        where=where,
        options=options,
        folder=folder,
        volumes=decode_volumes if volumes else None,
    )
    unreadable = [("unreadable", extension_of(name), name) for name in decoded.unreadable]
    names = decoded.names or tuple(storable(entries[i].name) for i in decoded.kept)
    captions = tuple(storable_caption(entries[i].caption) for i in decoded.kept)
    told = of_captions(captions, names, listing.told)
    repeats = np.array([entries[i].repeats for i in decoded.kept], np.int64)
    account = Account(
        listing.files,
        len(listing.entries) - len(unreadable) - sum(group.count for group in decoded.left_out),
        (*listing.left_out, *decoded.left_out, *left_out(unreadable)),
        (*decoded.treated, *told),
        (*decoded.notes, *listing.notes),
        captions=listing.captions,
    )
    return Dataset(
        items=decoded.images,
        labels=None if labels is None else labels[decoded.kept],
        classes=classes,
        names=names,
        captions=captions if told else (),
        repeats=repeats if (repeats != 1).any() else None,
        source=storable(source),
        unreadable=tuple(storable(name) for name in decoded.unreadable),
        account=account,
        window=decoded.window,
        groups=decoded.groups,
    )


def fit_dataset(
    dataset: Dataset,
    resolution: int | None,
    channels: int | None,
    *,
    how: Resize = "crop",
    file: FileState | None = None,
    decoded: Path | None = None,
) -> Dataset:
    """Return a data set in the given resolution and channels, as `load_images` does.

    Images mapped from ``file`` are put into the folder ``decoded``, block by block, where both are given.

    Raises
    ------
    DataError
        If vectors are to be fitted, or all of several images are black.
    """
    if dataset.kind != "image":
        option = "`resolution`" if resolution is not None else "`channels`"
        if resolution is not None or channels is not None:
            words = {"vector": "vectors", "series": "series", "volume": "volumes"}[dataset.kind]
            raise DataError(
                f"{option} is for images, and {shown(dataset.source)} holds {words} of "
                f"{' x '.join(map(str, dataset.items.shape[1:]))} numbers; leave it out"
            )
        return dataset
    account = _account_of(dataset, resolution, how)
    items = dataset.items

    def fitted(block: Pixels) -> Pixels:
        return fit_images(block, resolution=resolution, channels=channels, how=how)

    form = fitted(items[:1]).shape[1:]
    if file is None or decoded is None or form == items.shape[1:] or not is_mapped(items):
        items = fitted(items)
    else:
        items = keep_array(
            (fitted(block) for block in blocks_of(items)),
            (len(dataset), *form),
            file=file,
            options=f"{resolution} {channels} {how}",
            folder=decoded,
        )
    return replace(dataset, items=items, account=account)


def _account_of(dataset: Dataset, resolution: int | None, how: Resize) -> Account | None:
    """Add what is seen of the images as an array: dark sets, masks, and sides that are lost."""
    dark = check_brightness(dataset.items, where=shown(dataset.source))
    account = dataset.account
    notes: tuple[str, ...] = () if dark is None else (dark,)
    treated: tuple[Treated, ...] = ()
    height, width = dataset.items.shape[1:3]
    if resolution is not None and height != width:
        treated = (not_square(dataset.names, how),)
    if account is None or account.unit != "files":
        flat = [dataset.names[n] for n in two_levels(dataset.items)]
        notes += masks(dataset.names, flat)
    if not notes and not treated:
        return account
    account = account or Account(0, 0)
    return replace(account, treated=account.treated + treated, notes=account.notes + notes)
