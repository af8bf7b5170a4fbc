"""What the commands that look into a finished run share: its snapshot and the two sides of its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.command import given_options
from rote.cli.names import made_by
from rote.cli.source import SourceOptions, load
from rote.cli.values import choice
from rote.core.devices import DEVICES

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

Holdout = Annotated[
    str | None,
    typer.Option(
        "--holdout",
        help="Images that were not trained on; None: the rest of --data.",
        show_default=False,
    ),
]


TheRun = Annotated[Path, made_by("`rote train`", help="The --out folder of `rote train`.")]
TheSeed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="Root seed of all randomness. [default: the training's]"),
]
TheDevice = Annotated[
    str | None,
    choice(
        "--device", DEVICES, "Where to compute. [default: cpu if the training was there, or auto]"
    ),
]


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """What a run was trained on, and where it is looked into."""

    data: Annotated[
        str | None,
        typer.Option("--data", help="The data of the run. [default: the source it names]"),
    ] = None
    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout",
            help="Images that were not trained on. [default: the training's, or the rest of its data]",
        ),
    ] = None
    how: SourceOptions
    weights: options.WeightsName = "ema"
    sigmas: Annotated[str, typer.Option("--sigmas", help="Noise levels, with commas between.")] = (
        "0.1,0.2,0.4,0.8,1.6"
    )

    def levels(self) -> tuple[float, ...]:
        """Return the noise levels."""
        from rote.diffusion.probes.sides import read_sigmas

        return read_sigmas(self.sigmas)

    def sides(self, run: Path) -> dict[str, Any]:
        """Return the data of a run and its held-out side, each None where the run has its own."""
        from rote.diffusion.probes.sides import data_of_run, told_of_run

        told, given, data = told_of_run(run), given_options(self.how), None
        how = SourceOptions(**(told.read or {}) | given)
        if self.data is not None or given:
            data = load(self.data or told.source, how)
        if data is not None and self.data is None:
            data = replace(data, source=told.called)
        if self.holdout is None:
            return {"data": data}
        data = data or data_of_run(run)
        return {"data": data, "holdout": load_holdout(self.holdout, data, how)}


def load_holdout(source: str, dataset: Dataset, how: SourceOptions) -> Dataset | str:
    """Load the held-out side of a data set, at its size; what is no image is left to the workflow."""
    if not dataset.in_levels:
        return source
    _, *sizes = dataset.shape
    if dataset.kind == "image" and how.resolution is None and len(set(sizes)) == 1:
        how = replace(how, resolution=sizes[0])
    return load(source, how, flag="--holdout", like=dataset)
