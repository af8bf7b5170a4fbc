"""One run: draw its training set, train, choose a snapshot, score it. A task for a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rote.core.atomic_files import read_json, write_json
from rote.core.errors import RunError
from rote.core.run_folder import Run
from rote.core.trackers import tracker
from rote.data.dataset import Dataset
from rote.data.variants import TrainingSet
from rote.diffusion.conditioning import conditioning
from rote.emm.acquisition import RISE_ERROR, most_at_the_end, never_reaches, will_reach
from rote.experiments.run.controls import far_away
from rote.experiments.run.models import Model, Models, OwnModels, TrainerModels
from rote.experiments.run.reuse import share_training
from rote.experiments.run.score import Scorer
from rote.experiments.run.spec import RunSpec
from rote.experiments.run.status import Status, run_seconds
from rote.memorization.audit.audit import Audit
from rote.results.criterion import Tolerance
from rote.results.gap import GapSnapshot
from rote.results.run import Observation, Point, PointCoverage, Snapshot, StudyRun
from rote.stats.beta_binomial import Bound
from rote.stats.rates import Rate


def execute(
    spec: RunSpec,
    dataset: Dataset,
    *,
    should_stop: Callable[[], bool],
    track: str | None = None,
) -> None:
    """Train and score one run, or carry on with it; its result (`RunSpec.file`) is written last.

    Parameters
    ----------
    spec
        The run.
    dataset
        The full source (or both), in model units.
    should_stop
        Asked all the time; once true, what is done is saved and `Interrupted` raised.
    track
        A tracker that is shown the training; no part of the result.
    """
    if spec.is_finished:
        return
    started = time.monotonic()
    status = Status(spec.folder)
    drawn = spec.draw(dataset)
    rest = spec.rest(dataset, drawn) if spec.gap else None
    trainer = spec.setting.trainer
    trained_by = spec.name if trainer else share_training(spec, drawn.dataset)
    scorer = Scorer(spec, drawn.dataset)
    with tracker(track, folder=spec.folder, run=spec.folder.name, config=spec.to_json()) as log:
        models: Models = (
            TrainerModels(spec, drawn.dataset, trainer, should_stop=should_stop, on_progress=status)
            if trainer
            else OwnModels(
                spec, drawn.dataset, should_stop=should_stop, on_progress=status, on_metrics=log
            )
        )
        try:
            trained = _train(spec, models, scorer, status, rest)
            with _open(spec) as run, run.timed("fresh"):
                found = trained.found or scorer.measure(trained.chosen)
                scorer.choose(trained.chosen, found)
                if trainer and (
                    said := far_away(found.generated, drawn.dataset, spec.rest(dataset, drawn))
                ):
                    run.note(said)
        except RunError as error:  # of many runs: which one it is has to be told
            raise RunError(f"run {spec.folder.name}: {error}") from error
    (spec.folder / "checkpoints" / "state.safetensors").unlink(missing_ok=True)
    seconds = round(time.monotonic() - started, 3)
    if spec.staging is None:
        result: Point | StudyRun = _study_run(spec, drawn, trained, found, trained_by, seconds)
    else:
        result = _point(spec, trained, found)
        if trainer:  # the images that it says to have seen tell nothing of what it took
            result = result.model_copy(update={"seconds": round(run_seconds(spec.folder), 3)})
    write_json(spec.file, result.to_json())
    status.clear()


@dataclass(frozen=True)
class _Trained:
    """A training that has ended, and what its models showed."""

    chosen: Model
    """The model of the highest rate; among equals the one that was trained longest."""
    found: Audit | None
    """Of the chosen model, where it had to be sampled before the training went on."""
    images_seen: int
    planned: int
    selection: tuple[Snapshot, ...]
    gap: tuple[GapSnapshot, ...]
    bound: Bound


def _train(
    spec: RunSpec, models: Models, scorer: Scorer, status: Status, rest: Dataset | None
) -> _Trained:
    """Train from model to model and score each, until the last one or until the side is settled."""
    staging, best = spec.staging, spec.setting.scoring.snapshot == "best"
    selection: list[Snapshot] = []
    gap: list[GapSnapshot] = []
    bound: Bound = "exact"
    chosen: Model | None = None
    highest = -1.0
    found: Audit | None = None
    for model in models:
        seen, planned = model.images_seen, models.planned(model.images_seen)
        with _open(spec) as run, run.timed("select"):
            if rest is not None and (measured := scorer.gap(model, rest)):
                gap.append(measured)
            # A trainer's only model is chosen without samples, which may be what costs most.
            only = bool(spec.setting.trainer) and not selection and seen == planned
            choice = best and not only
            if choice:
                selection.append(scorer.select(model))
                status.rate = selection[-1].rate.value
        if not choice or selection[-1].rate.value >= highest:
            chosen, found = model, None
            highest = selection[-1].rate.value if choice else highest
            if best and not model.reusable:
                with _open(spec) as run, run.timed("fresh"):
                    found = scorer.measure(model)
        if choice and staging and staging.early_stop and seen != planned:
            bound = settled(selection[-1].rate, seen, planned, epsilon=staging.epsilon)
        if bound != "exact":
            break
    assert chosen is not None
    return _Trained(chosen, found, seen, planned or seen, tuple(selection), tuple(gap), bound)


def _point(spec: RunSpec, trained: _Trained, found: Audit) -> Point:
    rate, coverage = found.rate, found.coverage()
    if trained.bound == "at-most":
        last = trained.selection[-1]
        observation = observed_at_most(last.rate, last.images_seen, trained.planned)
    else:
        observation = Observation(
            bound=trained.bound, count=rate.count, total=rate.total, error=0.0
        )
    return Point(
        size=spec.size,
        replicate=spec.replicate,
        images_seen=trained.chosen.images_seen,
        images_trained=trained.images_seen,
        rate=rate,
        observation=observation,
        selection=trained.selection,
        gap=trained.gap,
        coverage=PointCoverage(
            distinct_references=coverage["distinct_references"], references=coverage["references"]
        ),
        run=spec.name,
        tolerance=_tolerance(found),
    )


def _study_run(
    spec: RunSpec,
    drawn: TrainingSet,
    trained: _Trained,
    found: Audit,
    trained_by: str,
    seconds: float,
) -> StudyRun:
    copies, nearest, labels = found.memorized, found.nn1_index, found.generated.labels
    own = None
    if labels is not None:
        given = conditioning(drawn.dataset, spec.setting.train, seed=spec.root_seed).labels
        assert given is not None
        own = int((copies & (given.numpy()[nearest] == labels)).sum())
    return StudyRun(
        key=spec.name,
        size=spec.size,
        replicate=spec.replicate,
        rows=len(drawn.dataset),
        rate=found.rate,
        images_seen=trained.chosen.images_seen,
        images_trained=trained.images_seen,
        selection=trained.selection,
        own_label=own,
        repeated=int((copies & drawn.repeated[nearest]).sum()) if drawn.repeated.any() else None,
        distinct_references=found.coverage()["distinct_references"],
        tolerance=_tolerance(found),
        seconds=seconds,
        trained_by=trained_by,
    )


def _tolerance(found: Audit) -> Tolerance | None:
    told = found.tolerance
    return None if told is None else Tolerance.model_validate(told.to_json())


def settled(rate: Rate, images_seen: int, images: int | None, *, epsilon: float) -> Bound:
    """Say whether a snapshot's rate settles on which side of 1 - epsilon the run will end.

    ``images`` are those seen at the end; where that is not known, none is given up.
    """
    if will_reach(rate.count, rate.total, epsilon=epsilon):
        return "at-least"
    if images is None:
        return "exact"
    never = never_reaches(rate.count, rate.total, images_seen=images_seen, images=images)
    return "at-most" if never else "exact"


def observed_at_most(rate: Rate, images_seen: int, images: int) -> Observation:
    """Return what a run says that was ended early because it would stay far below the line."""
    most = most_at_the_end(rate.count, rate.total, images_seen=images_seen, images=images)
    return Observation(
        bound="at-most", count=round(most * rate.total), total=rate.total, error=RISE_ERROR
    )


def _open(spec: RunSpec) -> Run:
    """Open the run directory that the training made."""
    bound = read_json(spec.folder / "config.json")
    del bound["format_version"]
    return Run(spec.folder, bound)
