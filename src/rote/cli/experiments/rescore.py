"""`rote rescore`: the EMM of a finished search under other definitions of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.experiments.through import ThroughAutoencoder, through
from rote.cli.names import criterion_names, made_by, named
from rote.cli.source import SourceOptions, load


@command(example="rote rescore runs/emm")
@takes_options
def rescore(
    *,
    search: Annotated[
        Path,
        made_by(
            "a finished `rote emm` or `rote study`",
            help="The --out of a finished `rote emm` or `rote study`.",
        ),
    ],
    criterion: Annotated[
        list[str] | None,
        named(
            "--criterion",
            criterion_names,
            "CRITERION",
            "{criteria}, or absolute=LEVELS. Repeatable. [default: all that fit the data]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="The data of the search. [default: the source it names]"),
    ] = None,
    quality: Annotated[
        bool,
        typer.Option("--quality/--no-quality", help="Measure quality beside the rates."),
    ] = True,
    ruler_resolution: Annotated[
        int | None,
        typer.Option(
            "--ruler-resolution",
            min=1,
            help="Scale samples and training sets down to this before they are measured.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="LEVELS",
            help="Give the ratio this median tolerance in every run, by a threshold for each.",
        ),
    ] = None,
    how: SourceOptions,
    through_autoencoder: ThroughAutoencoder = None,
    json: options.Json = False,
) -> None:
    """Score the saved samples of a search or study under other criteria, without training anything.

    Writes criteria.json into its folder: for each criterion the EMM with its interval, or the study's
    rates and differences, from the same runs; and the report again.
    """
    from rote.core.console import print_result, print_text, say
    from rote.experiments.presentation.rescore import emm_text
    from rote.experiments.rescore.rescore import rescore as run_rescore
    from rote.experiments.rescore.rescore import source_of
    from rote.report import write_report

    dataset = through(through_autoencoder, load(source_of(search) if data is None else data, how))
    with options.interruptible():
        rescored = run_rescore(
            search,
            data=dataset,
            criterion=criterion,
            quality=quality,
            ruler_resolution=ruler_resolution,
            tolerance=tolerance,
        )
    found = rescored.to_json()
    if json:
        print_result(found)
    elif rescored.is_study:
        show_effects(found)
    else:
        show_table(found)
        for entry in found["criteria"]:
            print_text(f"{entry['name']}: {emm_text(entry)}")
    say(f"report: {write_report(search)}")


def show_table(found: dict[str, Any]) -> None:
    """Print all criteria beside each other to stderr."""
    from rote.core.console import console, say, table
    from rote.experiments.presentation.rescore import emm_text
    from rote.stats.rates import Rate

    rows = []
    for entry in found["criteria"]:
        control = entry["control"]
        rows.append(
            [
                entry["name"],
                emm_text(entry),
                str(entry["runs"]),
                "none" if control is None else str(Rate.from_json(control["rate"])),
            ]
        )
    title = f"the EMM at epsilon {found['epsilon']:g} under each criterion, from the same runs"
    console.print(table(title, ["criterion", "EMM", "runs", "held-out items flagged"], rows))
    if found["left_out"]:
        say(
            f"{found['left_out']} of {len(found['runs'])} runs were ended early by the ratio's own rule "
            "and are left out of all criteria"
        )
    if found["chosen_by_ratio"]["snapshot"]:
        say("snapshots were chosen by the ratio; under another criterion another might be best")


def show_effects(found: dict[str, Any]) -> None:
    """Print each comparison of a study under every criterion, to stdout."""
    from rote.core.console import print_text, say
    from rote.experiments.presentation.rescore import effect_texts

    for entry in found["criteria"]:
        if entry["reason"]:
            say(f"{entry['name']}: {entry['reason']}")
        for text in effect_texts(entry):
            print_text(text)
