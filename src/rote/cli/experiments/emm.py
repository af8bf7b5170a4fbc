"""`rote emm`: search for the effective model memorization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.experiments import engines
from rote.cli.source import SourceOptions, load
from rote.core.errors import ConfigError
from rote.core.trackers import check_tracker

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.experiments.config import ExperimentConfig

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command()
@takes_options
def emm(
    *,
    out: options.Out,
    data: options.Data = "digits",
    preset: options.Preset = "tiny",
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            help="The EMM is where the rate falls below 1 - epsilon. [default: the preset's]",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            help="How narrow the interval must be, as a share of the EMM to both sides. [default: the "
            "preset's]",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="IMAGES|TIME",
            help="Begin no new round beyond this many training images (2e6) or this time (20m, 2h).",
        ),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            min=1,
            help="Fewest runs of the size nearest the EMM. [default: the preset's]",
        ),
    ] = None,
    workers: engines.Workers = None,
    engine: engines.EngineName = "local",
    ray_address: engines.RayAddress = None,
    gpus_per_run: engines.GpusPerRun = None,
    track: options.Track = None,
    how: SourceOptions,
    assignments: options.Set = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    dry_run: options.DryRun = False,
) -> None:
    """Find the EMM: the largest training-set size at which a model still only copies.

    Trains models of one configuration at several sizes, several times where it matters, scores fresh
    samples of each against their training images, and stops when the size at which the rate of copies
    falls below 1 - epsilon is known to the tolerance. Writes emm.json and report.html. Run the same
    command again to resume; ask a finished search for another epsilon and it answers at once.
    """
    from rote.core.console import print_result, print_text, say

    engines.check_engine(engine)
    check_tracker(track)
    dataset = load(data, how)
    if epsilon is not None and not 0 < epsilon < 1:
        raise ConfigError(
            f"--epsilon is {epsilon:g}; it must lie strictly between 0 and 1 (the paper's is 0.1)"
        )
    if tolerance is not None and not 0 < tolerance < float("inf"):
        raise ConfigError(
            f"--tolerance is {tolerance:g}; it is a share of the EMM, above 0: 0.1 asks for an interval "
            "of a tenth of it to both sides"
        )
    changes = [*(assignments or []), *_settings(epsilon, tolerance, budget, replicates)]
    config = options.experiment(preset, kind=dataset.kind, assignments=changes)
    if dry_run:
        print_result(_plan(config, dataset, data=data))
        return
    from rote.cli.experiments.emm_view import SearchDisplay
    from rote.core.atomic_files import read_json
    from rote.experiments.search.search import estimate_emm
    from rote.report import write_report

    count, ray, device = engines.resolve_engine(
        engine,
        workers=workers,
        ray_address=ray_address,
        gpus_per_run=gpus_per_run,
        device=device,
    )
    with options.interruptible(), SearchDisplay(config.search) as display:
        found = estimate_emm(
            dataset,
            config,
            out=out,
            seed=seed,
            workers=count,
            ray=ray,
            device=device,
            preset=preset,
            on_view=display.show,
            on_note=say,
            track=track,
        )
    report = write_report(out)
    if json:
        print_result(found.to_json())
    else:
        print_text(found.sentence)
    searched = read_json(out / "emm.json")["epsilon"]
    if searched != config.search.epsilon:
        say(f"from the runs of a search for epsilon {searched:g}, which {out} and its report keep")
    say(f"report: {report}")


def _settings(
    epsilon: float | None, tolerance: float | None, budget: str | None, replicates: int | None
) -> list[str]:
    """Return the options as `--set` would say them."""
    values = {"epsilon": epsilon, "tolerance": tolerance, "replicates": replicates}
    changes = [f"search.{key}={value}" for key, value in values.items() if value is not None]
    return changes + ([] if budget is None else [_budget(budget)])


def _budget(text: str) -> str:
    """Read a budget: a number of images, or a number with a unit of time.

    >>> _budget("2e6"), _budget("20m"), _budget("1.5h")
    ('search.budget_images=2000000', 'search.budget_seconds=1200.0', 'search.budget_seconds=5400.0')
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf") or (not unit and value < 1):
        raise ConfigError(
            f"--budget {text!r} is no budget; give a number of training images (2e6), or a time "
            "(90s, 20m, 2h, 1d)"
        )
    if unit:
        return f"search.budget_seconds={value * UNITS[unit]}"
    return f"search.budget_images={int(value)}"


def _plan(config: ExperimentConfig, dataset: Dataset, *, data: str) -> dict[str, object]:
    """Return what a search would do, without doing it."""
    from rote.diffusion.memory_estimate import footprint
    from rote.diffusion.preconditioning import build_denoiser
    from rote.emm.acquisition import next_runs
    from rote.experiments.search.sizes import search_sizes

    def cost(size: int) -> float:
        return float(config.train.total_images(size))

    denoiser = build_denoiser(config.model, dataset.shape, label_count=0, seed=0)
    parameters = sum(p.numel() for p in denoiser.parameters())
    grid = search_sizes(dataset, config.search)
    search = config.search
    first = next_runs(
        [],
        grid=grid,
        cost=cost,
        epsilon=search.epsilon,
        tolerance=search.tolerance,
        start=search.start,
        points_per_round=search.points_per_round,
    )
    return {
        "data": {"source": data, "count": len(dataset), "shape": list(dataset.shape)},
        "parameters": parameters,
        "memory": footprint(config.model, config.train, shape=dataset.shape).to_json(),
        "sizes": grid,
        "first_round": [
            {"size": size, "replicate": number, "images_trained": int(cost(size))}
            for size, number in first.runs
        ],
        "config": config.model_dump(mode="json"),
    }
