"""Before anything is measured: duplicate groups, what is set aside, the ruler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups, exact_duplicates
from rote.data.resample import fit_images
from rote.data.sampling import drawn_by_content
from rote.memorization.audit.options import Settings, kind_words
from rote.memorization.criteria import CarliniCriterion, RatioCriterion, TileCriterion
from rote.memorization.criteria.absolute import absolute_in
from rote.memorization.criteria.user_threshold import own_in
from rote.memorization.duplicates import near_duplicates
from rote.memorization.evaluator import CriteriaEvaluator
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher, Reranker
from rote.spaces.autoencoder import load_autoencoder
from rote.spaces.gower import Gower
from rote.spaces.space import PIXEL, Space


@dataclass(frozen=True)
class Preprocessing:
    """What was done to the images before they were measured.

    Attributes
    ----------
    resolution
        Height and width that all sides were brought to; None: as they were given.
    given
        Shape (C, H, W) of the images as they were given.
    autoencoder
        Through which the training and the held-out side went, as `Autoencoder.describe` has it; or None.
    """

    resolution: int | None
    given: tuple[int, ...]
    autoencoder: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain types."""
        return {
            "resolution": self.resolution,
            "given": list(self.given),
            "autoencoder": self.autoencoder,
        }


def preprocess(
    generated: Dataset,
    training: Dataset,
    holdout: Dataset | None,
    *,
    resolution: int | None,
    autoencoder: str | None,
    device: str,
) -> tuple[Dataset, Dataset, Dataset | None, Preprocessing]:
    """Return the sides as the rulers see them, and what was done.

    Real images go through the autoencoder that generated ones come from; then all sides are brought to
    one resolution, cropped and scaled as in `rote.data.resample`.

    Raises
    ------
    ConfigError
        If the autoencoder cannot be had, or a resolution is asked of vectors.
    DataError
        If the images do not fit the autoencoder.
    """
    described = None
    given = training.shape
    if autoencoder is not None:
        loaded = load_autoencoder(autoencoder, device=device)
        described = loaded.describe()
        training = loaded.round_trip(training)
        holdout = None if holdout is None else loaded.round_trip(holdout)
    if resolution is not None:
        if training.kind != "image":
            raise ConfigError(
                f"`ruler_resolution` is for images, and `training` holds {kind_words(training)}; leave "
                "it out"
            )
        if resolution < 1:
            raise ConfigError(f"`ruler_resolution` is {resolution}; give 1 or more")
        generated, training = (_scaled(side, resolution) for side in (generated, training))
        holdout = None if holdout is None else _scaled(holdout, resolution)
    return generated, training, holdout, Preprocessing(resolution, given, described)


def _scaled(side: Dataset, resolution: int) -> Dataset:
    return replace(side, items=fit_images(side.items, resolution=resolution, channels=None))


def find_groups(side: Dataset, settings: Settings) -> tuple[DuplicateGroups, DuplicateGroups]:
    """Return the exact groups of a side and those within the radius."""
    exact = exact_duplicates(side.items)
    if not settings.duplicate_rms:
        return exact, exact
    near = near_duplicates(
        side.items, exact, rms=settings.duplicate_rms, invariances=settings.invariances
    )
    return exact, near


def check_groups(
    training: Dataset, groups: npt.NDArray[np.int64], exact: npt.NDArray[np.int64]
) -> None:
    """Refuse references without two groups, given the groups of all references."""
    if len(exact) < 2:
        raise DataError(
            f"`training` {training.source} has {len(exact)} distinct item; the ratio to the second "
            "nearest needs at least two"
        )
    if len(np.unique(groups)) < 2:
        raise DataError(
            f"`training` {training.source} is one single group of near-duplicates; the ratio needs at "
            "least two: give a smaller `duplicate_rms`"
        )


def take_aside(
    training: Dataset, holdout: Dataset | None, settings: Settings
) -> tuple[npt.NDArray[np.int64], Dataset | None]:
    """Return which training items are references, and the held-out side."""
    if not settings.set_aside:
        return np.arange(len(training), dtype=np.int64), holdout
    everything = np.arange(len(training), dtype=np.int64)
    seed = child_seed(settings.seed, "set-aside")
    order = drawn_by_content(training.items, everything, seed=seed)
    chosen, rest = np.sort(order[: settings.set_aside]), np.sort(order[settings.set_aside :])
    return rest, training.take(chosen)


def build_ruler(
    ratio: RatioCriterion,
    training: npt.NDArray[Any],
    positions: npt.NDArray[np.int64],
    groups: DuplicateGroups,
    settings: Settings,
    device: str,
    *,
    space: Space = PIXEL,
    gower: Gower | None = None,
) -> CriteriaEvaluator:
    """Prepare the references at ``positions`` for measuring.

    ``training`` is what the space measures: images, or rows of features. Groups of duplicates are those
    of the images in every space. Invariances and tiles are of pixels alone.
    """

    def matcher(invariances: Invariances) -> Matcher:
        if space.kind == "pairs":
            return Reranker(
                training, positions=positions, group=groups.group, space=space, device=device
            )
        return Matcher(
            training,
            positions=positions,
            group=groups.group,
            invariances=invariances,
            device=device,
            gower=gower,
        )

    own = settings.invariances if space.kind == "images" else Invariances()
    main = matcher(own)
    plain = matcher(Invariances()) if own.names else main
    untoned = replace(own, tone=False)
    levels = main if not own.tone else matcher(untoned) if untoned.names else plain
    names = settings.criteria
    return CriteriaEvaluator(
        ratio=ratio,
        names=names if space.kind == "images" else tuple(n for n in names if n != "tiles"),
        matcher=main,
        without_tone=levels,
        without_invariances=plain,
        training=training,
        carlini=CarliniCriterion(),
        tiles=TileCriterion(),
        absolute=own_in(settings.own_thresholds, space) or absolute_in(space.name, space.source),
    )
