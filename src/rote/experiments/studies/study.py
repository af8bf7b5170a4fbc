"""`run_study`: every run of a factor, and what they say together. `run_studies` for several at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json, write_text
from rote.core.console import say
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError
from rote.core.run_folder import Run, check_bound
from rote.core.trackers import check_tracker, prepare_tracker
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.sides import as_dataset
from rote.experiments.execution.engine import RayOptions
from rote.experiments.execution.open import open_engine
from rote.experiments.run.run import execute
from rote.experiments.run.spec import RunSpec
from rote.experiments.run.status import read_notes
from rote.experiments.studies.factor import is_own, load_factor
from rote.experiments.studies.layout import OWN, SHARED, earlier, own_file, runs_of
from rote.experiments.studies.plan import Plan, Source, plan_study, source_of
from rote.experiments.studies.result import StudyResult
from rote.experiments.studies.result_file import findings
from rote.experiments.studies.view import StudyView, shown_studies, views_of
from rote.experiments.trainers.config import Setting as TrainerSetting
from rote.experiments.trainers.config import TrainerConfig, resolved
from rote.experiments.trainers.protocol import Trainer
from rote.results.schema import write_result
from rote.results.study import PlanFile, StudyFile


@dataclass(frozen=True)
class StudyOptions:
    """What decides the runs of studies besides the data; see `run_study`."""

    scale: str
    seed: int = 0
    seeds: int | None = None
    values: Sequence[str] | None = None
    sizes: Sequence[int] | None = None
    device: str = "cpu"
    trainer: TrainerConfig | None = None
    """Who trains in place of rote."""


def run_study(
    name: str,
    dataset: Any,
    *,
    scale: str,
    out: str | Path,
    second: Any = None,
    seed: int = 0,
    seeds: int | None = None,
    values: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    trainer: Trainer | TrainerConfig | str | None = None,
    settings: Mapping[str, TrainerSetting] | None = None,
    workers: int = 1,
    ray: RayOptions | None = None,
    device: str = "auto",
    on_view: Callable[[list[StudyView]], None] | None = None,
    on_note: Callable[[str], None] = say,
    track: str | None = None,
) -> StudyResult:
    """Run one study: every value of a factor, trained several times, compared with the baseline.

    Every run has its own directory under ``out/runs``, named by the digest of its inputs. The same call
    carries on after any interruption; with more ``values``, ``sizes`` or ``seeds`` it trains what is
    missing and keeps what was there.

    Parameters
    ----------
    name
        The factor, such as "width" (`rote study list`), or the path of a file of one's own.
    dataset
        The source of the training sets: images, or vectors in their own units, as `rote.load_images`
        takes them or loaded.
    scale
        "smoke", "cpu" or "paper".
    out
        Folder of the study, of its own or one of several that `run_studies` made.
    second
        A second source for the study of diversity.
    seed
        Root seed.
    seeds
        Runs per value and size; None: those of the scale.
    values, sizes
        What to train beside the baseline; None: what the factor's file says.
    trainer
        Who trains in place of rote, as `rote.estimate_emm` takes it. Studies of the data work with it,
        and files of one's own that vary its settings.
    settings
        What the trainer is told, by name, beside what the study varies.
    workers
        Worker processes; changes nothing but the time.
    ray
        Runs on Ray; None: on worker processes here. Changes nothing but the time.
    device
        "cpu", "cuda" or "auto".
    on_view
        Called several times a second with the state of the runs; None: a bar shows it.
    on_note
        Called with what a person should know, such as a worker that was lost.
    track
        "tensorboard", "wandb" or "mlflow": shows every training there.

    Raises
    ------
    RunError, DataError, ConfigError
        One line each: what was wrong, where, what to do.
    """
    here = callable(trainer) and workers == 1 and ray is None
    folder = Path(out)
    options = StudyOptions(
        scale,
        seed=seed,
        seeds=seeds,
        values=values,
        sizes=sizes,
        device=resolve_device(device),
        trainer=resolved(trainer, settings, here=here),
    )
    with shown_studies(on_view) as show:
        return run_studies(
            [name],
            as_dataset(dataset),
            options,
            outs=[folder],
            runs=folder / "runs",
            second=None if second is None else as_dataset(second),
            workers=0 if here else workers,
            ray=ray,
            on_view=show,
            on_note=on_note,
            track=track,
        )[0]


def run_studies(
    names: Sequence[str],
    dataset: Dataset,
    options: StudyOptions,
    *,
    outs: Sequence[Path],
    runs: Path,
    second: Dataset | None = None,
    workers: int = 1,
    ray: RayOptions | None = None,
    on_view: Callable[[list[StudyView]], None] = lambda views: None,
    on_note: Callable[[str], None] = lambda note: None,
    on_study: Callable[[StudyResult], None] = lambda result: None,
    track: str | None = None,
) -> list[StudyResult]:
    """Run several studies in one pool of workers: a run that several of them need is trained once.

    Parameters are those of `run_study`; ``outs`` are the studies' folders. ``runs`` is where the runs of
    new studies go: beside several studies, or into one. A study that has runs elsewhere stays with them.
    ``on_study`` is called with each study as it is finished. No ``workers`` at all: in this process.
    """
    names = [load_factor(name).name for name in names]
    if second is not None and dataset.kind != "image":
        raise ConfigError("`second` is for images; vectors of two sources are scaled differently")
    check_tracker(track)
    described = dataset.describe() | {"classes": list(dataset.classes)}
    scaled, _ = for_models(dataset)
    source = source_of(scaled, second)
    known = described | {"second": second.digest if second else None}
    if options.trainer is not None and (texts := source.dataset.captions_digest):
        known["captions"] = texts  # a trainer may read them
    studies = _open_studies(
        names,
        source,
        options,
        outs=outs,
        data=known,
        together=runs.parent if runs.parent not in outs else None,
    )
    plans = [study.plan for study in studies]
    started = time.monotonic()
    results: dict[str, StudyResult] = {}

    def finish() -> None:
        """Write down every study whose last run has come in; studies wait for their own runs alone."""
        for study in studies:
            name = study.plan.factor.name
            if name in results or _missing(study.plan.all_trials()):
                continue
            found = findings(study.plan, second=second is not None)
            found |= {"data": described, "seed": options.seed, "runs_folder": study.place}
            if options.trainer is not None:
                found["trainer"] = options.trainer.to_json()
            found["cost"]["elapsed_seconds"] = round(time.monotonic() - started, 1)
            write_result(study.out / "study.json", StudyFile, found)
            results[name] = StudyResult(
                name, found["sentence"], read_json(study.out / "study.json")
            )
            on_study(results[name])

    missing = _missing([trial for plan in plans for trial in plan.all_trials()])
    at_work = {trial.folder: trial for trial in missing}

    def poll() -> None:
        on_view(views_of(plans))
        for folder in [folder for folder, trial in at_work.items() if trial.is_finished]:
            for note in read_notes(at_work.pop(folder).folder):
                on_note(note)
        finish()

    if missing:
        prepare_tracker(track)
        with open_engine(
            ray,
            workers=workers,
            dataset=source.dataset,
            threads=1,
            on_note=on_note,
        ) as engine:
            for root in dict.fromkeys(trial.root for trial in missing):
                mine = [trial for trial in missing if trial.root == root]
                engine.run_each(mine, partial(execute, track=track), on_poll=poll)
    poll()
    return [results[plan.factor.name] for plan in plans]


@dataclass(frozen=True)
class _Study:
    """A study before its runs, its folder, and where its runs are from there."""

    plan: Plan
    out: Path
    place: str


def _open_studies(
    names: Sequence[str],
    source: Source,
    options: StudyOptions,
    *,
    outs: Sequence[Path],
    data: dict[str, Any],
    together: Path | None,
) -> list[_Study]:
    """Plan studies, bind their folders, and write down the plans. ``together`` holds several."""
    common: dict[str, Any] = {"scale": options.scale, "seed": options.seed, "data": data}
    if options.trainer is not None:
        common["trainer"] = options.trainer.to_json()
    bounds = [{"kind": "study", "study": name, **common} for name in names]
    # Before anything is read: the values and sizes of another study would be taken for this one's.
    for out, bound in zip(outs, bounds, strict=True):
        check_bound(out, bound)
    if together is not None:
        check_bound(together, {"kind": "studies"})
    studies = []
    for name, out in zip(names, outs, strict=True):
        place = runs_of(out, default=SHARED if together else OWN)
        values, sizes, seeds = earlier(out, options.values, options.sizes, options.seeds)
        plan = plan_study(
            name,
            source,
            scale_name=options.scale,
            runs=(out / place).resolve(),
            seed=options.seed,
            seeds=seeds,
            values=values,
            sizes=sizes,
            device=options.device,
            trainer=options.trainer,
        )
        studies.append(_Study(plan, out, place))
    facts = {"seed": options.seed, "device": options.device}
    if together is not None:
        Run(together, {"kind": "studies"}, facts=facts).close()
    for study, bound in zip(studies, bounds, strict=True):
        with Run(study.out, bound, facts=facts):
            if is_own(study.plan.factor.name):
                write_text(own_file(study.out, study.plan.factor.name), study.plan.factor.text)
            write_result(study.out / "plan.json", PlanFile, _planned(study.plan, study.place))
    return studies


def _planned(plan: Plan, folder: str) -> dict[str, Any]:
    """Return the content of `plan.json`: every run and where it is, for `rote study status`."""
    rows = [
        {"value": cell.value, "size": cell.size, "replicate": trial.replicate, "key": trial.name}
        for cell, trials in plan.trials.items()
        for trial in trials
    ]
    return {"study": plan.factor.name, "runs_folder": folder, "runs": rows}


def _missing(trials: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the unfinished runs, each once: studies that lie together share theirs."""
    return list({trial.folder: trial for trial in trials if not trial.is_finished}.values())
