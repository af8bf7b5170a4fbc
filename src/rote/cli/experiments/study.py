"""`rote study`: a factor of the paper as one command; all of them; what is there; how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.experiments import engines
from rote.cli.source import ImageOptions, load

if TYPE_CHECKING:
    from rote.data.dataset import Dataset

# Peak float32 rates without TF32, in TFLOP/s, as the vendors state them; others are given as a number.
GPU_TFLOPS = {"v100": 15.7, "a100": 19.5, "rtx4090": 82.6, "h100": 66.9, "h200": 66.9}
UTILIZATION = 0.4


@app.command()
@takes_options
def study(
    *,
    name: Annotated[
        str, typer.Argument(help="A study of `rote study list`; or list, all, status.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of `rote study status`.")
    ] = None,
    data: options.Data = "digits",
    scale: Annotated[str, typer.Option("--scale", help="smoke, cpu or paper.")] = "cpu",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results.")] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--value", help="Train this value beside the baseline; may be repeated."),
    ] = None,
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="Sizes of the training set, such as 32,64.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Runs per value and size.")
    ] = None,
    second: Annotated[
        str | None, typer.Option("--second", help="A second source, for the study of diversity.")
    ] = None,
    workers: engines.Workers = None,
    engine: engines.EngineName = "local",
    ray_address: engines.RayAddress = None,
    gpus_per_run: engines.GpusPerRun = None,
    track: options.Track = None,
    how: ImageOptions,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    gpu: Annotated[
        str, typer.Option("--gpu", help="For --dry-run at paper scale: a GPU, or its TFLOP/s.")
    ] = "a100",
    json: options.Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print runs, FLOPs and time, and stop.")
    ] = False,
) -> None:
    """Run a study of the paper: what changes how much a model memorizes.

    `rote study list` names all studies. `rote study width --out DIR` trains every value several times,
    compares them with intervals, and writes study.json and report.html; run it again to resume, or with
    more --value, --sizes or --seeds to extend it. `rote study all --out DIR` runs all of them.
    """
    from rote.core.errors import ConfigError

    if name == "list":
        _list(as_json=json)
        return
    if name == "status":
        if folder is None:
            raise ConfigError("give the folder: `rote study status DIR`")
        _status(folder, as_json=json)
        return
    if folder is not None:
        raise ConfigError(f"'{folder}' is one argument too many; give the folder as --out {folder}")
    from rote.core.trackers import check_tracker
    from rote.experiments.scales import scale as named_scale
    from rote.experiments.studies.factor import factor_names, load_factor

    named_scale(scale)
    check_tracker(track)
    count, ray, device = engines.resolve_engine(
        engine,
        workers=workers,
        ray_address=ray_address,
        gpus_per_run=gpus_per_run,
        device=device,
    )
    names = factor_names() if name == "all" else [load_factor(name).name]
    if name == "all" and (values or sizes):
        raise ConfigError("--value and --sizes are for one study; give its name in place of all")
    numbers = None if sizes is None else _numbers(sizes)
    if dry_run:
        _tflops(gpu)
    dataset = _load(data, how, only_plan=dry_run)
    other = None
    if second is not None:
        other = load(second, how, flag="--second")
    if name == "all":
        names = _possible(names, dataset, other, scale=scale)
    if dry_run:
        _plan(names, dataset, other, scale, seed, seeds, values, numbers, count, gpu, as_json=json)
        return
    if out is None:
        raise ConfigError("give the folder of the results with --out")
    from rote.cli.experiments.study_view import StudyDisplay
    from rote.core.console import print_result, print_text, say
    from rote.experiments.studies.study import StudyOptions, StudyResult, run_studies
    from rote.report import write_report

    whole = name == "all"
    found: list[StudyResult] = []

    def finished(result: StudyResult) -> None:
        found.append(result)
        write_report(out / result.name if whole else out)
        say(f"{result.name}: {result.sentence}")

    with options.interruptible(), StudyDisplay() as display:
        run_studies(
            names,
            dataset,
            StudyOptions(
                scale, seed=seed, seeds=seeds, values=values, sizes=numbers, device=device
            ),
            outs=[out / each for each in names] if whole else [out],
            runs=out / "runs",
            second=other,
            workers=count,
            ray=ray,
            on_view=display.show,
            on_note=say,
            track=track,
            on_study=finished,
        )
    report = write_report(out)
    if json:
        print_result(
            {"studies": [result.to_json() for result in found]} if whole else found[0].to_json()
        )
    else:
        for result in found:
            print_text(f"{result.name}: {result.sentence}" if whole else result.sentence)
    say(f"report: {report}")


def _load(data: str, how: ImageOptions, *, only_plan: bool) -> Dataset:
    """Load the data; to plan runs of CIFAR-10, its shape is enough, and nothing is fetched."""
    from rote.core.cache_folder import cache_folder
    from rote.core.console import say
    from rote.data.named import cifar10

    if only_plan and data == "cifar10" and not cifar10.is_fetched(cache=cache_folder()):
        say("cifar10 is not here yet: the plan is made from its number and shape")
        return cifar10.outline(resolution=how.resolution, channels=how.channels)
    return load(data, how)


def _numbers(text: str) -> list[int]:
    from rote.core.errors import ConfigError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) >= 2 for part in parts):
        raise ConfigError(f"--sizes '{text}': give whole numbers from 2, such as 32,64")
    return [int(part) for part in parts]


def _list(*, as_json: bool) -> None:
    from rote.core.console import print_result, print_table, table
    from rote.experiments.studies.factor import factor_names, load_factor

    factors = [load_factor(name) for name in factor_names()]
    if as_json:
        print_result(
            {
                "studies": [
                    {
                        "name": factor.name,
                        "group": factor.group,
                        "question": factor.question,
                        "paper": factor.finding,
                        "source": factor.source,
                        "keeps": factor.keeps,
                        "values": {s: list(d.values) for s, d in factor.designs.items()},
                    }
                    for factor in factors
                ]
            }
        )
        return
    rows = [[f.name, f.group, f.question, ", ".join(f.designs["cpu"].values)] for f in factors]
    built = table("studies", ["name", "group", "question", "values at cpu scale"], rows)
    for column in built.columns:
        column.justify = "left"
    print_table(built)


def _status(folder: Path, *, as_json: bool) -> None:
    from rote.core.console import print_result, print_table, table
    from rote.core.errors import RunError
    from rote.experiments.studies.status import study_states

    states = study_states(folder)
    if not states:
        raise RunError(f"{folder} holds no study; give the --out of `rote study`")
    if as_json:
        print_result({"studies": states})
        return
    rows = [
        [
            state["study"],
            f"{state['finished']} of {state['runs']}",
            ", ".join(state["active"]) or ("done" if state["done"] else "waiting"),
            "" if state["seconds_left"] is None else f"about {_time(state['seconds_left'])}",
            state["sentence"] or "",
        ]
        for state in states
    ]
    built = table("studies", ["study", "runs", "at work", "left", "result"], rows)
    for column in (built.columns[2], built.columns[4]):
        column.justify = "left"
    print_table(built)


def _possible(
    names: list[str], dataset: Dataset, second: Dataset | None, *, scale: str
) -> list[str]:
    """Return the studies that this data allows; say why the others are left out."""
    from rote.core.console import say
    from rote.core.errors import RoteError
    from rote.data.convert import for_models
    from rote.experiments.studies.plan import plan_study, source_of

    source, kept = source_of(for_models(dataset)[0], second), []
    for name in names:
        try:
            plan_study(name, source, scale_name=scale, runs=Path())
        except RoteError as error:
            say(f"{name}: left out ({error})")
        else:
            kept.append(name)
    return kept


def _plan(
    names: list[str],
    dataset: Dataset,
    second: Dataset | None,
    scale: str,
    seed: int,
    seeds: int | None,
    values: list[str] | None,
    sizes: list[int] | None,
    workers: int,
    gpu: str,
    *,
    as_json: bool,
) -> None:
    """Print what the studies would cost."""
    from rote.core.console import print_result, print_table, print_text, table
    from rote.data.convert import for_models
    from rote.experiments.studies.cost import price
    from rote.experiments.studies.plan import plan_study, source_of

    source = source_of(for_models(dataset)[0], second)
    plans = [
        plan_study(
            name,
            source,
            scale_name=scale,
            runs=Path(),
            seed=seed,
            seeds=seeds,
            values=values,
            sizes=sizes,
        )
        for name in names
    ]
    flops_per_second = None if scale != "paper" else 1e12 * UTILIZATION * _tflops(gpu)
    found: dict[str, Any] = price(plans, source, flops_per_second=flops_per_second)
    total_seconds = found["total"]["seconds"] / workers
    found["total"]["workers"] = workers
    found["total"]["elapsed_seconds"] = round(total_seconds, 1)
    if flops_per_second is not None:
        found["gpu"] = {"name": gpu, "tflops": _tflops(gpu), "utilization": UTILIZATION}
    if as_json:
        print_result(found)
        return
    rows = [
        [
            row["study"],
            f"{row['runs']:,}",
            f"{row['new_runs']:,}",
            f"{row['images_trained']:,}",
            f"{row['flops']:.3g}",
            _time(row["seconds"]),
        ]
        for row in [*found["studies"], {"study": "all", **found["total"]}]
    ]
    columns = ["study", "runs", "of its own", "images trained on", "FLOP", "time of one worker"]
    print_table(table(f"plan at {scale} scale", columns, rows))
    if flops_per_second is not None:
        print_text(f"one {gpu} at {_tflops(gpu):g} TFLOP/s (float32), {UTILIZATION:.0%} of it used")
    print_text(f"with {workers} workers: about {_time(total_seconds)}")


def _tflops(gpu: str) -> float:
    from rote.core.errors import ConfigError, did_you_mean

    if gpu.lower() in GPU_TFLOPS:
        return GPU_TFLOPS[gpu.lower()]
    try:
        value = float(gpu)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            f"--gpu {gpu} is unknown{did_you_mean(gpu, GPU_TFLOPS)}; or give its TFLOP/s as a number"
        )
    return value


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min"
