"""`load_images`: every source of images, tables or series, by one name or path.

A source is a named set, a folder, a zip archive, an .npz or .npy file, a CSV or Parquet table, one image
file, or an array.
What each of them may hold is told in `docs/how-to/data.md`.
"""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.cache_folder import cache_folder
from rote.core.errors import DataError, did_you_mean
from rote.core.mapped_pages import is_mapped
from rote.data.dataset import Dataset
from rote.data.files.arrays import check_brightness, dataset_of_array, load_array_file
from rote.data.files.decoded_cache import decode_cached, keep_array
from rote.data.files.listing import EXTENSIONS, Listing, list_folder, open_zip, single_file
from rote.data.files.mapped import blocks_of
from rote.data.labels import labels_of_files
from rote.data.messages import shown, storable
from rote.data.named import cifar10
from rote.data.named import scikit_learn as embedded
from rote.data.named.download import Progress
from rote.data.resample import fit_images
from rote.data.tables.encode import Reading, adopt
from rote.data.tables.files import TABLE_EXTENSIONS, load_table

__all__ = ["fit_dataset", "load_images", "named_sources"]


def named_sources() -> dict[str, str]:
    """Return the named sources with a one-line description of each.

    >>> sorted(named_sources())
    ['breast_cancer', 'cifar10', 'cifar10-test', 'digits', 'iris', 'wine']
    """
    return {**embedded.DESCRIPTIONS, **cifar10.DESCRIPTIONS}


def load_images(
    source: str | Path | npt.NDArray[Any],
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_unreadable: bool = False,
    reading: Reading | None = None,
    cache: Path | None = None,
    decoded: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load all images, rows or series of a source into memory.

    Parameters
    ----------
    source
        A named source (see `named_sources`; write ``./digits`` for a folder of that name), a
        folder, a .zip, .npz or .npy file, a .csv, .tsv or .parquet table, an image file, or an array as
        `rote.data.files.arrays.dataset_of_array` takes it.
    resolution
        Crop the centered square and scale it to this many pixels a side (Lanczos); needed where
        sizes are mixed.
    channels
        1 (grey) or 3 (RGB): convert all images; needed where grey and RGB are mixed.
    skip_unreadable
        Leave out files that cannot be read, and rows of a table with missing values; their names are in
        ``.unreadable``.
    reading
        How to read a table, and by whose columns.
    cache
        Folder of downloads; `cache_folder` by default.
    decoded
        Folder of decoded images, as `rote.data.files.decoded_cache` keeps them: large sources are then
        decoded once, and mapped into memory. None: decode into memory every time. Large arrays of uint8
        images in
        uncompressed files are mapped where they lie.
    progress
        Called during a download with (bytes so far, bytes in all).

    Returns
    -------
    Dataset
        uint8 (N, H, W, C) images, float32 (N, D) vectors or (N, T, C) series, N >= 1.

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
    if resolution is not None and not (type(resolution) is int and resolution >= 1):
        raise DataError(f"`resolution` is {resolution!r}; give a whole number of pixels from 1")
    if channels not in (None, 1, 3):
        raise DataError(f"`channels` is {channels!r}; give 1 (grey) or 3 (RGB)")
    reading = reading or Reading()
    file: Path | None = None
    if isinstance(source, np.ndarray):
        dataset = dataset_of_array(source, where="array")
    elif isinstance(source, str) and source in embedded.DESCRIPTIONS:
        dataset = embedded.load_embedded(source)
    elif isinstance(source, str) and source in cifar10.DESCRIPTIONS:
        part: Literal["train", "test"] = "train" if source == "cifar10" else "test"
        dataset = cifar10.load_cifar10(part, cache=cache or cache_folder(), progress=progress)
    else:
        file = _existing(source)
        if file.is_file() and file.suffix.lower() in TABLE_EXTENSIONS:
            dataset = load_table(file, reading, skip_missing=skip_unreadable)
            return fit_dataset(dataset, resolution, channels)
        dataset = _load_path(
            file, resolution, channels, skip_unreadable=skip_unreadable, decoded=decoded
        )
    if reading.schema is not None:
        dataset = adopt(dataset, reading.schema)
    elif reading.asked:
        raise DataError(
            f"`categorical`, `label` and `ignore` are for CSV and Parquet tables, and "
            f"{shown(dataset.source)} is none; leave them out"
        )
    return fit_dataset(dataset, resolution, channels, file=file, decoded=decoded)


def _existing(source: str | Path) -> Path:
    text = str(source)
    path = Path(source).expanduser()
    try:
        found = path.stat() if text else None
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"'{shown(text)}' cannot be opened ({reason}); give `source` another path"
        ) from None
    if found is None:
        if isinstance(source, str) and "/" not in text and "." not in text:
            hint = did_you_mean(text, named_sources())
            raise DataError(
                f"`source` '{shown(text)}' is neither a named source{hint} nor a path that exists"
            )
        raise DataError(
            f"'{shown(text)}' does not exist; give `source` a folder, a .zip, .npz, .npy, .csv or "
            ".parquet file, an image, or a named source"
        )
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise DataError(
            f"'{shown(text)}' is neither a folder nor a file; give `source` one of them"
        )
    return path


def _load_path(
    path: Path,
    resolution: int | None,
    channels: int | None,
    *,
    skip_unreadable: bool,
    decoded: Path | None,
) -> Dataset:
    def load(listing: Listing) -> Dataset:
        return _load_files(
            path, listing, resolution, channels, skip_unreadable=skip_unreadable, folder=decoded
        )

    suffix = path.suffix.lower()
    if path.is_dir():
        return load(list_folder(path))
    if suffix == ".zip":
        with open_zip(path) as listing:
            return load(listing)
    if suffix in (".npz", ".npy"):
        return load_array_file(path, decoded=decoded)
    if suffix in EXTENSIONS:
        return load(single_file(path))
    raise DataError(
        f"{shown(path)} is a file of unknown type '{shown(suffix)}'; give `source` a folder, a .zip, "
        f".npz or .npy file, a table ({', '.join(TABLE_EXTENSIONS)}), or an image "
        f"({', '.join(EXTENSIONS)})"
    )


def _load_files(
    path: Path,
    listing: Listing,
    resolution: int | None,
    channels: int | None,
    *,
    skip_unreadable: bool,
    folder: Path | None,
) -> Dataset:
    names = [entry.name for entry in listing.entries]
    where = shown(path)
    labels, classes = labels_of_files(names, listing.sidecar, where=where)
    decoded = decode_cached(
        listing.entries,
        where=where,
        resolution=resolution,
        channels=channels,
        skip_unreadable=skip_unreadable,
        folder=folder,
    )
    return Dataset(
        items=decoded.images,
        labels=None if labels is None else labels[decoded.kept],
        classes=classes,
        names=tuple(storable(names[i]) for i in decoded.kept),
        source=storable(str(path)),
        unreadable=tuple(storable(name) for name in decoded.unreadable),
    )


def fit_dataset(
    dataset: Dataset,
    resolution: int | None,
    channels: int | None,
    *,
    file: Path | None = None,
    decoded: Path | None = None,
) -> Dataset:
    """Return a data set in the given resolution and channels, as `load_images` does.

    Images mapped from ``file`` are put into the folder ``decoded``, block by block, where both are given.

    Raises
    ------
    DataError
        If vectors are to be fitted, or all of several images are black.
    """
    if dataset.kind == "image":
        check_brightness(dataset.items, where=shown(dataset.source))
        form = fit_images(dataset.items[:1], resolution=resolution, channels=channels).shape[1:]
        if (
            file is None
            or decoded is None
            or form == dataset.items.shape[1:]
            or not is_mapped(dataset.items)
        ):
            fitted = fit_images(dataset.items, resolution=resolution, channels=channels)
        else:
            fitted = keep_array(
                (
                    fit_images(block, resolution=resolution, channels=channels)
                    for block in blocks_of(dataset.items)
                ),
                (len(dataset), *form),
                path=file,
                options=f"{resolution} {channels}",
                folder=decoded,
            )
        return replace(dataset, items=fitted)
    option = "`resolution`" if resolution is not None else "`channels`"
    if resolution is not None or channels is not None:
        raise DataError(
            f"{option} is for images, and {shown(dataset.source)} holds "
            f"{'vectors' if dataset.kind == 'vector' else 'series'} of "
            f"{' x '.join(map(str, dataset.items.shape[1:]))} numbers; leave it out"
        )
    return dataset
