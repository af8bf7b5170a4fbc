"""`rote rescore`: the EMM of a finished search under other definitions of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.source import SourceOptions, load


@command(example="rote rescore runs/emm")
@takes_options
def rescore(
    *,
    search: Annotated[
        Path, typer.Argument(help="The --out of a finished `rote emm` or `rote study`.")
    ],
    criterion: Annotated[
        list[str] | None,
        typer.Option(
            "--criterion",
            metavar="CRITERION",
            help="{criteria}, or absolute=LEVELS. Repeatable. [default: all that fit the data]",
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
    json: options.Json = False,
) -> None:
    """Score the saved samples of a search or study under other criteria, without training anything.

    Writes criteria.json into its folder: for each criterion the EMM with its interval, or the study's
    rates and differences, from the same runs; and the report again.
    """
    from rote.core.atomic_files import read_json
    from rote.core.console import print_result, print_text, say
    from rote.core.errors import RunError
    from rote.core.progress.display import progress
    from rote.experiments.rescore.search import rescore as run_rescore
    from rote.experiments.rescore.study import rescore_study
    from rote.report import write_report

    study = (search / "study.json").is_file()
    if not study and not (search / "emm.json").is_file():
        raise RunError(
            f"{search} holds neither emm.json nor study.json; give the --out of a finished `rote emm` or "
            "`rote study`"
        )
    if data is None:
        data = str(read_json(search / ("study.json" if study else "emm.json"))["data"]["source"])
    dataset = load(data, how)
    with options.interruptible(), progress("runs scored again") as report:
        found = (rescore_study if study else run_rescore)(
            search,
            dataset,
            criteria=criterion or None,
            quality=quality,
            ruler_resolution=ruler_resolution,
            tolerance=tolerance,
            on_progress=report,
        )
    if json:
        print_result(found)
    elif study:
        show_effects(found)
    else:
        show_table(found)
        for entry in found["criteria"]:
            print_text(f"{entry['name']}: {emm_text(entry)}")
    say(f"report: {write_report(search)}")


def emm_text(entry: dict[str, Any]) -> str:
    """Say one criterion's EMM in a few words."""
    emm = entry["emm"]
    if emm is None:
        return str(entry["reason"])
    if emm["status"] == "bracketed":
        return f"EMM {emm['value']:.3g} [{emm['low']:.3g}, {emm['high']:.3g}]"
    if emm["status"] == "unknown":
        return "EMM not known: the runs do not lie on one falling curve"
    if emm["low"] is not None:
        return f"EMM above {emm['low']:.3g}"
    if emm["high"] is not None:
        return f"EMM below {emm['high']:.3g}"
    return "EMM beyond the sizes trained"


def show_table(found: dict[str, Any]) -> None:
    """Print all criteria beside each other to stderr."""
    from rote.core.console import console, say, table
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

    for entry in found["criteria"]:
        if entry["reason"]:
            say(f"{entry['name']}: {entry['reason']}")
        for effect in entry["effects"]:
            first, second, d = effect["first"], effect["second"], effect["difference"]
            print_text(
                f"{entry['name']}: {first['value']} - {second['value']} at {first['size']}: "
                f"{d['value']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]"
            )
