"""Notices: what a reader must know before any rate, found while the sides are prepared and controlled.

Some of them make the rates doubtful: a gate then decides nothing, however sure the interval is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.duplicates import equal_items
from rote.data.messages import shown
from rote.data.sampling import drawn_by_content
from rote.memorization.audit.checks import kind_words, spacing_words
from rote.memorization.audit.options import Settings
from rote.memorization.audit.prepare import Duplicates, Prepared
from rote.memorization.columns import (
    Finding,
    blanked_columns,
    constant_columns,
    deciding_columns,
    other_units,
)
from rote.memorization.controls import Leaks
from rote.memorization.criteria import CalibratedCriterion
from rote.memorization.differences.silent_differences import find_silent_differences, notices_of
from rote.memorization.differences.volumes import find_volume_differences
from rote.memorization.duplicates import chained
from rote.memorization.groups.kin import shared_by_duplicates
from rote.memorization.notice import Notice
from rote.neighbors.search import nearest_among

LARGE_PART = 0.05
"""Share of a set beyond which chains of near-duplicates make its rates doubtful."""
MOST_NEAR = 0.2
"""Share of the held-out items that may lie near training items where they are no versions of them."""
SAME_SET = 0.99
EXCHANGED = 0.25

TOO_WIDE = 0.5
"""Share of the spacing beyond which a radius takes different images for duplicates."""

ALIKE = 0.5
"""Distance to the nearest of the same folder over that of another, below which they are alike."""
LOOKED_AT = 200
MOST_NEIGHBORS = 64


def check_sources(generated: Dataset, training: Dataset, holdout: Dataset | None) -> None:
    """Refuse a folder of generated or held-out items whose files are among the training items.

    Raises
    ------
    DataError
        If one source lies inside another that was read with it.
    """
    for name, side in (("generated", generated), ("holdout", holdout)):
        if side is None:
            continue
        for inner, outer, outer_name in ((side, training, "training"), (training, side, name)):
            inside = _names_inside(inner, outer)
            if inside:
                inner_name = name if inner is side else "training"
                raise DataError(
                    f"`{inner_name}` {inner.source} lies inside `{outer_name}` {outer.source}, whose "
                    f"{inside:,} images in there would count on both sides; give folders that lie apart"
                )


def _names_inside(inner: Dataset, outer: Dataset) -> int:
    """Return how many items of the outer source are files in the folder of the inner one."""
    try:
        folder, around = Path(inner.source).resolve(), Path(outer.source).resolve()
        if not (folder.is_dir() and around.is_dir()) or around not in folder.parents:
            return 0
    except (OSError, ValueError):  # a name that is no path here
        return 0
    prefix = folder.relative_to(around).as_posix() + "/"
    return sum(name.startswith(prefix) for name in outer.names)


def of_sides(prepared: Prepared, duplicates: Duplicates) -> list[Notice]:
    """Return what the two sides themselves give reason to say."""
    found = [*_overlaps(prepared), *_radius(prepared)]
    training, radius = prepared.training, prepared.settings.duplicate_rms
    items, far = kind_words(training), chained(training.items, duplicates.near, rms=radius)
    if far > LARGE_PART * len(training):
        text = (
            f"the radius of near-duplicates, {radius:g}, is too wide for these {items}: chains of "
            f"neighbors join {far:,} of {len(training):,} training {items} to a group whose first one "
            "lies more than twice as far from them; give a smaller `duplicate_rms`"
        )
        found.append(Notice("chains", text, {"chained": far, "items": len(training)}))
    found += [*_families(prepared, duplicates), *_shared(prepared, duplicates)]
    return [*found, *_differences(prepared, duplicates), *_captions(prepared)]


def _captions(prepared: Prepared) -> list[Notice]:
    """Say that samples of one caption are not independent, where intervals take them to be."""
    generated, cluster_by = prepared.generated, prepared.options.cluster_by
    held = {text for text in generated.captions if text is not None}
    items = sum(text is not None for text in generated.captions)
    if cluster_by is not None or len(held) < 2 or items < 2 * len(held):
        return []
    return [
        Notice(
            "captions",
            f"{items:,} generated items are of {len(held):,} captions, and samples of one caption are "
            "copies together or not at all: rates by caption count captions, all other intervals and a "
            "gate do so with `cluster_by` caption alone",
            {"items": items, "captions": len(held)},
            doubtful=False,
        )
    ]


def _radius(prepared: Prepared) -> list[Notice]:
    """Return whether the radius that was asked for takes different images for duplicates."""
    radius, spacing = prepared.settings.duplicate_rms, prepared.settings.spacing
    if not spacing or radius <= TOO_WIDE * spacing:
        return []
    training = prepared.training
    text = (
        f"the radius of near-duplicates, {radius:g}, is too wide for these {kind_words(training)}: "
        f"{spacing_words(training, spacing)}; give a smaller `duplicate_rms`, or leave it out"
    )
    return [Notice("radius", text, {"radius": radius, "spacing": spacing})]


def _families(prepared: Prepared, duplicates: Duplicates) -> list[Notice]:
    """Return whether training images of one folder belong together, as slices of one patient do.

    The second neighbor of a copy is then another slice of the same patient, and the ratio misses it.
    """
    training, positions = prepared.training, duplicates.positions
    folders = [name.rpartition("/")[0] for name in training.names]
    _, folder = np.unique(folders, return_inverse=True)
    sizes = np.bincount(folder[positions])
    few = len(sizes) < 3 or sizes.max() > len(positions) // 2
    if training.kind != "image" or training.groups is not None or few:
        return []
    seed = child_seed(prepared.settings.seed, "probe")
    chosen = drawn_by_content(training.items, positions, seed=seed)[:LOOKED_AT]
    k = min(int(sizes.max()) + 1, MOST_NEIGHBORS, len(positions))
    near = nearest_among(training.items[chosen], training.items, positions, k=k)
    places, sq = positions[near.indices], near.sq_distances.astype(np.float64)
    same = (folder[places] == folder[chosen][:, None]) & (places != chosen[:, None])
    within = np.where(same, sq, np.inf).min(axis=1)
    # Where all k are of the same folder, the nearest of another lies at least as far as the last.
    other = np.where(folder[places] != folder[chosen][:, None], sq, sq[:, -1:]).min(axis=1)
    values = float(np.prod(training.items.shape[1:]))
    near_within, near_other = (float(np.sqrt(np.median(x) / values)) for x in (within, other))
    if not near_within < ALIKE * near_other:
        return []
    text = (
        "training images of the same folder resemble each other: the nearest of the same folder lies at "
        f"{near_within:.3g}, the nearest of another at {near_other:.3g} (medians of {len(chosen)}), so "
        "the second neighbor of a copy is of the folder of the first and the ratio misses copies; if "
        "folders are patients, persons or videos, give `group_by` folder"
    )
    return [Notice("families", text, {"within": near_within, "other": near_other})]


def _shared(prepared: Prepared, duplicates: Duplicates) -> list[Notice]:
    """Return whether training groups share duplicates, as one patient under two names does."""
    groups = prepared.training.groups
    pairs = [] if groups is None else shared_by_duplicates(duplicates.near, groups)
    if not pairs:
        return []
    named = ", ".join(f"'{shown(a)}' and '{shown(b)}'" for a, b in pairs[:3])
    text = (
        f"{len(pairs):,} pairs of groups share duplicates ({named}): a copy of one counts for both; if "
        "they are one person under two names, give both one group, or copies are missed"
    )
    return [Notice("groups", text, {"pairs": len(pairs)}, doubtful=False)]


def _differences(prepared: Prepared, duplicates: Duplicates) -> list[Notice]:
    """Return the most telling silent difference between the sides, if there is one."""
    undone = ["mirrored"] if prepared.settings.invariances.flip else []
    if prepared.training.kind == "volume":
        if prepared.settings.invariances.tone:
            undone += ["tone", "window", "range"]
        return notices_of(
            find_volume_differences(
                prepared.generated,
                prepared.training,
                positions=duplicates.positions,
                kin=duplicates.kin,
                leave_out=undone,
                seed=prepared.settings.seed,
            )
        )
    if prepared.training.kind != "image":
        found_units = other_units(
            prepared.generated,
            prepared.training,
            duplicates.positions,
            seed=prepared.settings.seed,
        )
        return [] if found_units is None else [Notice("difference", *found_units)]
    found = find_silent_differences(
        prepared.generated.items,
        prepared.training.items,
        positions=duplicates.positions,
        group=duplicates.near.group,
        leave_out=undone,
        seed=prepared.settings.seed,
    )
    return notices_of(found)


def _overlaps(prepared: Prepared) -> list[Notice]:
    """Return which sides are the same set, or look exchanged."""
    generated, training, holdout = prepared.generated, prepared.training, prepared.holdout
    found = []
    if not prepared.settings.set_aside and holdout is not None:
        for name, other in (("training", training), ("generated", generated)):
            same = equal_items(holdout.items, other.items)
            if same.mean() > 0.5:
                text = (
                    f"{same.sum():,} of {len(holdout):,} `holdout` items equal `{name}` items exactly: "
                    "they were not held out, and tell nothing of false positives"
                )
                numbers = {"sides": ["holdout", name], "equal": int(same.sum())}
                found.append(Notice("overlap", text, numbers))
    copies = equal_items(generated.items, training.items)
    reproduced = equal_items(training.items, generated.items)
    numbers = {
        "sides": ["generated", "training"],
        "equal": int(copies.sum()),
        "reproduced": int(reproduced.sum()),
    }
    if min(copies.mean(), reproduced.mean(), len(training) / len(generated)) >= SAME_SET:
        text = (
            f"`generated` and `training` are the same: {copies.sum():,} of {len(generated):,} generated "
            f"and {reproduced.sum():,} of {len(training):,} training items equal one of the other side"
        )
        found.append(Notice("overlap", text, numbers))
    elif _look_exchanged(copies, reproduced):
        text = (
            f"the sides look exchanged: {reproduced.sum():,} of {len(training):,} `training` items equal "
            f"one of the {len(generated):,} `generated` ones, and none of these is there twice; is "
            "`training` what the model made?"
        )
        found.append(Notice("overlap", text, numbers))
    return found


def _look_exchanged(copies: npt.NDArray[np.bool_], reproduced: npt.NDArray[np.bool_]) -> bool:
    """Return whether the training side looks like samples of a model of the generated side.

    A model that copies makes the same image again and again: so many copies that are all different speak
    for real images.
    """
    return bool(
        len(copies) > len(reproduced)
        and reproduced.mean() >= EXCHANGED
        and copies.sum() >= 10
        and copies.sum() <= reproduced.sum()
    )


def of_leaks(leaks: Leaks | None, settings: Settings) -> list[Notice]:
    """Return whether so many held-out items lie near training items that they may be versions of these.

    One and all they are doubtful; more than the calibrated threshold lets pass, they set it.
    """
    if leaks is None or not leaks.near:
        return []
    numbers = {"near": leaks.near, "items": leaks.images}
    text = (
        f"{leaks.near:,} of {leaks.images:,} held-out items lie within the radius of near-duplicates of "
        "training items"
    )
    if leaks.near > MOST_NEAR * leaks.images:
        text += (
            ": either they are versions of these and no new items, and the control is too high, or the "
            "radius is too wide; give held-out items of other sources, or a smaller `duplicate_rms`"
        )
        return [Notice("control", text, numbers)]
    calibrated = CalibratedCriterion.name in settings.criteria
    if not calibrated or leaks.near <= settings.false_positive_rate * leaks.images:
        return []
    text += (
        ", more than the calibrated threshold lets pass, so they set it; if they are versions of "
        "training items (re-compressed, resized) and no new ones, take them out of `holdout`"
    )
    return [Notice("calibration", text, numbers, doubtful=False)]


def of_columns(prepared: Prepared, generated: Dataset, training: Dataset) -> list[Notice]:
    """Return which columns count for nothing, and which cells only generated rows blank.

    ``generated`` and ``training`` are the sides as they were given.
    """
    return _about_columns(
        constant_columns(prepared.training, generated), blanked_columns(training, generated)
    )


def of_distance(prepared: Prepared, nearest: npt.NDArray[np.int64]) -> list[Notice]:
    """Return whether few columns decide what is near in the first space."""
    gower = prepared.spaces[0].metric == "gower"
    found = deciding_columns(prepared.generated, prepared.training, nearest, gower=gower)
    return _about_columns(found)


def _about_columns(*found: Finding | None) -> list[Notice]:
    """Return what `rote.memorization.columns` found; it makes no rate doubtful."""
    return [
        Notice("columns", text, numbers, doubtful=False) for text, numbers in filter(None, found)
    ]
