"""`rote gap`: how far each snapshot of a run is from the optimum of its training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.model.probe import ProbeOptions
from rote.core.devices import resolve_device

SHOWN = 0.8
"""The noise level of the one line on stdout, where it was measured."""


@command(example="rote gap runs/mine")
@takes_options
def gap(
    *,
    run: Annotated[Path, typer.Argument(help="The --out folder of `rote train`.")],
    probe: ProbeOptions,
    points: Annotated[
        int, typer.Option("--points", min=2, help="Noisy images per noise level.")
    ] = 512,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Measure the gap to the theoretical optimum at each snapshot, without sampling, into gap.json."""
    from rote.core.console import print_result
    from rote.core.progress.display import progress
    from rote.diffusion.probes.gap_file import GapLog

    levels = probe.levels()
    _, trained, rest = probe.open(run, seed=seed)
    log = GapLog(
        run,
        trained,
        rest,
        seed=seed,
        weights=probe.of_weights,
        sigmas=levels,
        points=points,
        device=resolve_device(device),
    )
    with options.interruptible(), progress("snapshots measured") as report:
        found = log.update(report)
    if json:
        print_result(found)
    else:
        show_gaps(found)
        _print_last(found)


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


def _print_last(found: dict[str, Any]) -> None:
    """Print the last snapshot's gap at the sigma nearest `SHOWN` to stdout."""
    from rote.core.console import print_text

    sigmas = found["sigmas"]
    last = found["snapshots"][-1]
    place = min(range(len(sigmas)), key=lambda k: abs(sigmas[k] - SHOWN))
    value, low, high = (last[key][place] for key in ("gap", "low", "high"))
    interval = "" if value is None else f" [{low:.4g}, {high:.4g}]"
    print_text(
        f"gap at sigma {sigmas[place]:g} after {last['images_seen']:,} images seen: "
        f"{_cell(value)}{interval}"
    )


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
