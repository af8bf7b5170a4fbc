"""`rote compare`: the difference of two audits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.names import made_by


@command(example="rote compare audit-before audit-after")
@options.answers_in_time
def compare(
    first: Annotated[
        Path,
        made_by("a finished `rote audit`", help="The --out of one `rote audit`.", label="FIRST "),
    ],
    second: Annotated[
        Path, made_by("a finished `rote audit`", help="The --out of another.", label="SECOND ")
    ],
    criterion: Annotated[
        str, typer.Option("--criterion", help="Whose verdicts to compare.")
    ] = "ratio",
    paired: Annotated[
        bool,
        typer.Option(
            "--paired",
            help="Take image i of one for the partner of image i of the other (so it is by itself "
            "where both tell the same noise seeds).",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for compare.json and its page.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Say by how much the rates of two audits differ (first - second), with an interval."""
    from rote.core.console import console, print_result, print_text, say, table
    from rote.memorization.audit.compare import compare as run_compare

    found = run_compare(first, second, criterion=criterion, paired=paired)
    for warning in found.warnings:
        say(f"note: {warning}")
    if out is not None:
        from rote.report import write_report

        found.save(out, folders=(first, second))
        say(f"report: {write_report(out)}")
    if json:
        print_result(found.to_json())
        return
    rows = [[str(first), str(found.first)], [str(second), str(found.second)]]
    rows.append(["first - second", str(found.difference)])
    console.print(table(f"memorized by {criterion}", ["", ""], rows))
    if found.p_value is None:
        say(f"independent samples: {found.why}")
    else:
        say(
            f"paired: {found.why}; {found.first_only:,} memorized in the first alone, "
            f"{found.second_only:,} in the second alone (McNemar, exact: p = {found.p_value:.3g})"
        )
    print_text(f"difference {found.difference}")
