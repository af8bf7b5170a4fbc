"""Training sets that differ in one property of the data, drawn from one source or two.

All draws are nested and seeded: with one seed, variants of one source share as many images as their
definitions allow, so that a study compares the property and not the luck of the draw.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.captions.vary import Way, check_captioned, vocabulary, with_captions
from rote.data.dataset import Dataset
from rote.data.load import fit_dataset

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Variant:
    """What is drawn from the source, and what is done to it. The defaults are a plain subset.

    Attributes
    ----------
    resolution
        Scale the images to this many pixels a side.
    classes
        Draw from the first so many classes alone, the same number of each.
    second_share
        Mix two sources, with this share of the images from the second, in [0, 1]. Where there is only one
        source, the half of each class nearest its mean image is the first and the other half the second.
        None: no mixture.
    second_class
        Draw from this class of both sources alone; a number below the classes of the source.
    every, times
        Every ``every``-th image of the set is there ``times`` times; the set then has more rows than
        images.
    captions
        Which captions the rows have (`rote.data.captions.vary`); None: those of the source, if any.
    """

    resolution: int | None = None
    classes: int | None = None
    second_share: float | None = None
    second_class: int | None = None
    every: int = 1
    times: int = 1
    captions: Way | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain types; without captions the same as before there were any."""
        return {k: v for k, v in asdict(self).items() if k != "captions" or v is not None}


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """A drawn training set.

    Attributes
    ----------
    repeated
        Which of its rows are there several times, bool (N,).
    rows
        The rows of the source that it holds, each once.
    population
        The rows of the source that it is a sample of: those of the classes that it was drawn from, and of
        a mixture both sources in its shares. What stands for unseen items of its kind is taken from here.
    """

    dataset: Dataset
    repeated: npt.NDArray[np.bool_]
    rows: Indices
    population: Indices


def combine(first: Dataset, second: Dataset) -> Dataset:
    """Return both sources in one, the second behind the first; labels and groups where both have them.

    Raises
    ------
    DataError
        If their images have different shapes.
    """
    if first.items.shape[1:] != second.items.shape[1:] or first.kind != second.kind:
        raise DataError(
            f"`source` has items of shape {first.shape} and `second` of {second.shape}; two sources are "
            "mixed in one training set only if they are alike: give `resolution` or `channels`"
        )
    labels = None
    if first.labels is not None and second.labels is not None:
        labels = np.concatenate([first.labels, second.labels])
    if labels is not None and first.classes != second.classes:
        raise DataError(
            f"`source` has the classes {', '.join(first.classes[:3])}... and `second` "
            f"{', '.join(second.classes[:3])}...; mix sources of the same classes"
        )
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = (*first.groups, *second.groups)
    return Dataset(
        items=np.concatenate([first.items, second.items]),
        labels=labels,
        classes=() if labels is None else first.classes,
        names=(*first.names, *second.names),
        captions=_joined_captions(first, second),
        repeats=_joined_repeats(first, second),
        source=f"{first.source} + {second.source}",
        groups=groups,
    )


def _joined_captions(first: Dataset, second: Dataset) -> tuple[str | None, ...]:
    if not first.captions and not second.captions:
        return ()
    sides = (side.captions or (None,) * len(side) for side in (first, second))
    return tuple(text for side in sides for text in side)


def _joined_repeats(first: Dataset, second: Dataset) -> Indices | None:
    if first.repeats is None and second.repeats is None:
        return None
    sides = (first, second)
    return np.concatenate(
        [np.ones(len(s), np.int64) if s.repeats is None else s.repeats for s in sides]
    )


def halves(dataset: Dataset, pool: Indices) -> tuple[Indices, Indices]:
    """Split every class into the half nearest its mean image and the other half: uniform and diverse.

    A stand-in for a second source where none is given. Returns both as indices, in the order of the pool.
    """
    labels = np.zeros(len(pool), np.int64) if dataset.labels is None else dataset.labels[pool]
    near = np.zeros(len(pool), np.bool_)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        values = dataset.items[pool[own]].reshape(len(own), -1).astype(np.float64)
        away = ((values - values.mean(axis=0)) ** 2).sum(axis=1)
        near[own[np.argsort(away, kind="stable")[: len(own) // 2]]] = True
    return pool[near], pool[~near]


def draw_variant(
    dataset: Dataset,
    variant: Variant,
    size: int,
    *,
    seed: int | None,
    second_at: int | None = None,
    stratify: bool = False,
) -> TrainingSet:
    """Draw a training set of ``size`` distinct rows of the source.

    Parameters
    ----------
    dataset
        The source; with two sources, both as `combine` joins them.
    variant
        What to draw.
    size
        Rows drawn, before any are repeated.
    seed
        Root seed of the draw; None takes the order of the source.
    second_at
        Where the second source begins; None: there is one source.
    stratify
        The same number of each class.

    Raises
    ------
    DataError
        If the source cannot give that: too few images, no labels, or no captions.
    """
    first = np.arange(len(dataset) if second_at is None else second_at)
    pool = _of_classes(dataset, first, variant)
    balanced = stratify or variant.classes is not None
    if variant.second_share is None:
        parts = [_take(dataset, pool, size, seed, stratify=balanced)]
        population = pool
    else:
        if second_at is None:
            pool, other = halves(dataset, pool)
        else:
            other = _of_classes(dataset, np.arange(second_at, len(dataset)), variant)
        count = round(size * variant.second_share)
        parts = [
            _take(dataset, source, part, seed, stratify=balanced)
            for source, part in ((pool, size - count), (other, count))
        ]
        population = _mixed(dataset, (pool, other), variant.second_share, seed)
    chosen = np.concatenate(parts)
    repeats = np.ones(size, np.int64)
    repeats[:: variant.every] = variant.times
    images = dataset.take(np.repeat(chosen, repeats))
    if variant.resolution is not None:
        images = fit_dataset(images, variant.resolution, None)
    if variant.captions is not None:
        # Of the whole source: what it lacks is said now, and not once an item of a later draw lacks it.
        if variant.captions in ("own", "random"):
            check_captioned(dataset)
        words = vocabulary(dataset) if variant.captions == "random" else ()
        images = with_captions(images, variant.captions, words, seed=seed or 0)
    return TrainingSet(images, np.repeat(repeats > 1, repeats), chosen, population)


def _mixed(
    dataset: Dataset, sources: tuple[Indices, Indices], share: float, seed: int | None
) -> Indices:
    """Return as many rows of two sources as there are with this share from the second."""
    shares = (1 - share, share)
    most = min(len(rows) / part for rows, part in zip(sources, shares, strict=True) if part)
    return np.concatenate(
        [
            _take(dataset, rows, int(most * part), seed, stratify=False)
            for rows, part in zip(sources, shares, strict=True)
        ]
    )


def _of_classes(dataset: Dataset, indices: Indices, variant: Variant) -> Indices:
    """Return those of the indices whose class the variant draws from."""
    wanted = variant.classes
    if wanted is None and variant.second_class is None:
        return indices
    if dataset.labels is None:
        raise DataError(
            f"{dataset.source} has no labels, so no classes can be drawn from it; give `source` a "
            "source with labels"
        )
    known = len(dataset.classes)
    if wanted is not None and not 1 <= wanted <= known:
        raise DataError(f"{wanted} classes were asked of {dataset.source}, which has {known}")
    labels = dataset.labels[indices]
    if variant.second_class is not None:
        if not 0 <= variant.second_class < known:
            raise DataError(
                f"class {variant.second_class} was asked of {dataset.source}, which has classes 0 to "
                f"{known - 1}"
            )
        return indices[labels == variant.second_class]
    assert wanted is not None
    return indices[labels < wanted]


def _take(
    dataset: Dataset, pool: Indices, size: int, seed: int | None, *, stratify: bool
) -> Indices:
    """Draw ``size`` of the pool's indices; none for size 0."""
    if size == 0:
        return np.empty(0, np.int64)
    part = dataset.take(pool)
    if stratify and part.labels is not None:
        present = np.unique(part.labels)  # subsets are balanced over the classes that are there
        part = replace(
            part,
            labels=np.searchsorted(present, part.labels),
            classes=tuple(dataset.classes[label] for label in present),
        )
    return pool[part.subset_indices(size, seed=seed, stratify=stratify)]
