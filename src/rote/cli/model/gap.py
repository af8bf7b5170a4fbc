"""`rote gap`: how far each snapshot of a run is from the optimum of its training set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.source import SourceOptions, load
from rote.core.devices import resolve_device

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

SHOWN = 0.8
"""The noise level of the one line on stdout, where it was measured."""

Holdout = Annotated[
    str | None,
    typer.Option(
        "--holdout",
        help="Images that were not trained on; None: the rest of --data.",
        show_default=False,
    ),
]


@app.command()
@takes_options
def gap(
    *,
    run: Annotated[Path, typer.Argument(help="The --out folder of `rote train`.")],
    data: options.Data = "digits",
    holdout: Holdout = None,
    how: SourceOptions,
    weights: Annotated[str, typer.Option("--weights", help="ema or raw.")] = "ema",
    sigmas: Annotated[
        str, typer.Option("--sigmas", help="Noise levels, with commas between.")
    ] = "0.1,0.2,0.4,0.8,1.6",
    points: Annotated[
        int, typer.Option("--points", min=2, help="Noisy images per noise level.")
    ] = 512,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Measure the gap to the theoretical optimum at each snapshot, without sampling, into gap.json."""
    from typing import cast

    from rote.core.atomic_files import read_json
    from rote.core.console import print_result, progress
    from rote.core.errors import ConfigError
    from rote.data.convert import for_models
    from rote.diffusion.checkpoint import Weights, load_checkpoint
    from rote.diffusion.probes.gap_file import GapLog, complement, find_subset

    if weights not in ("ema", "raw"):
        raise ConfigError(f"--weights {weights} is unknown; choose ema or raw")
    levels = parse_levels(sigmas)
    if not run.is_dir():
        raise ConfigError(f"{run} is not a directory; give the --out of `rote train`")
    checkpoint = load_checkpoint(run)
    dataset = load(data, how)
    scaled, _ = for_models(dataset)
    count = read_json(run / "config.json")["dataset"]["count"]
    taken = find_subset(
        scaled, checkpoint, count=count, seeds=sorted({seed, checkpoint.facts["seed"]})
    )
    rest = held_out(holdout, scaled, complement(scaled, taken), how)
    log = GapLog(
        run,
        scaled.take(taken),
        rest,
        seed=seed,
        weights=cast("Weights", weights),
        sigmas=levels,
        points=points,
        device=resolve_device(device),
    )
    with options.interruptible(), progress() as bar:
        task = bar.add_task("snapshots", total=None)
        found = log.update(lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        print_result(found)
    else:
        show_table(found)
        _print_last(found)


def parse_levels(text: str) -> tuple[float, ...]:
    """Read noise levels with commas between."""
    from rote.core.errors import ConfigError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--sigmas {text}: give numbers with commas between, as 0.4,0.8"
        ) from None


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
    from rote.core.errors import ConfigError

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
    return load(source, how, flag="--holdout")


def show_table(found: dict[str, Any]) -> None:
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
