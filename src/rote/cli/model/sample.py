"""`rote sample`: draw from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.model.samples import Count, SamplesFile, check_file, write_samples
from rote.cli.names import made_by
from rote.cli.values import choice
from rote.core.devices import resolve_device

if TYPE_CHECKING:
    from rote.diffusion.checkpoint import Weights


@command(example="rote sample runs/mine --count 100 --out samples/")
def sample(
    run: Annotated[Path, made_by("`rote train`", help="A run directory or a snapshot file.")],
    out: SamplesFile,
    count: Count = 64,
    weights: options.WeightsName = "ema",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Noise levels.")] = 18,
    solver: Annotated[str, choice("--solver", ("heun", "euler"), "The integrator.")] = "heun",
    churn: Annotated[float, typer.Option("--churn", min=0, help="Noise added back.")] = 0.0,
    label: Annotated[
        int | None,
        typer.Option(
            "--label", min=0, help="Condition on this label; else uniform over those trained on."
        ),
    ] = None,
    spreadsheet: options.Spreadsheet = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Draw samples from a trained model: PNG files, an npz file, or rows of a table."""
    from rote.cli.model.drawing import draw
    from rote.core.config import parse_config
    from rote.core.console import say
    from rote.core.errors import ConfigError
    from rote.data.dataset import kind_of_shape
    from rote.diffusion.checkpoint import load_checkpoint
    from rote.diffusion.config import SampleConfig

    values = {"steps": steps, "solver": solver, "churn": churn}
    config = parse_config(SampleConfig, values, where="rote sample")
    checkpoint = load_checkpoint(run)
    check_file(
        out,
        kind=kind_of_shape(checkpoint.shape),
        table=bool((checkpoint.facts["scaling"] or {}).get("schema")),
    )
    if label is not None and not checkpoint.label_count:
        raise ConfigError(f"--label {label}: this model is unconditional; drop the flag")
    if label is not None and label >= checkpoint.label_count:
        raise ConfigError(
            f"--label {label}: this model has labels 0 to {checkpoint.label_count - 1}"
        )
    if label in checkpoint.unused_labels:
        say(f"--label {label}: no training image has this label, so the model never learned it")
    drawn = draw(
        checkpoint,
        count,
        seed=seed,
        device=resolve_device(device),
        config=config,
        weights=cast("Weights", weights),
        label=label,
    )
    write_samples(out, drawn, spreadsheet=spreadsheet)
