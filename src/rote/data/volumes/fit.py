"""Volumes of an array cropped and sliced as those of files are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.messages import shown
from rote.data.options import ReadOptions
from rote.data.volumes.volume import cropped, slice_numbers, sliced


def refuse_options(options: ReadOptions, kind: str, *, where: str) -> None:
    """Refuse options of volumes, or of sound, for a source that holds none.

    Raises
    ------
    DataError
        If `spacing`, `crop` or `slices` is given, or `seconds` and the source holds no sound.
    """
    if options.seconds is not None and kind != "sound":
        raise DataError(f"`seconds` is for sound, and {where} holds {kind}; leave it out")
    if options.of_volumes and kind != "volumes":
        more = ", or give `frames` volume if the pages of TIFF files are volumes"
        raise DataError(
            f"`{options.of_volumes}` is for volumes, and {where} holds {kind}; leave it out"
            + (more if kind == "images" else "")
        )


def fit_volumes(dataset: Dataset, options: ReadOptions) -> Dataset:
    """Return the volumes of an array in the crop, or as the slices, that are asked for.

    Raises
    ------
    DataError
        If the items are no volumes, if a spacing is asked for, which arrays do not have, or if there are
        no such slices.
    """
    where = shown(dataset.source)
    if options.seconds is not None:
        refuse_options(options, "an array", where=where)
    if not options.of_volumes:
        return dataset
    if dataset.kind != "volume":
        words = {"image": "images", "vector": "vectors"}.get(dataset.kind, dataset.kind)
        refuse_options(options, f"{words} in an array", where=where)
    if options.spacing is not None:
        raise DataError(
            f"`spacing` needs files that say how far their voxels lie apart, and {where} is an array; "
            "leave it out, or resample the array"
        )
    if options.crop is not None:
        items = np.stack([cropped(item, options.crop) for item in dataset.items])
        dataset = replace(dataset, items=items)
    if options.slices is None:
        return dataset
    numbers = slice_numbers(dataset.items.shape[1:], options)
    if not numbers or dataset.items.shape[-1] not in (1, 3):
        sizes = "x".join(map(str, dataset.items.shape[1:]))
        raise DataError(
            f"{where} has volumes of {sizes}, of which `slices` gives no images of 1 or 3 channels; give "
            "other `slices`"
        )
    items = np.concatenate([sliced(item, options) for item in dataset.items])
    names = tuple(f"{name}#{options.slices[0]}{n}" for name in dataset.names for n in numbers)
    # All that is known of a volume holds of each slice; no voxel is copied for that.
    known = replace(dataset, items=dataset.items[:, :1, :1, :1])
    known = known.take(np.repeat(np.arange(len(dataset)), len(numbers)))
    return replace(known, items=np.ascontiguousarray(items), names=names)


def grouped_by_volume(dataset: Dataset, options: ReadOptions) -> Dataset:
    """Return slices of volumes whose patients are not known with their volume as group.

    Slices of one volume are of one patient, whatever else is known. The source is part of the group's
    name: volumes of two sides may be called the same.
    """
    if options.slices is None or dataset.groups is not None:
        return dataset
    volumes = (name.rpartition("#")[0] for name in dataset.names)
    return replace(dataset, groups=tuple(f"{dataset.source}/{name}" for name in volumes))
