"""`rote train`, `rote sample` and `rote optimum`: make a model, draw from it, draw from the optimum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.model.gap import Holdout, held_out, show_table
from rote.cli.source import SourceOptions, describe_data, load
from rote.core.devices import resolve_device

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

SampleOut = Annotated[
    Path, typer.Option("--out", help="The npz file to write; of a table also a csv file.")
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many samples.")]
Size = Annotated[
    int | None, typer.Option("--size", min=1, help="Take a seeded subset of this many.")
]
First = Annotated[
    bool, typer.Option("--first", help="Let --size take the first ones of the source instead.")
]
# Wide tiles: every tile of samples reads all references once for each noise level.
OPTIMUM_TILE = 512


@app.command()
@takes_options
def train(
    *,
    out: options.Out,
    data: options.Data = "digits",
    size: Size = None,
    first: First = False,
    stratify: Annotated[
        bool, typer.Option("--stratify", help="Take the same number of each class.")
    ] = False,
    preset: options.Preset = "tiny",
    how: SourceOptions,
    assignments: options.Set = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="CPU threads; small networks want one.")
    ] = 1,
    gap: Annotated[
        bool, typer.Option("--gap", help="Log each snapshot's gap to the optimum in gap.json.")
    ] = False,
    holdout: Holdout = None,
    track: options.Track = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train one diffusion model into a run directory. Run it again to resume.

    On several GPUs: `accelerate launch -m rote train ...`, or torchrun.
    """
    from rote.core.console import print_result, print_text, progress, say
    from rote.core.errors import ConfigError
    from rote.core.trackers import check_tracker, tracker

    check_tracker(track)
    options.hush_all_but_first()
    dataset = load(data, how)
    config = options.experiment(preset, kind=dataset.kind, assignments=assignments)

    import torch  # after the data: it takes a second

    from rote.core.memory import keep_freed_memory
    from rote.data.convert import for_models
    from rote.diffusion.probes.gap_file import GapLog, complement
    from rote.diffusion.training.distributed import launched
    from rote.diffusion.training.loop import train as run_train

    device = resolve_device(device)
    keep_freed_memory()
    torch.set_num_threads(threads)  # the last bits of a sum depend on it, so it is an option
    whole, _ = for_models(dataset)
    taken = options.subset(whole, size, seed=None if first else seed, stratify=stratify)
    scaled = whole if size is None else whole.take(taken)
    total = config.train.total_images(len(scaled))
    log = None
    if gap:
        rest = held_out(holdout, whole, complement(whole, taken), how)
        log = GapLog(out, scaled, rest, seed=seed, device=device)
    elif holdout is not None:
        raise ConfigError("--holdout is what --gap is measured against; give --gap too, or drop it")
    if dry_run:
        from rote.diffusion.conditioning import conditioning
        from rote.diffusion.memory_estimate import footprint

        memory = footprint(
            config.model,
            config.train,
            shape=scaled.shape,
            label_count=conditioning(scaled, config.train, seed=seed).count,
            data=scaled.items.nbytes,
        )
        resolved = config.model_dump(mode="json", include={"model", "train"})
        told = {"data": describe_data(scaled), "images": total, "memory": memory.to_json()}
        print_result(told | {"config": resolved})
        return
    shown = config.model_dump(mode="json", include={"model", "train"})
    with (
        launched(device) as ranks,
        tracker(track if ranks.main else None, folder=out, run=out.name, config=shown) as show,
        options.StopFlag() as should_stop,
        progress() as bar,
    ):
        task = bar.add_task("images seen", total=total)
        for until in config.train.snapshots(len(scaled)) if gap else [total]:
            checkpoint = run_train(
                scaled,
                config.model,
                config.train,
                out=out,
                seed=seed,
                device=device,
                until=until,
                ranks=ranks,
                should_stop=should_stop,
                on_progress=lambda done, _: bar.update(task, completed=done),
                on_metrics=show,
                on_note=say,
            )
            found = log.update() if log and ranks.main else None
    if not ranks.main:
        return
    if found is not None:
        show_table(found)
    if json:
        print_result({"checkpoint": str(checkpoint.path), "images_seen": checkpoint.images_seen})
    else:
        print_text(str(checkpoint.path))


@app.command()
def sample(
    run: Annotated[Path, typer.Argument(help="A run directory or a snapshot file.")],
    out: SampleOut,
    count: Count = 64,
    weights: Annotated[str, typer.Option("--weights", help="ema or raw.")] = "ema",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Noise levels.")] = 18,
    solver: Annotated[str, typer.Option("--solver", help="heun or euler.")] = "heun",
    churn: Annotated[float, typer.Option("--churn", min=0, help="Noise added back.")] = 0.0,
    label: Annotated[
        int | None, typer.Option("--label", min=0, help="Condition on this label; else uniform.")
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Draw samples from a trained model into an npz file, or rows of a table into a csv file."""
    from typing import cast

    from rote.cli.model.drawing import draw
    from rote.core.config import parse_config
    from rote.core.errors import ConfigError
    from rote.diffusion.checkpoint import Weights, load_checkpoint
    from rote.diffusion.config import SampleConfig

    values = {"steps": steps, "solver": solver, "churn": churn}
    config = parse_config(SampleConfig, values, where="rote sample")
    checkpoint = load_checkpoint(run)
    _check_out(out, table=bool((checkpoint.facts["scaling"] or {}).get("schema")))
    if weights not in ("ema", "raw"):
        raise ConfigError(f"--weights {weights} is unknown; choose ema or raw")
    if label is not None and not checkpoint.label_count:
        raise ConfigError(f"--label {label}: this model is unconditional; drop the flag")
    if label is not None and label >= checkpoint.label_count:
        raise ConfigError(
            f"--label {label}: this model has labels 0 to {checkpoint.label_count - 1}"
        )
    drawn = draw(
        checkpoint,
        count,
        seed=seed,
        device=resolve_device(device),
        config=config,
        weights=cast("Weights", weights),
        label=label,
    )
    _write(out, drawn)


@app.command()
@takes_options
def optimum(
    *,
    out: SampleOut,
    data: options.Data = "digits",
    size: Size = None,
    first: First = False,
    count: Count = 64,
    how: SourceOptions,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Draw from the theoretical optimum of a training set, which can only copy, and score it."""
    from dataclasses import replace

    import numpy as np

    from rote.core.console import print_result, print_text, progress
    from rote.core.seeds import child_seed
    from rote.data.convert import as_items, for_models, in_own_units
    from rote.diffusion.config import SampleConfig
    from rote.diffusion.optimal_denoiser import OptimalDenoiser
    from rote.diffusion.sample import sample as run_sample
    from rote.memorization.audit.audit import run_audit
    from rote.memorization.audit.options import RATIO_ONLY

    device = resolve_device(device)
    dataset = load(data, how)
    _check_out(out, table=dataset.schema is not None)
    scaled, _ = for_models(dataset)
    if size is not None:
        scaled = scaled.take(options.subset(scaled, size, seed=None if first else seed))
    seeds = [child_seed(seed, "sample", number) for number in range(count)]
    with options.interruptible(), progress() as bar:
        task = bar.add_task("samples", total=count)
        drawn = run_sample(
            OptimalDenoiser(scaled, device=device),
            seeds,
            shape=scaled.shape,
            config=SampleConfig(tile=OPTIMUM_TILE),
            device=device,
            on_progress=lambda done, _: bar.update(task, completed=done),
        )
    copies = as_items(drawn, scaled, source="theoretical optimum")
    found = run_audit(copies, scaled, replace(RATIO_ONLY, device=device))
    own = replace(copies, items=in_own_units(copies), scaling=None)
    _write(out, replace(own, seeds=np.array(seeds, np.int64)))
    if json:
        print_result(found.to_json())
    else:
        print_text(f"memorization rate of the theoretical optimum {found.rate}")


def _check_out(path: Path, *, table: bool) -> None:
    """Refuse a name that says no format in which samples are written, before they are drawn."""
    from rote.core.errors import ConfigError

    if path.suffix == ".csv" and not table:
        raise ConfigError(
            f"--out {path}: only rows of a table are written as csv; give an npz file"
        )
    if path.suffix not in (".npz", ".csv"):
        raise ConfigError(f"--out {path}: give the name of an npz file, such as samples.npz")


def _write(path: Path, drawn: Dataset) -> None:
    from rote.core.atomic_files import write_lines, write_npz
    from rote.core.console import say
    from rote.data.files.arrays import arrays_of
    from rote.data.tables.files import csv_lines

    if path.suffix == ".csv":
        write_lines(path, csv_lines(drawn))
    else:
        write_npz(path, arrays_of(drawn))
    say(f"wrote {len(drawn)} to {path}")
