"""`rote emm`: search for the effective model memorization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app

if TYPE_CHECKING:
    from rote.studies.config import ExperimentConfig


@app.command()
def emm(
    out: options.Out,
    data: options.Data = "digits",
    preset: options.Preset = "tiny",
    epsilon: Annotated[
        float | None,
        typer.Option("--epsilon", help="The EMM is where the rate falls below 1 - epsilon."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Worker processes.")] = 1,
    resolution: options.Resolution = None,
    channels: options.Channels = None,
    skip_unreadable: options.SkipUnreadable = False,
    assignments: options.Set = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    dry_run: options.DryRun = False,
) -> None:
    """Find the EMM: the largest training-set size at which a model still only copies.

    Trains models of one configuration at several sizes, scores fresh samples of each against their
    training images, brackets the size where the rate of copies falls below 1 - epsilon, and writes
    emm.json and report.html. Run the same command again to resume.
    """
    from rote.core.console import print_result, print_text, say

    changes = list(assignments or [])
    if epsilon is not None:
        changes.append(f"search.epsilon={epsilon}")
    dataset = options.load(
        data, resolution=resolution, channels=channels, skip_unreadable=skip_unreadable
    )
    config = options.experiment(preset, kind=dataset.kind, assignments=changes)
    if dry_run:
        print_result(_plan(config, dataset_size=len(dataset), shape=dataset.shape, data=data))
        return
    from rote.cli.view import SearchDisplay
    from rote.report import write_report
    from rote.studies.search import estimate_emm

    device = options.resolve_device(device)
    with options.interruptible(), SearchDisplay(config.search.epsilon) as display:
        found = estimate_emm(
            dataset,
            config,
            out=out,
            seed=seed,
            workers=workers,
            device=device,
            preset=preset,
            on_view=display.show,
        )
    report = write_report(out)
    if json:
        print_result(found.to_json())
    else:
        print_text(found.sentence)
    say(f"report: {report}")


def _plan(
    config: ExperimentConfig, *, dataset_size: int, shape: tuple[int, ...], data: str
) -> dict[str, object]:
    """Return what a search would do, without doing it."""
    from rote.diffusion.preconditioning import build_denoiser
    from rote.studies.campaign import next_sizes, size_grid

    denoiser = build_denoiser(config.model, shape, label_count=0, seed=0)
    parameters = sum(p.numel() for p in denoiser.parameters())
    grid = size_grid(config.search, available=dataset_size)
    first = next_sizes([], config.search, grid)
    return {
        "data": {"source": data, "count": dataset_size, "shape": list(shape)},
        "parameters": parameters,
        "sizes": grid,
        "first_round": [
            {"size": size, "images_trained": config.train.total_images(size)} for size in first
        ],
        "config": config.model_dump(mode="json"),
    }
