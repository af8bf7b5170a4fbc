"""What an audit is asked for, and whether it fits the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.memorization.criteria.absolute import absolute_in
from rote.memorization.criteria.user_threshold import OwnThreshold, check_own, own_in
from rote.memorization.duplicates import check_rms
from rote.memorization.evaluator import check_criteria
from rote.memorization.invariances import Invariances
from rote.spaces.space import COLUMNS, GOWER, PIXEL, Space, own_space
from rote.stats.conformal import check_asked


@dataclass(frozen=True)
class Settings:
    """What an audit was asked for; the arguments of `audit`."""

    criteria: tuple[str, ...]
    own_thresholds: tuple[OwnThreshold, ...]
    duplicate_rms: float
    invariances: Invariances
    false_positive_rate: float
    set_aside: int
    positive_control: int
    seed: int
    confidence: float


def chosen_criteria(names: Sequence[str] | None, *, controlled: bool) -> tuple[str, ...]:
    """Return the criteria to apply: None is the ratio, and the calibrated one where it can be."""
    if names is None:
        return ("ratio", "calibrated") if controlled else ("ratio",)
    if "calibrated" in names and not controlled:
        raise ConfigError(
            "`criteria` calibrated needs held-out images; give `holdout`, or `set_aside` to take some "
            "of `training`"
        )
    return check_criteria(names)


def check_sides(
    generated: Dataset,
    training: Dataset,
    holdout: Dataset | None,
    settings: Settings,
) -> None:
    """Refuse sides of different forms, and options out of range or not for this kind of data."""
    for name, side in (("`generated`", generated), ("`holdout`", holdout)):
        if side is not None and side.shape != training.shape:
            raise DataError(
                f"{name} {side.source} has items of {_shape(side)} and `training` "
                f"{training.source} of {_shape(training)}; bring both to one form with `resolution` "
                "or `channels`"
            )
    check_rms(settings.duplicate_rms)
    check_asked(settings.false_positive_rate)
    for name, count in (
        ("`positive_control`", settings.positive_control),
        ("`set_aside`", settings.set_aside),
    ):
        if count < 0:
            raise ConfigError(f"{name} is {count}; give 0 or more")
    if settings.set_aside and holdout is not None:
        raise ConfigError(
            "`set_aside` and `holdout` are two sources of one control; give one of them"
        )
    if settings.set_aside and settings.set_aside > len(training) - 2:
        raise ConfigError(
            f"`set_aside` is {settings.set_aside}, and `training` has {len(training)} items, of which "
            "at least two must remain"
        )
    if training.kind != "image":
        for name, wanted in (
            ("`invariances`", bool(settings.invariances.names)),
            ("`positive_control`", settings.positive_control > 0),
            ("`criteria` tiles", "tiles" in settings.criteria),
            ("`criteria` absolute", "absolute" in settings.criteria),
        ):
            if wanted:
                raise ConfigError(
                    f"{name} is for images, and `training` holds {kind_words(training)}; leave it out"
                )
    height, width = (training.shape[1:]) if training.kind == "image" else (99, 99)
    if settings.invariances.shift and min(height, width) < 5:
        raise ConfigError(
            f"`invariances` shift moves by up to 2 pixels, and the images have {width}x{height}; leave "
            "it out"
        )


def check_spaces(spaces: Sequence[Space], training: Dataset, settings: Settings) -> None:
    """Refuse spaces that do not fit the data or the other options."""
    if not spaces:
        raise ConfigError("an audit needs a space to measure in, such as `spaces` pixel")
    others = [space for space in spaces if space.kind != "images"]
    ours = own_space(training)
    for space in spaces:
        if ours is PIXEL and space in (COLUMNS, GOWER):
            raise ConfigError(
                f"`spaces` {space.name} is for tables, and `training` holds images; leave it out"
            )
        if space is GOWER and settings.duplicate_rms:
            raise ConfigError(
                "`duplicate_rms` is a radius in L2, and under `spaces` gower equal rows are duplicates; "
                "leave it out, or give `spaces` columns"
            )
    if training.kind != "image" and others:
        raise ConfigError(
            f"`spaces` {others[0].name} is for images, and `training` holds {kind_words(training)}; "
            "leave it out"
        )
    for name, wanted in (
        ("`invariances`", bool(settings.invariances.names)),
        ("`criteria` tiles", "tiles" in settings.criteria),
    ):
        if wanted and len(others) == len(spaces):
            raise ConfigError(f"{name} is for pixels; add `spaces` pixel, or leave it out")
    check_own(settings.own_thresholds, spaces)
    for space in others:
        space.check_size(training.items.shape)


def check_gate(
    limit: float | None, criterion: str, space: Space, own: Sequence[OwnThreshold]
) -> None:
    """Refuse a gate whose criterion has no verdicts in the space that it is held in, the first."""
    if limit is None:
        return
    if criterion == "tiles" and space.kind != "images":
        raise ConfigError(
            f"`fail_above` is held against the first `spaces`, and tiles are of pixels, not of "
            f"{space.name}; give `spaces` pixel first"
        )
    known = own_in(own, space) or absolute_in(space.name, space.source)
    if criterion == "absolute" and known is None:
        raise ConfigError(
            f"`fail_above` with `criteria` absolute: no threshold is known in `spaces` {space.name}; "
            "give one of your own, as absolute=NUMBER"
        )


def kind_words(dataset: Dataset) -> str:
    """Say what kind of items these are, in the plural."""
    return "series" if dataset.kind == "series" else f"{dataset.kind}s"


def _shape(dataset: Dataset) -> str:
    """Say an item's form as a person would."""
    if dataset.kind == "vector":
        return f"{dataset.shape[0]} numbers"
    if dataset.kind == "series":
        return f"{dataset.shape[1]} times in {dataset.shape[0]} channels"
    channels, height, width = dataset.shape
    return f"{width}x{height} pixels in {'grey' if channels == 1 else 'color'}"
