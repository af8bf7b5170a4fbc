"""`rote train`: one diffusion model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import given_options, takes_options
from rote.cli.model.gap import show_gaps
from rote.cli.model.probe import Holdout, load_holdout
from rote.cli.source import SourceOptions, describe_data, load
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rote.data.dataset import Dataset
    from rote.diffusion.probes.gap_file import GapLog
    from rote.experiments.config import ExperimentConfig


@dataclass(frozen=True)
class GapOptions:
    """Whether the gap to the optimum is measured as well, and against what."""

    gap: Annotated[
        bool, typer.Option("--gap", help="Log each snapshot's gap to the optimum in gap.json.")
    ] = False
    holdout: Holdout = None

    def log(
        self,
        out: Path,
        whole: Dataset,
        taken: npt.NDArray[np.int64],
        how: SourceOptions,
        *,
        seed: int,
        device: str,
    ) -> GapLog | None:
        """Return what measures the gap of a run on the ``taken`` items, if that is asked for."""
        from rote.diffusion.probes.gap_file import GapLog, complement
        from rote.diffusion.probes.sides import held_out

        if self.gap:
            given = None if self.holdout is None else load_holdout(self.holdout, whole, how)
            rest = held_out(given, whole, complement(whole, taken))
            return GapLog(out, whole.take(taken), rest, seed=seed, device=device)
        if self.holdout is not None:
            raise ConfigError(
                "--holdout is what --gap is measured against; give --gap too, or drop it"
            )
        return None


Threads = Annotated[
    int, typer.Option("--threads", min=1, help="CPU threads; small networks want one.")
]


@command(example="rote train photos/ --resolution 32 --preset small --out runs/mine")
@takes_options
def train(
    *,
    out: options.Out,
    data: options.PlacedData = "digits",
    subset: options.SubsetOptions,
    stratify: Annotated[
        bool, typer.Option("--stratify", help="Take the same number of each class.")
    ] = False,
    preset: options.Preset = "tiny",
    how: SourceOptions,
    run: options.RunOptions,
    threads: Threads = 1,
    probe: GapOptions,
    track: options.Track = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train one diffusion model into a run directory. Run it again to resume.

    On several GPUs: `accelerate launch -m rote train ...`, or torchrun.
    """
    from rote.core.console import print_result, print_text, say
    from rote.core.progress.display import progress
    from rote.core.trackers import check_tracker, tracker

    check_tracker(track)
    options.hush_all_but_first()
    dataset = load(data, how)
    config = run.config(preset, kind=dataset.kind)

    import torch  # after the data: it takes a second

    from rote.core.memory import keep_freed_memory
    from rote.data.convert import for_models
    from rote.diffusion.training.distributed import launched
    from rote.diffusion.training.loop import train as run_train

    device = resolve_device(run.device)
    keep_freed_memory()
    torch.set_num_threads(threads)  # the last bits of a sum depend on it, so it is an option
    whole, _ = for_models(dataset)
    taken = subset.positions(whole, seed=run.seed, stratify=stratify)
    scaled = whole if subset.size is None else whole.take(taken)
    total = config.train.total_images(len(scaled))
    log = probe.log(out, whole, taken, how, seed=run.seed, device=device)
    if dry_run:
        print_result(_plan(config, scaled, seed=run.seed, device=device))
        return
    shown = config.model_dump(mode="json", include={"model", "train"})
    with (
        launched(device) as ranks,
        tracker(track if ranks.main else None, folder=out, run=out.name, config=shown) as show,
        options.StopFlag() as should_stop,
        progress("images seen", total) as report,
    ):
        remember = _remembering(out, data, how, probe.holdout, main=ranks.main)
        for until in config.train.snapshots(len(scaled)) if log else [total]:
            checkpoint = run_train(
                scaled,
                config.model,
                config.train,
                out=out,
                seed=run.seed,
                device=device,
                until=until,
                ranks=ranks,
                should_stop=should_stop,
                on_progress=lambda done, _: report(remember(done), total),
                on_metrics=show,
                on_note=say,
            )
            found = log.update() if log and ranks.main else None
    remember(total)
    if not ranks.main:
        return
    if found is not None:
        show_gaps(found)
    if json:
        print_result({"checkpoint": str(checkpoint.path), "images_seen": checkpoint.images_seen})
    else:
        print_text(str(checkpoint.path))


def _remembering(
    out: Path, data: str, how: SourceOptions, holdout: str | None, *, main: bool
) -> Callable[[int], int]:
    """Return what writes, once the run is there, what `rote gap` and `rote membership` are to read again.

    It takes the images seen and gives them back.
    """
    from rote.core.run_folder import add_facts

    facts = {"source": data, "folder": str(Path.cwd()), "read": given_options(how)}
    told = facts if holdout is None else facts | {"holdout": holdout}
    write = functools.cache(functools.partial(add_facts, out, {"data": told}))

    def remember(done: int) -> int:
        if main:
            write()
        return done

    return remember


def _plan(config: ExperimentConfig, dataset: Dataset, *, seed: int, device: str) -> dict[str, Any]:
    """Return what a training would be and take, by a few of its steps."""
    from rote.diffusion.conditioning import conditioning
    from rote.diffusion.memory_estimate import footprint
    from rote.experiments.run.speed import seconds_per_image

    labels, images = (
        conditioning(dataset, config.train, seed=seed).count,
        config.train.total_images(len(dataset)),
    )
    memory = footprint(
        config.model,
        config.train,
        shape=dataset.shape,
        label_count=labels,
        data=dataset.items.nbytes,
    )
    return {
        "data": describe_data(dataset),
        "images": images,
        "seconds": round(
            images
            * seconds_per_image(
                config.model, config.train, dataset.shape, label_count=labels, device=device
            ),
            1,
        ),
        "memory": memory.to_json(),
        "config": config.model_dump(mode="json", include={"model", "train"}),
    }
