"""`estimate_emm`: the search for the EMM, from a data set to `emm.json`.

Propose runs, train them, observe, propose again: `rote.emm.acquisition` decides from the runs so far and
from nothing else. Every call plays the whole search from its first round and takes runs that are there
already from their files, so a search that was killed, or asked again for more, answers as one that ran
through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rote.core.atomic_files import read_json
from rote.core.console import say
from rote.core.devices import resolve_device
from rote.core.run_folder import Run
from rote.core.trackers import prepare_tracker
from rote.data.convert import for_models
from rote.data.sides import as_dataset
from rote.diffusion.preconditioning import build_denoiser
from rote.emm.acquisition import next_runs
from rote.emm.curve import EmmInterval
from rote.emm.run import observed
from rote.experiments.config import ExperimentConfig, SearchConfig
from rote.experiments.config import preset as config_of
from rote.experiments.execution.engine import Engine, Perform, RayOptions
from rote.experiments.execution.open import open_engine
from rote.experiments.run.controls import measure_controls
from rote.experiments.run.run import execute
from rote.experiments.run.spec import RunSpec
from rote.experiments.run.status import run_seconds
from rote.experiments.search.answer import (
    EmmEstimate,
    bound,
    estimate_of,
    finished_search,
)
from rote.experiments.search.cost import Runs, RunSeconds, in_time, run_cost
from rote.experiments.search.progress import SearchView, Watcher, shown_search
from rote.experiments.search.result_file import (
    CONFIDENCE,
    full_json,
    slopes_of,
)
from rote.experiments.search.round_times import Clock
from rote.experiments.search.runs import check_differ, search_run
from rote.experiments.search.sizes import search_sizes
from rote.experiments.trainers.config import Setting as TrainerSetting
from rote.experiments.trainers.config import TrainerConfig, with_trainer
from rote.experiments.trainers.protocol import Trainer
from rote.results.emm import EmmFile
from rote.results.run import Point, PointFile
from rote.results.schema import write_result


def estimate_emm(
    dataset: Any,
    config: ExperimentConfig | str | None = None,
    *,
    out: str | Path,
    trainer: Trainer | TrainerConfig | str | None = None,
    settings: Mapping[str, TrainerSetting] | None = None,
    seed: int = 0,
    workers: int = 1,
    ray: RayOptions | None = None,
    device: str = "auto",
    preset: str | None = None,
    on_view: Callable[[SearchView], None] | None = None,
    on_note: Callable[[str], None] = say,
    track: str | None = None,
) -> EmmEstimate:
    """Search for the effective model memorization of a model and its training on a data set.

    Every run trains into its own directory under ``out/points``; the same call carries on after any
    interruption and does nothing once `emm.json` is there. With another tolerance, budget or range of
    sizes it trains what is missing. With another epsilon, and all else equal, a finished search
    answers from its runs: nothing is trained or written.

    Parameters
    ----------
    dataset
        The source of training subsets: images, or vectors in their own units, as `rote.load_images` takes
        them or loaded.
    config
        Model, training, sampling and search, or the name of a preset; None: ``preset``.
    out
        The directory of the search.
    trainer
        Who trains in place of rote: a function (`rote.experiments.trainers.protocol.Trainer`), its
        "module:function", or a configuration with commands or settings. A function is called in this
        process, unless there are several workers, which import it.
    settings
        What the trainer is told (`rote.TrainingJob.settings`), by name.
    seed
        Root seed of subsets, training and samples.
    workers
        Worker processes; changes nothing but the time.
    ray
        Runs on Ray; None: on worker processes here. Changes nothing but the time.
    device
        "cpu", "cuda" or "auto".
    preset
        Name of the preset that the configuration came from, for the record; None: "tiny" without one.
    on_view
        Called several times a second with the state of the search; None: a bar shows it.
    on_note
        Called with what a person should know, such as a worker that was lost.
    track
        "tensorboard", "wandb" or "mlflow": shows every training there.

    Raises
    ------
    Interrupted
        Never by itself; a KeyboardInterrupt passes through after all workers have saved.
    RunError, DataError, ConfigError
        One line each: what was wrong, where, what to do.
    """
    out, dataset, device = Path(out), as_dataset(dataset), resolve_device(device)
    scaled, _ = for_models(dataset)
    here = callable(trainer) and workers == 1 and ray is None
    if config is None or isinstance(config, str):
        preset = config or preset or "tiny"
        config = config_of(preset, kind=dataset.kind)
    config = with_trainer(config, trainer, settings, here=here)
    search = config.search
    grid = search_sizes(dataset, search)
    # What cannot work at all should say so now and not from a worker.
    if config.trainer is None:
        build_denoiser(config.model, scaled.shape, label_count=0, seed=0)
    asked = config.to_json()
    known = finished_search(out, asked, dataset=dataset, seed=seed)
    if known is not None:
        return known
    facts = {"seed": seed, "device": device, "preset": preset}
    with (
        shown_search(on_view) as show,
        Run(out, bound(asked, dataset=dataset, seed=seed), facts=facts) as run,
    ):
        prepare_tracker(track)
        watcher = Watcher(show, on_note)
        with (
            open_engine(
                ray,
                workers=0 if here else workers,
                dataset=scaled,
                threads=search.threads,
                on_note=on_note,
            ) as engine,
            run.timed("points"),
        ):
            played = _play(
                config,
                grid=grid,
                out=out,
                seed=seed,
                device=device,
                engine=engine,
                # How many a cluster takes at once is its own affair.
                side_by_side=max(workers, 1) if ray is None or ray.address is None else None,
                perform=partial(execute, track=track),
                watcher=watcher,
            )
        with run.timed("controls"):
            own = device if torch.cuda.is_available() else "cpu"
            controls = measure_controls(played.nearest(), scaled, seed=seed, device=own)
        value = full_json(
            dataset,
            config,
            played.points,
            grid=grid,
            rounds=played.rounds,
            stopped=played.stopped,
            controls=controls,
            seed=seed,
            preset=preset,
            seconds=round(sum(read_json(out / "manifest.json")["seconds"].values()), 1),
        )
        write_result(out / "emm.json", EmmFile, value)
    return estimate_of(read_json(out / "emm.json"))


@dataclass(frozen=True)
class _Played:
    """A search that has ended."""

    points: list[Point]
    tasks: list[RunSpec]
    rounds: list[dict[str, Any]]
    stopped: str
    emm: EmmInterval

    def nearest(self) -> RunSpec:
        """Return a run at the smallest size from the EMM on, else at the largest."""
        aim = self.emm.value if self.emm.value is not None else self.emm.low or 0.0
        return min(self.tasks, key=lambda t: (t.size < aim, abs(t.size - aim), t.replicate))


def _play(
    config: ExperimentConfig,
    *,
    grid: Sequence[int],
    out: Path,
    seed: int,
    device: str,
    engine: Engine,
    side_by_side: int | None,
    perform: Perform[RunSpec, None],
    watcher: Watcher,
) -> _Played:
    """Train round after round until the design asks for no more; ``side_by_side`` None: all at once."""
    search = config.search
    clock = Clock(out / "rounds.json")
    points: list[Point] = []
    tasks: list[RunSpec] = []
    rounds: list[dict[str, Any]] = []
    seen: dict[str, RunSpec] = {}
    while True:
        takes, left = None, None
        if search.budget_seconds is not None:
            takes = RunSeconds.learned([(task.size, run_seconds(task.folder)) for task in tasks])
            left = search.budget_seconds - clock.seconds
        proposal = next_runs(
            [observed(point) for point in points],
            grid=grid,
            cost=run_cost(config, takes, left),
            epsilon=search.epsilon,
            tolerance=search.tolerance,
            start=search.start,
            points_per_round=search.points_per_round,
            early_stop=search.early_stop and search.snapshot == "best",
            slopes=slopes_of(config.trainer),
        )
        emm = proposal.posterior.emm(confidence=CONFIDENCE) if proposal.posterior else None
        runs, reason = proposal.runs, proposal.reason
        if not runs and emm is not None:
            runs = _repeats(points, emm, search.replicates)
            reason = (
                f"to have {search.replicates} runs of the size nearest the EMM" if runs else reason
            )
        if spent := _spent(search, points, clock.seconds):
            runs, reason = (), spent
        elif runs and left is not None and takes is not None:
            runs, reason = _ending_in(left, runs, takes, side_by_side, reason)
        ordered = sorted(points, key=lambda point: (point.size, point.replicate))
        new = [
            search_run(size, number, seed=seed, out=out, config=config, device=device)
            for size, number in runs
        ]
        watcher.start(ordered, new, emm=emm, why=reason)
        watcher.poll()
        if not new:
            assert emm is not None
            return _Played(ordered, tasks, rounds, reason, emm)
        with clock.round(runs):
            missing = [task for task in new if not task.is_finished]
            if missing:
                engine.run_each(missing, perform, on_poll=watcher.poll)
        points += [point for task in new if (point := task.finished(PointFile))]
        tasks += new
        check_differ(new, seen)
        rounds.append(
            {
                "runs": [{"size": size, "replicate": number} for size, number in runs],
                "why": reason,
                "emm": emm.to_json() if emm else None,
            }
        )


def _repeats(
    points: Sequence[Point], emm: EmmInterval, replicates: int
) -> tuple[tuple[int, int], ...]:
    """Return the runs that the trained size nearest the EMM is short of."""
    if (value := emm.value) is None:
        return ()
    sizes = [point.size for point in points]
    nearest = min(sizes, key=lambda size: (abs(math.log(size / value)), size))
    return tuple((nearest, number) for number in range(sizes.count(nearest), replicates))


def _ending_in(
    left: float, runs: Runs, takes: RunSeconds, side_by_side: int | None, reason: str
) -> tuple[Runs, str]:
    """Return the runs that end within the seconds that are left, and why it is these or none."""
    kept = in_time(runs, takes, left, side_by_side=side_by_side or len(runs))
    if kept:
        return kept, reason
    size = min(size for size, _ in runs)
    return (), (
        f"{left:,.3g} seconds of the budget are left, and a run of size {size:,} takes up to "
        f"{takes.most(size):,.3g}"
    )


def _spent(search: SearchConfig, points: Sequence[Point], seconds: float) -> str:
    """Say which limit has been reached, or nothing; a search has at least one round."""
    if not points:
        return ""
    if len(points) >= search.max_runs:
        return f"as many runs as search.max_runs allows ({search.max_runs})"
    images = sum(point.images_trained for point in points)
    if search.budget_images is not None and images >= search.budget_images:
        return f"the budget of {search.budget_images:,} training images is spent"
    if search.budget_seconds is not None and seconds >= search.budget_seconds:
        return f"the budget of {search.budget_seconds:,g} seconds is spent"
    return ""
