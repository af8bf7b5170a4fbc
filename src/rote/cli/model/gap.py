"""`rote gap`: how far each snapshot of a run is from the optimum of its training set."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.model.probe import ProbeOptions, TheDevice, TheRun, TheSeed


@command(example="rote gap runs/mine")
@takes_options
def gap(
    *,
    run: TheRun,
    probe: ProbeOptions,
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            min=2,
            help="Noisy images per noise level; 512 if not given, of large items fewer.",
        ),
    ] = None,
    seed: TheSeed = None,
    device: TheDevice = None,
    json: options.Json = False,
) -> None:
    """Measure the gap to the theoretical optimum at each snapshot, without sampling, into gap.json."""
    from rote.core.console import print_result, print_text
    from rote.diffusion.probes.gap_of_run import gap as measure

    levels = probe.levels()
    with options.interruptible():
        found = measure(
            run,
            **probe.sides(run),
            weights=probe.weights,
            sigmas=levels,
            points=points,
            seed=seed,
            device=device,
        )
    if json:
        print_result(found.to_json())
    else:
        show_gaps(found.to_json())
        print_text(found.sentences()[0])


def show_gaps(found: dict[str, Any]) -> None:
    """Print the curves as a table to stderr."""
    from rote.core.console import console, table

    rows = [
        [f"{entry['images_seen']:,}", *(_cell(value) for value in entry["gap"])]
        for entry in found["snapshots"]
    ]
    columns = ["images seen", *(f"sigma {sigma:g}" for sigma in found["sigmas"])]
    title = "gap to the optimum of the training set (0: copies, 1: like unseen images)"
    console.print(table(title, columns, rows))


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
