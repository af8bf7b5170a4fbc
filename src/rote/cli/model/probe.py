"""What the commands that look into a finished run share: its snapshot and the two sides of its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rote.cli import options
from rote.cli.source import SourceOptions, load
from rote.core.errors import ConfigError

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.diffusion.checkpoint import Checkpoint, Weights

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

    data: options.Data = "digits"
    holdout: Holdout = None
    how: SourceOptions
    weights: options.WeightsName = "ema"
    sigmas: Annotated[str, typer.Option("--sigmas", help="Noise levels, with commas between.")] = (
        "0.1,0.2,0.4,0.8,1.6"
    )

    @property
    def of_weights(self) -> Weights:
        """Which weights of a snapshot are looked into."""
        return cast("Weights", self.weights)

    def levels(self) -> tuple[float, ...]:
        """Return the noise levels."""
        try:
            return tuple(float(part) for part in self.sigmas.split(","))
        except ValueError:
            raise ConfigError(
                f"--sigmas {self.sigmas}: give numbers with commas between, as 0.4,0.8"
            ) from None

    def open(self, run: Path, *, seed: int) -> tuple[Checkpoint, Dataset, Dataset]:
        """Return the newest snapshot of a run, the items it was trained on, and held-out ones.

        Raises
        ------
        ConfigError
            If there is no such run, or nothing was held out.
        DataError
            If the data is not that of the run.
        """
        from rote.core.atomic_files import read_json
        from rote.data.convert import for_models
        from rote.diffusion.checkpoint import load_checkpoint
        from rote.diffusion.probes.gap_file import complement, find_subset

        if not run.is_dir():
            raise ConfigError(f"{run} is not a directory; give the --out of `rote train`")
        checkpoint = load_checkpoint(run)
        scaled, _ = for_models(load(self.data, self.how))
        count = read_json(run / "config.json")["dataset"]["count"]
        taken = find_subset(
            scaled, checkpoint, count=count, seeds=sorted({seed, checkpoint.facts["seed"]})
        )
        rest = held_out(self.holdout, scaled, complement(scaled, taken), self.how)
        return checkpoint, scaled.take(taken), rest


def held_out(
    source: str | None,
    dataset: Dataset,
    rest: Dataset,
    how: SourceOptions,
) -> Dataset:
    """Return the held-out side: a source of its own, or the rest of the data.

    Raises
    ------
    ConfigError
        If the whole source was trained on and no other one is given, or vectors would need its scaling.
    """
    if source is None:
        if not len(rest):
            raise ConfigError(
                "all of --data was trained on, so nothing stands for the population; give --holdout "
                "SOURCE, or train on a part of it with --size"
            )
        return rest
    if dataset.kind != "image":
        raise ConfigError(
            "--holdout: vectors are scaled by the columns of their own source; train on a part of "
            "--data with --size, and its rest is the held-out side"
        )
    return load(source, how, flag="--holdout", like=dataset)
