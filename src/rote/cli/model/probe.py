"""What the commands that look into a finished run share: its snapshot and the two sides of its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.source import SourceOptions, load

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


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """What a run was trained on, and where it is looked into."""

    data: Annotated[
        str | None,
        typer.Option("--data", help="The data of the run. [default: the source it names]"),
    ] = None
    holdout: Holdout = None
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

        data = None
        if self.data is not None or self.how != SourceOptions():
            data = load(self.data or told_of_run(run)["source"], self.how)
        if self.holdout is None:
            return {"data": data}
        data = data or data_of_run(run)
        return {"data": data, "holdout": load_holdout(self.holdout, data, self.how)}


def load_holdout(source: str, dataset: Dataset, how: SourceOptions) -> Dataset | str:
    """Load the held-out side of a data set, at its size; what is no image is left to the workflow."""
    if dataset.kind != "image":
        return source
    _, height, width = dataset.shape
    if how.resolution is None and height == width:
        how = replace(how, resolution=height)
    return load(source, how, flag="--holdout", like=dataset)
