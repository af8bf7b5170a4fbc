"""Before anything is measured: options are read, sides brought to one form, duplicates grouped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.devices import resolve_device
from rote.core.errors import ConfigError, DataError
from rote.core.seeds import child_seed
from rote.data.captions.find import captions_of_file
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups, exact_duplicates
from rote.data.groups.apart import real_groups
from rote.data.resample import fit_images
from rote.data.sampling import drawn_by_content
from rote.data.scaling import Scaling
from rote.data.tables.align import aligned
from rote.memorization.audit.checks import (
    check_gate,
    check_options,
    check_sides,
    check_spaces,
    check_supplement,
    chosen_criteria,
    invariances_of,
    kind_words,
)
from rote.memorization.audit.options import AuditOptions, Settings
from rote.memorization.audit.per_group import Clusters, check_clusters, clusters_of
from rote.memorization.criteria import AbsoluteCriterion, RatioCriterion
from rote.memorization.criteria.user_threshold import read_criteria
from rote.memorization.duplicate_radius import duplicate_radius, spacing_of
from rote.memorization.duplicates import near_duplicates
from rote.memorization.groups.kin import check_kin, kin_of, numbers_of, whole_groups
from rote.neighbors.numeric import is_long
from rote.spaces import open_spaces
from rote.spaces.autoencoder import load_autoencoder
from rote.spaces.space import PIXEL, Space, own_space


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


def _still(side: Dataset) -> Dataset:
    """Return a side of large images that nothing writes to, so that what is known of it is kept."""
    if not is_long(side.items) or not side.items.flags.writeable:
        return side
    items = side.items.view()
    items.flags.writeable = False
    return replace(side, items=items)


def _scaled(side: Dataset, resolution: int) -> Dataset:
    return replace(side, items=fit_images(side.items, resolution=resolution, channels=None))


@dataclass(frozen=True, eq=False)
class Prepared:
    """An audit that is ready to be measured.

    Attributes
    ----------
    generated, training, holdout
        The sides as they are measured; what was set aside is the held-out side.
    rest
        int64: positions of the training items that are references, duplicates among them.
    own
        The space of the data's own kind, in which duplicates and leaks are found.
    spaces
        Those to measure in, the one whose rate and gate count first.
    clusters
        Groups of the generated items, where rates of groups are asked for.
    device
        "cpu" or "cuda".
    """

    generated: Dataset
    training: Dataset
    holdout: Dataset | None
    rest: npt.NDArray[np.int64]
    own: Space
    spaces: tuple[Space, ...]
    clusters: Clusters | None
    preprocessing: Preprocessing
    options: AuditOptions
    settings: Settings
    device: str


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Groups of duplicates on both sides.

    Attributes
    ----------
    exact, near, generated
        Exact ones of the training side; those within the radius; those within it of the generated side.
    kin
        int64 (P, N): the partitions whose parts hold no rivals (`rote.memorization.groups.kin`).
    positions
        int64: the references, each exact group once; near-duplicates are told apart by their group.
    """

    exact: DuplicateGroups
    near: DuplicateGroups
    generated: DuplicateGroups
    kin: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]


def prepare(
    generated: Dataset, training: Dataset, options: AuditOptions, *, holdout: Dataset | None
) -> Prepared:
    """Check what is asked for, bring the sides to one form, and open the spaces.

    Raises
    ------
    ConfigError
        If an option is out of range, or does not fit the data or another option.
    DataError
        If the sides do not fit together, or hold too few items for what is asked.
    """
    check_options(options)
    device = resolve_device(options.device)
    generated, training, holdout = _in_one_schema(generated, training, holdout)
    training, holdout = real_groups(training, holdout, options.group_by)
    settings = settings_of(options, training, controlled=holdout is not None)
    check_sides(generated, training, holdout, settings)
    if path := options.captions:
        generated = replace(generated, captions=captions_of_file(path, generated.names))
    clusters = clusters_of(generated, options.cluster_by)
    if clusters is not None:
        check_clusters(clusters, len(generated))
    check_supplement(generated, training, holdout, options)
    generated, training, holdout = _in_one_scale(generated, training, holdout)
    generated, training, holdout, preprocessing = preprocess(
        generated,
        training,
        holdout,
        resolution=options.ruler_resolution,
        autoencoder=options.through_autoencoder,
        device=device,
    )
    own = own_space(training)
    # What is asked for by default is the space of the data's own kind.
    opened = open_spaces(options.space, device=device)
    spaces = tuple(own if space is PIXEL else _fit(space, training) for space in opened)
    check_spaces(spaces, training, settings)
    check_gate(settings, spaces[0])
    rest, holdout = take_aside(training, holdout, settings)
    return Prepared(
        generated=_still(generated),
        training=_still(training),
        holdout=None if holdout is None else _still(holdout),
        rest=rest,
        own=own,
        spaces=spaces,
        clusters=clusters,
        preprocessing=preprocessing,
        options=options,
        settings=settings,
        device=device,
    )


def _fit(space: Space, training: Dataset) -> Space:
    """Return a space as it is for this kind of data, where it has another form for volumes."""
    return (space.of_volumes or space) if training.kind == "volume" else space


def settings_of(options: AuditOptions, training: Dataset, *, controlled: bool) -> Settings:
    """Read the options and complete them for a training side."""
    criteria, own_thresholds = read_criteria(options.criterion)
    return Settings(
        criteria=chosen_criteria(criteria, controlled=controlled or options.set_aside > 0),
        gated=criteria[0] if criteria else RatioCriterion.name,
        own_thresholds=own_thresholds,
        ratio=RatioCriterion(options.ratio_threshold),
        duplicate_rms=options.duplicate_rms or 0.0,
        spacing=None,
        radius_from_spacing=options.duplicate_rms is None and training.in_levels,
        invariances=invariances_of(options),
        false_positive_rate=options.false_positive_rate,
        set_aside=options.set_aside,
        positive_control=options.positive_control,
        training_sample=options.training_sample,
        fail_above=options.fail_above,
        fail_above_groups=options.fail_above_groups,
        seed=options.seed,
        confidence=options.confidence,
    )


def _in_one_schema(
    generated: Dataset, training: Dataset, holdout: Dataset | None
) -> tuple[Dataset, Dataset, Dataset | None]:
    """Give all sides of a table a place for missing values where one of them needs it."""
    sides = (generated,) if holdout is None else (generated, holdout)
    own_units = all(side.scaling is None for side in (training, *sides))
    if training.schema is None or not own_units or any(side.schema is None for side in sides):
        return generated, training, holdout
    training, generated, *rest = aligned(training, *sides)
    return generated, training, rest[0] if rest else None


def _in_one_scale(
    generated: Dataset, training: Dataset, holdout: Dataset | None
) -> tuple[Dataset, Dataset, Dataset | None]:
    """Bring vectors and series into units of the spread of each training column, unless they are."""
    if training.in_levels or training.scaling is not None:
        return generated, training, holdout
    for name, side in (("generated", generated), ("holdout", holdout)):
        if side is not None and side.scaling is not None:
            raise DataError(
                f"`{name}` is in units of each column's spread and `training` is not; scale both by one "
                "`Scaling`, or neither"
            )
    scaling = Scaling.fit(training.items, training.schema)
    scaled = None if holdout is None else holdout.scaled(scaling)
    return generated.scaled(scaling), training.scaled(scaling), scaled


def find_duplicates(prepared: Prepared) -> tuple[Prepared, Duplicates]:
    """Group the duplicates of both sides, and keep one of each exact group as a reference.

    Where no radius was asked for, it is taken from the spacing of the training images, and returned with
    the settings.

    Raises
    ------
    DataError
        If the references are fewer than two, or one single group.
    """
    training, settings = prepared.training, prepared.settings
    exact = exact_duplicates(training.items)
    asked = settings.radius_from_spacing or settings.duplicate_rms
    if training.in_levels and (asked or AbsoluteCriterion.name in settings.criteria):
        own = numbers_of(training.groups)
        spacing = spacing_of(training.items, exact.representative, seed=settings.seed, kin=own)
        settings = replace(settings, spacing=spacing)
        if settings.radius_from_spacing:
            settings = replace(settings, duplicate_rms=duplicate_radius(spacing))
        prepared = replace(prepared, settings=settings)
    near = near_groups(training, exact, settings)
    generated = near_groups(
        prepared.generated, exact_duplicates(prepared.generated.items), settings
    )
    _, first = np.unique(exact.group[prepared.rest], return_index=True)
    positions = np.sort(prepared.rest[first])
    kin = kin_of(near, training.groups)
    check_kin(training, kin, positions)
    return prepared, Duplicates(exact, near, generated, kin, positions)


def near_groups(side: Dataset, exact: DuplicateGroups, settings: Settings) -> DuplicateGroups:
    """Return the groups of a side within the radius; of items in groups, between these."""
    if not settings.duplicate_rms:
        return exact
    return near_duplicates(
        side.items,
        exact,
        rms=settings.duplicate_rms,
        invariances=settings.invariances,
        kin=numbers_of(side.groups),
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
    if training.groups is not None:
        chosen = whole_groups(training.groups, order, settings.set_aside)
        return np.delete(everything, chosen), training.take(chosen)
    chosen, rest = np.sort(order[: settings.set_aside]), np.sort(order[settings.set_aside :])
    return rest, training.take(chosen)
