"""The options of `rote audit` that say what to measure: those of `AuditOptions`, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.names import criterion_names, named, space_names
from rote.cli.source import SourceOptions
from rote.cli.values import rate
from rote.memorization.audit.options import AuditOptions

RULE = "folder|label|caption|FILE.csv|COLUMN|REGEX|none"


@dataclass(frozen=True)
class AuditFlags:
    """What to measure, and how sources are read."""

    set_aside: Annotated[
        int,
        typer.Option(
            "--set-aside",
            help="Without --holdout: take this many random training images out of the references "
            "and use them as the control (copies of them are then missed).",
        ),
    ] = AuditOptions.set_aside
    criterion: Annotated[
        list[str] | None,
        named(
            "--criterion",
            criterion_names,
            "CRITERION",
            "{criteria}; the ratio is always there. Repeatable; the gate is held against the "
            "first. A threshold of your own: absolute=NUMBER, or absolute:SPACE=NUMBER with several "
            "spaces.",
        ),
    ] = None
    space: Annotated[
        list[str] | None,
        named(
            "--space",
            space_names,
            "SPACE",
            "Where distances are taken: {spaces}, or module:function. Repeatable; rate and gate are "
            "those of the first. [default: pixel, of vectors columns, of mixed tables gower]",
        ),
    ] = None
    ruler_resolution: Annotated[
        int | None,
        typer.Option(
            "--ruler-resolution",
            min=1,
            help="Bring all images to this height and width before they are measured.",
        ),
    ] = AuditOptions.ruler_resolution
    through_autoencoder: Annotated[
        str | None,
        typer.Option(
            "--through-autoencoder",
            help="For latent models: a diffusers AutoencoderKL (folder or repository) that training "
            "and held-out images go through first.",
        ),
    ] = AuditOptions.through_autoencoder
    ratio_threshold: Annotated[
        float,
        typer.Option(
            "--ratio-threshold", help="Memorized: nn1 < threshold * nn2.", show_default="1/3"
        ),
    ] = AuditOptions.ratio_threshold
    false_positive_rate: Annotated[
        float,
        rate("--false-positive-rate", "What the calibrated ratio is set to."),
    ] = AuditOptions.false_positive_rate
    duplicate_rms: Annotated[
        float | None,
        typer.Option(
            "--duplicate-rms",
            help="Images this near to each other (RMS difference, in 8-bit levels) are duplicates; "
            "0: exact ones only. [default: 0.23 of the spacing of the training images; 0 for vectors]",
        ),
    ] = AuditOptions.duplicate_rms
    invariances: Annotated[
        str,
        typer.Option(
            "--invariances",
            metavar="flip,shift,tone",
            help="Match over these or some of them; shift takes 25 searches. Of series: shift,gain,"
            "polarity.",
        ),
    ] = str(AuditOptions.invariances)
    positive_control: Annotated[
        int | None,
        typer.Option(
            "--positive-control",
            help="Training items to degrade per corruption and strength; 0: none. [default: 100, "
            "down to 25 of large images, or all where there are fewer]",
        ),
    ] = AuditOptions.positive_control
    fail_above: Annotated[
        float | None,
        rate(
            "--fail-above",
            "Exit 3 if the whole interval lies above this rate, 4 if it cannot be decided.",
        ),
    ] = AuditOptions.fail_above
    seed: options.Seed = AuditOptions.seed
    how: SourceOptions = field(default_factory=SourceOptions)  # here for its place in --help
    device: options.SearchDevice = AuditOptions.device
    quality: Annotated[
        bool,
        typer.Option(
            "--quality",
            help="Fréchet distance, precision, recall, density and coverage beside the rates.",
        ),
    ] = AuditOptions.quality
    population: Annotated[
        bool,
        typer.Option(
            "--population", help="Definitions over whole sets, too; they need held-out images."
        ),
    ] = AuditOptions.population
    group_by: Annotated[
        str | None,
        typer.Option(
            "--group-by",
            metavar=RULE,
            help="Which training and held-out items are of one patient, household or person: copies are "
            "told by the nearest item of another, and rates count groups. A REGEX is matched on names.",
        ),
    ] = AuditOptions.group_by
    fail_above_groups: Annotated[
        float | None,
        rate(
            "--fail-above-groups",
            "As --fail-above, of the share of the groups of --group-by that are reproduced.",
        ),
    ] = AuditOptions.fail_above_groups
    cluster_by: Annotated[
        str | None,
        typer.Option(
            "--cluster-by",
            metavar=RULE,
            help="Which generated items were drawn together: rates of each, and intervals (and the gate) "
            "with it as the unit.",
        ),
    ] = AuditOptions.cluster_by
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions",
            help="Captions of --generated: rows of file_name and text, or COCO. [default: what lies "
            "among its files]",
        ),
    ] = AuditOptions.captions

    def asked(self) -> AuditOptions:
        """Return what is asked for."""
        given: dict[str, Any] = {
            each.name: getattr(self, each.name) for each in fields(self) if each.name != "how"
        }
        return AuditOptions(
            **given
            | {
                "space": tuple(self.space) if self.space else AuditOptions.space,
                "criterion": tuple(self.criterion) if self.criterion else AuditOptions.criterion,
            }
        )
