"""`dedup`: one image of each group of near-duplicates, with a record from which that is undone.

What counts as a duplicate is what an audit groups (`rote.memorization.duplicates`): images within a
radius of each other, by default a share of their own spacing, and what a chain of such images joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError, RunError, did_you_mean
from rote.core.presentation.shown import Shown
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups, exact_duplicates
from rote.data.named.names import named_sources
from rote.data.options import ReadOptions
from rote.data.sides import as_dataset
from rote.memorization.dedup.files import (
    Entries,
    check_new,
    opened,
    restore,
    sha256_of,
    size_of,
    write_array,
    write_clean,
)
from rote.memorization.duplicate_radius import duplicate_radius, spacing_of
from rote.memorization.duplicates import check_rms, near_duplicates
from rote.memorization.invariances import Invariances, mirrored, standardized
from rote.results.mitigation.dedup import DedupFile, Keep
from rote.results.schema import read_result, write_result

KEEP: tuple[Keep, ...] = get_args(Keep)
RECORD = "dedup.json"
FAR = 2.0
"""Radii from the kept image beyond which a dropped one is said to be joined by a chain alone."""


@dataclass(frozen=True, repr=False, eq=False)
class Deduplicated(Shown):
    """A source without its duplicates.

    Attributes
    ----------
    clean
        The images that were kept, in their order.
    kept
        int64: their places in the source.
    json
        The content of `dedup.json`.
    """

    clean: Dataset
    kept: npt.NDArray[np.int64]
    json: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the content of `dedup.json`."""
        return self.json

    def sentences(self) -> Sequence[str]:
        """Return how many are left, and what was taken for duplicates."""
        found, gone = self.json, len(self.json["dropped"])
        radius = found["duplicate_rms"]
        told = [
            f"{len(self.kept):,} of {found['images']:,} images kept; {gone:,} near-duplicates dropped",
            f"of {found['groups']:,} groups within {radius:g} levels (root mean square) "
            f"the {found['keep']} of each stays",
        ]
        if far := sum(row["rms"] > FAR * radius for row in found["dropped"]):
            told.append(
                f"note: {far:,} of the dropped lie more than {FAR:g} radii from the image that was kept, "
                "joined to it by a chain of others; look at them, or give a smaller `duplicate_rms`"
            )
        return told


def dedup(
    source: Any,
    out: str | Path | None = None,
    *,
    keep: str = "first",
    duplicate_rms: float | None = None,
    invariances: str = "",
    options: ReadOptions | None = None,
) -> Deduplicated:
    """Keep one image of each group of near-duplicates.

    Parameters
    ----------
    source
        Images, as `rote.load_images` takes them; not changed.
    out
        Of files in a folder or an archive: a new folder, for the files that are kept, as they are, their
        captions and labels, and `dedup.json`. Of all else: a new npz file, with ``NAME.dedup.json``
        beside it. None: nothing is written.
    keep
        "first" in the order of the source, "largest" by pixels and then bytes of the file, or "sharpest"
        by the variance of the Laplacian.
    duplicate_rms
        Images this near to each other are duplicates: root-mean-square difference, 0 to 255; 0: equal
        ones alone; None: a share of the images' own spacing (`rote.memorization.duplicate_radius`).
    invariances
        "flip", "tone" or both: an image is then also a duplicate of its mirrored or retoned twin.
    options
        How images are read to be compared, such as ``ReadOptions(resolution=64)``, which sources of
        several sizes need. Files are kept as they are all the same.

    Raises
    ------
    ConfigError
        If an option is out of range or ``out`` holds something.
    DataError
        If the source is of no images, or cannot be read.

    >>> from rote.data.load import load_images
    >>> digits = load_images("digits").take(np.array([0, 1, 0, 2]))
    >>> dedup(digits, duplicate_rms=0).kept.tolist()
    [0, 1, 3]
    """
    if keep not in KEEP:
        raise ConfigError(f"`keep` {keep} is unknown{did_you_mean(keep, KEEP)}")
    if duplicate_rms is not None:
        check_rms(duplicate_rms)
    over = Invariances.parse(invariances)
    if others := [name for name in over.names if name not in ("flip", "tone")]:
        raise ConfigError(
            f"`invariances` {others[0]} joins no duplicates; choose flip, tone or both"
        )
    options = options or ReadOptions()
    with opened(source, options) as files:
        place = None if out is None else check_new(Path(out), files=files is not None)
        dataset = as_dataset(source, options=options)
        if dataset.kind != "image":
            raise DataError(
                f"`source` {dataset.source} holds no images, and only these have near ones"
            )
        groups, radius = group_duplicates(dataset, duplicate_rms, over)
        chosen = _chosen(dataset, groups, keep, files)
        gone = np.setdiff1d(np.arange(len(dataset)), chosen)
        rows = _dropped(dataset, gone, chosen[groups.group[gone]], over)
        changed: tuple[str, ...] = ()
        clean = dataset.take(np.sort(chosen))
        if files is not None:
            rows = [row | {"sha256": sha256_of(files[row["name"]])} for row in rows]
            if place is not None:
                lost = {row["name"] for row in rows}
                changed, captions = write_clean(files, dataset.names, lost, place)
                rows = [row | {"caption": captions.get(row["name"])} for row in rows]
        elif place is not None:
            write_array(place, clean)
    record = {
        "kind": "dedup",
        "source": _told(source),
        "digest": dataset.digest,
        "read": _given(options),
        "keep": keep,
        "duplicate_rms": radius,
        "invariances": over.names,
        "images": len(dataset),
        "groups": int((groups.sizes > 1).sum()),
        "captions": list(changed),
        "dropped": rows,
    }
    if place is not None:
        write_result(_record(place), DedupFile, record)
    return Deduplicated(clean, np.sort(chosen), record)


def undo_dedup(clean: str | Path) -> int:
    """Put what was dropped back, from the source that the record names; return how many images.

    Parameters
    ----------
    clean
        The ``out`` of `dedup`. Its record goes, at the end.

    Raises
    ------
    RunError
        If there is no record, or the source is not there any more or has changed; nothing is put back.
    """
    place = Path(clean)
    record = _record(place)
    if not record.exists():
        raise RunError(
            f"{place} has no {record.name}; give what `rote dedup` has written with `out`"
        )
    told = read_result(record, DedupFile)
    if told.source is None:
        raise RunError(f"{record}: the images came from memory; write them anew from there")
    restore(told, place, options=ReadOptions(**told.read))
    record.unlink()
    return len(told.dropped)


def _record(place: Path) -> Path:
    return place.with_name(f"{place.name}.{RECORD}") if place.suffix == ".npz" else place / RECORD


def _given(options: ReadOptions) -> dict[str, Any]:
    """Return the options that are not as usual, as plain types."""
    usual = asdict(ReadOptions())
    given = {key: value for key, value in asdict(options).items() if value != usual[key]}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()}


def group_duplicates(
    dataset: Dataset, duplicate_rms: float | None, invariances: Invariances
) -> tuple[DuplicateGroups, float]:
    """Return the groups of near-duplicates of a set of images, and the radius: `dedup` says which."""
    exact = exact_duplicates(dataset.items)
    radius = duplicate_rms
    if radius is None:
        radius = duplicate_radius(spacing_of(dataset.items, exact.representative))
    return near_duplicates(dataset.items, exact, rms=radius, invariances=invariances), radius


def _chosen(
    dataset: Dataset, groups: DuplicateGroups, keep: str, files: Entries | None
) -> npt.NDArray[np.int64]:
    """Return the place of the image of each group that stays; among equals the first."""
    chosen = groups.representative.copy()
    if keep == "first" or (
        keep == "largest" and files is None
    ):  # images of an array are of one size
        return chosen

    def worth(i: int) -> Any:
        if keep == "largest" and files is not None:
            return size_of(files[dataset.names[i]])
        return _sharpness(dataset.items[i])

    best: dict[int, Any] = {}
    for i in np.flatnonzero(groups.repeated).tolist():
        group, value = int(groups.group[i]), worth(i)
        if group not in best or value > best[group]:
            best[group], chosen[group] = value, i
    return chosen


def _sharpness(image: npt.NDArray[Any]) -> float:
    """Return the variance of the Laplacian of an image (H, W, C), at least 3 pixels each way."""
    grey = image.astype(np.float64).mean(axis=2)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * inner).var()) if inner.size else 0.0


def _dropped(
    dataset: Dataset,
    gone: npt.NDArray[np.int64],
    instead: npt.NDArray[np.int64],
    invariances: Invariances,
) -> list[dict[str, Any]]:
    """Return what is told of each dropped image, with its difference to the one that stays."""
    found: list[dict[str, Any]] = []
    for i, other in zip(gone.tolist(), instead.tolist(), strict=True):
        mine, theirs = dataset.items[i : i + 1], dataset.items[other : other + 1]
        forms = [mine, mirrored(mine)] if invariances.flip else [mine]
        pairs = [(form, theirs) for form in forms]
        if invariances.tone:
            pairs += [(standardized(form), standardized(theirs)) for form in forms]
        apart = min(float(np.sqrt(np.square(a.astype(float) - b).mean())) for a, b in pairs)
        names = {"name": dataset.names[i], "kept_index": other, "kept": dataset.names[other]}
        told = {"rms": round(apart, 4), "sha256": None, "caption": None}
        found.append({"index": i, **names, **told})
    return found


def _told(source: Any) -> str | None:
    """Return where a source is, from anywhere; None of one in memory."""
    if not isinstance(source, str | Path):
        return None
    return (
        str(source) if str(source) in named_sources() else str(Path(source).expanduser().resolve())
    )
