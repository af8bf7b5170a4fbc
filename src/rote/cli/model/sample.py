"""`rote sample`: draw from a trained model, or from a pipeline of diffusers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import refuse_given, takes_options
from rote.cli.model.pipeline_options import PipelineOptions
from rote.cli.model.samples import check_file, write_samples
from rote.cli.values import choice
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError
from rote.data.ahead.existing import PIPELINE, near

if TYPE_CHECKING:
    from rote.diffusion.checkpoint import Weights

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
STEPS, COUNT = 18, 64


@dataclass(frozen=True)
class DrawOptions:
    """How a model of `rote train` is drawn from."""

    weights: options.WeightsName = "ema"
    solver: Annotated[str, choice("--solver", ("heun", "euler"), "The integrator.")] = "heun"
    churn: Annotated[float, typer.Option("--churn", min=0, help="Noise added back.")] = 0.0
    label: Annotated[
        int | None,
        typer.Option(
            "--label", min=0, help="Condition on this label; else uniform over those trained on."
        ),
    ] = None
    spreadsheet: options.Spreadsheet = False


@command(
    example="rote sample runs/mine --count 100 --out samples/\n"
    "rote sample PIPELINE --prompts train/ --control-prompts new.txt --out new/"
)
@takes_options
def sample(
    *,
    run: Annotated[
        str,
        typer.Argument(
            help="A run directory, a snapshot file, or a pipeline of diffusers (a folder, or a name of "
            "the hub)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="A new folder for PNG files, with a contact sheet beside it; or an npz file, of a table "
            "also a csv file. Of a pipeline a folder, whose images are completed.",
        ),
    ],
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            min=1,
            help="How many samples [default: 64]; of a pipeline images of each set of prompts, in place "
            "of --per-caption.",
        ),
    ] = None,
    how: DrawOptions,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Noise levels. [default: 18, or the pipeline's own number]"
        ),
    ] = None,
    pipeline: PipelineOptions,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Of a pipeline: say images, steps, memory and time, and stop."
        ),
    ] = False,
) -> None:
    """Draw samples from a trained model, or images of prompts from a pipeline of diffusers."""
    path = Path(run).expanduser()
    of_hub = pipeline.prompts is not None and REPOSITORY.fullmatch(run)
    if not path.exists() and not of_hub:
        raise ConfigError(
            f"{run} does not exist{near(path)}; give the --out of `rote train`, or a pipeline of "
            "diffusers with --prompts"
        )
    if (path / PIPELINE).exists() or not path.exists():
        refuse_given(how, f"is for a model of `rote train`, and {run} is a pipeline")
        if dry_run:
            _print_cost(run, pipeline, count, steps=steps, device=device)
            return
        _sample_pipeline(run, pipeline, count, out=out, steps=steps, seed=seed, device=device)
        return
    of_pipelines = f"is for a pipeline of diffusers, and {run} has no {PIPELINE}"
    if dry_run:
        raise ConfigError(f"--dry-run {of_pipelines}")
    refuse_given(pipeline, f"{of_pipelines}; leave it out")
    _sample_run(path, how, count or COUNT, out=out, steps=steps or STEPS, seed=seed, device=device)


def _print_cost(
    name: str, how: PipelineOptions, count: int | None, *, steps: int | None, device: str
) -> None:
    from rote.core.console import print_text
    from rote.diffusion.pipelines.cost import pipeline_cost

    how.check()
    sets = how.sets(count).asked(seed=0)
    cost = pipeline_cost(
        name,
        images=sum(map(len, sets.values())),
        guidance=how.guidance,
        steps=steps,
        dtype=how.dtype,
        device=resolve_device(device),
    )
    for line in cost.sentences():
        print_text(line)


def _sample_run(
    run: Path, how: DrawOptions, count: int, *, out: Path, steps: int, seed: int, device: str
) -> None:
    from rote.cli.model.drawing import draw
    from rote.core.config import parse_config
    from rote.core.console import say
    from rote.data.dataset import kind_of_shape
    from rote.diffusion.checkpoint import load_checkpoint
    from rote.diffusion.config import SampleConfig

    values = {"steps": steps, "solver": how.solver, "churn": how.churn}
    config = parse_config(SampleConfig, values, where="rote sample")
    checkpoint = load_checkpoint(run)
    check_file(
        out,
        kind=kind_of_shape(checkpoint.shape),
        table=bool((checkpoint.facts["scaling"] or {}).get("schema")),
    )
    label = how.label
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
        weights=cast("Weights", how.weights),
        label=label,
    )
    write_samples(out, drawn, spreadsheet=how.spreadsheet)


def _sample_pipeline(
    name: str,
    how: PipelineOptions,
    count: int | None,
    *,
    out: Path,
    steps: int | None,
    seed: int,
    device: str,
) -> None:
    from rote.core.console import say
    from rote.core.run_folder import check_writable
    from rote.diffusion.pipelines.folder import sample_pipeline

    how.check()
    sets = how.sets(count)
    _ = sets.texts  # a prompt file that is not there is said before weights are read
    if out.suffix:
        raise ConfigError(
            f"--out {out}: images of a pipeline are PNG files; give the name of a folder"
        )
    check_writable(out)
    with options.interruptible():
        opened = how.opened(name, device=device)
        sample_pipeline(opened, sets, out=out, guidance=how.guidance, steps=steps, seed=seed)
    counts = {folder: len(images) for folder, images in sets.asked(seed=seed).items()}
    parts = ", ".join(f"{count:,} in {out / folder}" for folder, count in counts.items())
    say(f"images: {parts}")
    say(
        f"which are copies: rote audit {out} TRAINING --resolution {opened.size} "
        f"--through-autoencoder {name}"
    )
