"""Refuses, before anything is measured, what an audit cannot do: by its options, its data, its spaces."""

from __future__ import annotations

from collections.abc import Sequence

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.memorization.audit.gate import check_limit
from rote.memorization.audit.options import AuditOptions, Settings
from rote.memorization.criteria import (
    CRITERIA,
    RatioCriterion,
    check_criteria,
    default_criteria,
)
from rote.memorization.criteria.user_threshold import check_own, read_criteria
from rote.memorization.duplicates import check_rms
from rote.memorization.invariances import OF_KIND, Invariances
from rote.metrics.quality import check_enough
from rote.spaces.space import GOWER, PIXEL, Space, own_space
from rote.stats.conformal import check_asked


def check_options(options: AuditOptions) -> None:
    """Refuse options that no data would make right.

    Raises
    ------
    ConfigError
        If one is out of range, unknown, or contradicts another.
    """
    RatioCriterion(options.ratio_threshold)
    check_limit(options.fail_above)
    check_limit(options.fail_above_groups, name="fail_above_groups")
    check_asked(options.false_positive_rate)
    invariances_of(options)
    check_criteria(read_criteria(options.criterion)[0] or ())
    if options.duplicate_rms is not None:
        check_rms(options.duplicate_rms)
    for name, count in (
        ("`positive_control`", options.positive_control),
        ("`set_aside`", options.set_aside),
        ("`training_sample`", options.training_sample),
    ):
        if count is not None and count < 0:
            raise ConfigError(f"{name} is {count}; give 0 or more")


def invariances_of(options: AuditOptions) -> Invariances:
    """Return the transforms that a match may undo."""
    given = options.invariances
    return Invariances.parse(given) if isinstance(given, str) else given


def chosen_criteria(names: Sequence[str] | None, *, controlled: bool) -> tuple[str, ...]:
    """Return the criteria to apply: None is the ratio, and the calibrated one where it can be."""
    if names is None:
        return default_criteria(controlled=controlled)
    chosen = check_criteria(names)
    for name in chosen:
        if CRITERIA[name].needs_holdout and not controlled:
            raise ConfigError(
                f"`criterion` {name} needs held-out images; give `holdout`, or `set_aside` to take some "
                "of `training`"
            )
    return chosen


def check_sides(
    generated: Dataset, training: Dataset, holdout: Dataset | None, settings: Settings
) -> None:
    """Refuse sides of different forms, and options that are not for this kind of data."""
    for name, side in (("`generated`", generated), ("`holdout`", holdout)):
        if side is not None and side.shape != training.shape:
            raise DataError(
                f"{name} {side.source} has items of {_shape(side)} and `training` "
                f"{training.source} of {_shape(training)}; {_to_one_form(side, training)}"
            )
        rates = [s.sample_rate for s in (side, training) if s is not None]
        if None not in rates and len(set(rates)) > 1:
            raise DataError(
                f"{name} has {rates[0]} samples a second and `training` {rates[1]}, so no copy would be "
                "found; bring both to one rate"
            )
    if settings.fail_above_groups is not None and training.groups is None:
        raise ConfigError(
            "`fail_above_groups` is of groups, and `training` has none; give `group_by`, or leave it out"
        )
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
            *((f"`criterion` {name}", CRITERIA[name].images_only) for name in settings.criteria),
        ):
            if wanted:
                raise ConfigError(
                    f"{name} is for images, and `training` holds {kind_words(training)}; leave it out"
                )
    for name in settings.invariances.names:
        if name not in OF_KIND[training.kind]:
            kinds = [f"{kind}s".replace("ss", "s") for kind, has in OF_KIND.items() if name in has]
            raise ConfigError(
                f"`invariances` {name} is for {' and '.join(kinds)}, and `training` holds "
                f"{kind_words(training)}; leave it out"
            )
    height, width = (training.shape[1:]) if training.kind == "image" else (99, 99)
    if settings.invariances.shift and min(height, width) < 5:
        raise ConfigError(
            f"`invariances` shift moves by up to 2 pixels, and the images have {width}x{height}; leave "
            "it out"
        )


def check_supplement(
    generated: Dataset, training: Dataset, holdout: Dataset | None, options: AuditOptions
) -> None:
    """Refuse what counts alone show to be impossible beside the rates."""
    held_out = options.set_aside if holdout is None else len(holdout)
    if options.population and not held_out:
        raise DataError(
            "`population` needs held-out items; give `holdout`, or `set_aside` to take some of "
            "`training`"
        )
    if options.quality:
        check_enough(
            len(generated), held_out or len(training), "holdout" if held_out else "training"
        )


def check_spaces(spaces: Sequence[Space], training: Dataset, settings: Settings) -> None:
    """Refuse spaces that do not fit the data or the other options."""
    if not spaces:
        raise ConfigError("an audit needs a space to measure in, such as `space` pixel")
    others = [space for space in spaces if space.kind != "images"]
    ours = own_space(training)
    for space in spaces:
        if ours is PIXEL and space.takes not in ("images", "volumes"):
            kind = "series" if space.takes == "series" else "tables"
            raise ConfigError(
                f"`space` {space.name} is for {kind}, and `training` holds {kind_words(training)}; leave "
                "it out"
            )
        if space is GOWER and settings.duplicate_rms:
            raise ConfigError(
                "`duplicate_rms` is a radius in L2, and under `space` gower equal rows are duplicates; "
                "leave it out, or give `space` columns"
            )
    own = {"volume": "volumes", "series": "series"}.get(training.kind)
    unfit = [space for space in others if own is None or space.takes != own]
    if training.kind != "image" and unfit:
        raise ConfigError(
            f"`space` {unfit[0].name} is for {unfit[0].takes}, and `training` holds "
            f"{kind_words(training)}; leave it out"
        )
    for name, wanted in (
        ("`invariances`", bool(settings.invariances.names)),
        *((f"`criterion` {name}", CRITERIA[name].pixels_only) for name in settings.criteria),
    ):
        if wanted and len(others) == len(spaces):
            raise ConfigError(f"{name} is for pixels; add `space` pixel, or leave it out")
    check_own(settings.own_thresholds, spaces)
    for space in others:
        space.check_size(training.items.shape)


def check_gate(settings: Settings, space: Space) -> None:
    """Refuse a gate whose criterion has no verdicts in the space that it is held in, the first."""
    if not settings.has_gate:
        return
    rule = CRITERIA[settings.gated].applied(settings.conditions(space))
    if rule is None:
        raise ConfigError(
            f"`fail_above` is held against the first `space`, and {settings.gated} is of pixels, not of "
            f"{space.name}; give `space` pixel first"
        )
    if rule.undecided and not rule.needs_holdout:
        raise ConfigError(
            f"`fail_above` with `criterion` {rule.name}: {rule.undecided} in `space` {space.name}"
        )


def _to_one_form(side: Dataset, training: Dataset) -> str:
    """Say what to do about sides of different forms."""
    kinds = {side.kind, training.kind}
    if kinds == {"image", "volume"}:
        return "`slices` takes images out of volumes"
    if len(kinds) > 1:
        return "give sides of one kind"
    if kinds == {"vector"}:
        return "give the same columns on both sides"
    if kinds == {"series"}:
        return "bring both to one length, of sound with `seconds`"
    if kinds == {"image"}:
        return "bring both to one form with `resolution` or `channels`"
    if sorted(side.shape[1:]) == sorted(training.shape[1:]):
        return (
            "their axes lie in another order: volumes are depth (feet to head), height (front to back) "
            "and width (right to left), as files of scans are turned, and arrays must lie so"
        )
    return "bring both to one form with `spacing` and `crop`"


def kind_words(dataset: Dataset) -> str:
    """Say what kind of items these are, in the plural."""
    return "series" if dataset.kind == "series" else f"{dataset.kind}s"


def spacing_words(training: Dataset, spacing: float) -> str:
    """Say at how many levels images or volumes lie apart, those of one group not counted."""
    kind = training.kind
    other = f"different {kind}" if training.groups is None else f"{kind} of another group"
    return f"the nearest {other} of a typical one lies at {spacing:.3g}"


def _shape(dataset: Dataset) -> str:
    """Say an item's form as a person would."""
    if dataset.kind == "vector":
        return f"{dataset.shape[0]} numbers"
    if dataset.kind == "series":
        channels, times = dataset.shape
        return f"{times} times in {channels} channel{'s' * (channels != 1)}"
    channels, *depth, height, width = dataset.shape
    if depth:
        return f"{depth[0]}x{height}x{width} voxels in {channels} channel{'s' * (channels != 1)}"
    return f"{width}x{height} pixels in {'grey' if channels == 1 else 'color'}"
