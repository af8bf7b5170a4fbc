"""`rote audit`: two sources of images in, the rate of copies out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app

if TYPE_CHECKING:
    from rote.data.dataset import ImageDataset


@app.command()
def audit(
    generated: Annotated[str, typer.Option("--generated", help="The images a model made.")],
    training: Annotated[str, typer.Option("--training", help="The images it was trained on.")],
    holdout: Annotated[
        str | None,
        typer.Option("--holdout", help="Real images it was not trained on, as a control."),
    ] = None,
    ratio_threshold: Annotated[
        float, typer.Option("--ratio-threshold", help="Memorized: nn1 < threshold * nn2.")
    ] = 1 / 3,
    resolution: options.Resolution = None,
    channels: options.Channels = None,
    skip_unreadable: options.SkipUnreadable = False,
    device: options.Device = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for audit.json, pairs.csv and the report.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Find which generated images are copies of training images, and what share."""
    from rote.core.console import console, print_result, print_text, progress, say, table
    from rote.memorization.criteria import RatioCriterion

    criterion = RatioCriterion(ratio_threshold)

    def load(source: str) -> ImageDataset:
        return options.load(
            source, resolution=resolution, channels=channels, skip_unreadable=skip_unreadable
        )

    sides = [load(source) for source in (generated, training, holdout) if source is not None]

    from rote.data.convert import Scaling  # after the data: torch takes a second to import
    from rote.memorization.audit import audit as run_audit

    device = options.resolve_device(device)
    if all(side.kind == "vector" and side.shape == sides[1].shape for side in sides):
        scaling = Scaling.fit(sides[1].images)
        sides = [scaling.apply(side) for side in sides]
    with options.interruptible(), progress() as bar:
        task = bar.add_task("nearest training images", total=len(sides[0]))
        found = run_audit(
            sides[0],
            sides[1],
            holdout=sides[2] if holdout is not None else None,
            criterion=criterion,
            device=device,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        from rote.report import write_report

        found.save(out)
        say(f"report: {write_report(out)}")
    if json:
        print_result(found.to_json())
        return
    coverage, duplicates = found.coverage(), found.duplicates.to_json()
    rows = [
        ["memorization rate", str(found.rate)],
        ["control: held-out images", str(found.control) if found.control else "none given"],
        ["distinct training images copied", str(coverage["distinct_references"])],
        [
            "exact duplicates in training",
            f"{duplicates['images']} in {duplicates['groups']} groups",
        ],
    ]
    console.print(
        table(f"{len(sides[0])} generated against {len(sides[1])} training", ["", ""], rows)
    )
    print_text(f"memorization rate {found.rate}")
