"""`rote study`: a factor of the paper as one command; all of them; what is there; how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.experiments.engines import EngineOptions
from rote.cli.experiments.study_tables import (
    show_plan,
    show_results,
    show_states,
    show_studies,
)
from rote.cli.experiments.through import ThroughAutoencoder, through
from rote.cli.experiments.trainer_options import ToldTrainerOptions
from rote.cli.names import study_name
from rote.cli.source import SourceOptions, check_source, load
from rote.cli.values import choice
from rote.core.errors import ConfigError

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.experiments.trainers.config import TrainerConfig


@dataclass(frozen=True)
class StudyFlags:
    """What is studied, and on what."""

    data: options.Data = "digits"
    scale: Annotated[
        str,
        choice(
            "--scale", ("smoke", "cpu", "paper"), "How large models, trainings and studies are."
        ),
    ] = "cpu"
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results.")] = None
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--value", metavar="VALUE", help="Train this value beside the baseline. Repeatable."
        ),
    ] = None
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="Sizes of the training set, such as 32,64.")
    ] = None
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Runs per value and size.")
    ] = None
    second: Annotated[
        str | None, typer.Option("--second", help="A second source, for the study of diversity.")
    ] = None
    through_autoencoder: ThroughAutoencoder = None

    def folder(self) -> Path:
        """Return --out, which only --dry-run goes without."""
        if self.out is None:
            raise ConfigError("give the folder of the results with --out")
        return self.out

    def numbers(self) -> list[int] | None:
        """Return --sizes as numbers."""
        if self.sizes is None:
            return None
        parts = [part.strip() for part in self.sizes.split(",")]
        if not all(part.isdigit() and int(part) >= 2 for part in parts):
            raise ConfigError(f"--sizes '{self.sizes}': give whole numbers from 2, such as 32,64")
        return [int(part) for part in parts]


Name = Annotated[
    str,
    study_name(
        "A study of `rote study list`, a TOML file, list, all or status.",
        others=("list", "all", "status"),
    ),
]


@command(example="rote study list\nrote study width --scale smoke --out runs/width")
@takes_options
def study(
    *,
    name: Name,
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of `rote study status`.")
    ] = None,
    study: StudyFlags,
    told: ToldTrainerOptions,
    engine: EngineOptions,
    how: SourceOptions,
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
    """Run a study, of the paper or of one's own: what changes how much a model memorizes.

    `rote study list` names all studies. `rote study width --out DIR` trains every value several times,
    compares them with intervals, and writes study.json and report.html; run it again to resume, or with
    more --value, --sizes or --seeds to extend it. `rote study all --out DIR` runs all of them.
    """
    if _was_asked(name, folder, as_json=json):
        return
    check_source(study.data)
    from rote.core.trackers import check_tracker
    from rote.experiments.scales import scale as named_scale

    named_scale(study.scale)
    check_tracker(engine.track)
    workers, ray, device = engine.resolve(device)
    trainer = told.config()
    if dry_run:
        from rote.experiments.studies.cost import gpu_tflops

        gpu_tflops(gpu)
    names, dataset, second = _choose(name, study, how, trainer, only_plan=dry_run)
    if dry_run:
        found = _price(names, study, dataset, second, trainer, seed=seed, workers=workers, gpu=gpu)
        show_plan(found, scale=study.scale, as_json=json)
        return
    out, whole = study.folder(), name == "all"
    from rote.cli.experiments.study_view import StudyDisplay
    from rote.core.console import say
    from rote.experiments.studies.result import StudyResult
    from rote.experiments.studies.study import StudyOptions, run_studies
    from rote.report import write_report

    results: list[StudyResult] = []

    def finished(result: StudyResult) -> None:
        results.append(result)
        write_report(out / result.name if whole else out)
        say(f"{result.name}: {result.sentence}")

    with options.interruptible(), StudyDisplay() as display:
        run_studies(
            names,
            dataset,
            StudyOptions(
                study.scale,
                seed=seed,
                seeds=study.seeds,
                values=study.values,
                sizes=study.numbers(),
                device=device,
                trainer=trainer,
            ),
            outs=[out / each for each in names] if whole else [out],
            runs=out / "runs",
            second=second,
            workers=workers,
            ray=ray,
            on_view=display.show,
            on_note=say,
            track=engine.track,
            on_study=finished,
        )
    report = write_report(out)
    show_results(results, whole=whole, as_json=json)
    say(f"report: {report}")


def _was_asked(name: str, folder: Path | None, *, as_json: bool) -> bool:
    """Answer `rote study list` and `rote study status`; say whether it was one of them."""
    if name == "list":
        show_studies(as_json=as_json)
    elif name == "status":
        if folder is None:
            raise ConfigError("give the folder: `rote study status DIR`")
        show_states(folder, as_json=as_json)
    elif folder is not None:
        raise ConfigError(f"'{folder}' is one argument too many; give the folder as --out {folder}")
    return name in ("list", "status")


def _choose(
    name: str,
    study: StudyFlags,
    how: SourceOptions,
    trainer: TrainerConfig | None,
    *,
    only_plan: bool,
) -> tuple[list[str], Dataset, Dataset | None]:
    """Return the studies of a name, their data, and their second source."""
    from rote.experiments.studies.factor import factor_names, load_factor

    names = factor_names() if name == "all" else [load_factor(name).name]
    if name == "all" and (study.values or study.sizes):
        raise ConfigError("--value and --sizes are for one study; give its name in place of all")
    study.numbers()  # before the data, which may take long
    dataset = through(study.through_autoencoder, _load(study.data, how, only_plan=only_plan))
    second = None
    if study.second is not None:
        like = dataset if dataset.kind == "image" else None
        second = load(study.second, how, flag="--second", like=like)
        second = through(study.through_autoencoder, second)
    if name == "all":
        names = _possible(names, dataset, second, trainer, scale=study.scale)
    return names, dataset, second


def _load(data: str, how: SourceOptions, *, only_plan: bool) -> Dataset:
    """Load the data; to plan runs of CIFAR-10, its shape is enough, and nothing is fetched."""
    from rote.core.cache_folder import cache_folder
    from rote.core.console import say
    from rote.data.named import cifar10

    if only_plan and data == "cifar10" and not cifar10.is_fetched(cache=cache_folder()):
        say("cifar10 is not here yet: the plan is made from its number and shape")
        return cifar10.outline(resolution=how.resolution, channels=how.channels)
    return load(data, how)


def _possible(
    names: list[str],
    dataset: Dataset,
    second: Dataset | None,
    trainer: TrainerConfig | None,
    *,
    scale: str,
) -> list[str]:
    """Return the studies that data and trainer allow; say why the others are left out."""
    from rote.core.console import say
    from rote.core.errors import RoteError
    from rote.data.convert import for_models
    from rote.experiments.studies.factor import load_factor, works_with_trainer
    from rote.experiments.studies.plan import plan_study, source_of

    if trainer is not None:
        refused = [name for name in names if not works_with_trainer(load_factor(name))]
        say(f"left out, since a trainer decides itself what they vary: {', '.join(refused)}")
        names = [name for name in names if name not in refused]
    source, kept = source_of(for_models(dataset)[0], second), []
    for name in names:
        try:
            plan_study(name, source, scale_name=scale, runs=Path(), trainer=trainer)
        except RoteError as error:
            say(f"{name}: left out ({error})")
        else:
            kept.append(name)
    return kept


def _price(
    names: list[str],
    study: StudyFlags,
    dataset: Dataset,
    second: Dataset | None,
    trainer: TrainerConfig | None,
    *,
    seed: int,
    workers: int,
    gpu: str,
) -> dict[str, Any]:
    """Return what the studies would cost; at paper scale, on GPUs of that name."""
    from rote.data.convert import for_models
    from rote.experiments.studies.cost import counted, price
    from rote.experiments.studies.plan import plan_study, source_of

    source = source_of(for_models(dataset)[0], second)
    plans = [
        plan_study(
            name,
            source,
            scale_name=study.scale,
            runs=Path(),
            seed=seed,
            seeds=study.seeds,
            values=study.values,
            sizes=study.numbers(),
            trainer=trainer,
        )
        for name in names
    ]
    if trainer is not None:
        runs = None if study.out is None else study.out / "runs"
        return counted(plans, workers=workers, runs=runs)
    return price(plans, source, workers=workers, gpu=gpu if study.scale == "paper" else None)
