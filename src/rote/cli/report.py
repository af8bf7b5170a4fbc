"""`rote report`: rebuild the report of a run directory from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rote.cli import options
from rote.cli.app import command
from rote.cli.names import made_by


@command(example="rote report runs/emm")
@options.answers_in_time
def report(
    run: Annotated[
        Path,
        made_by(
            "`rote audit`, `rote emm`, `rote study`, `rote compare` or `rote train`",
            help="The --out folder of `rote emm`, `rote audit`, `rote study`, `rote compare` or `rote "
            "train`; or a folder of audits or of studies, for a page that leads to each.",
        ),
    ],
) -> None:
    """Write report.html of a run directory again, from its result files alone."""
    from rote.core.console import print_text
    from rote.report import write_report

    print_text(str(write_report(run)))
