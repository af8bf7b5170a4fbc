"""One run of a search: train, score the snapshots, measure the chosen one on fresh samples."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.atomic_files import read_json, write_json, write_status
from rote.core.run_folder import Run
from rote.core.seeds import child_seed
from rote.core.trackers import tracker
from rote.data.dataset import Dataset
from rote.data.scaling import Scaling
from rote.diffusion.training.loop import train
from rote.emm.acquisition import RISE_ERROR, most_at_the_end, never_reaches, will_reach
from rote.emm.curve import Observation
from rote.emm.run import EmmPoint
from rote.experiments.config import ExperimentConfig
from rote.experiments.run.score import Scorer
from rote.stats.beta_binomial import Bound
from rote.stats.rates import Rate

STATUS_SECONDS = 0.5


@dataclass(frozen=True)
class PointTask:
    """What a worker needs to know of a run, besides the data."""

    size: int
    replicate: int
    seed: int
    """Root seed of the search."""
    run: str
    """Folder of the training run, relative to ``out``."""
    out: Path
    config: ExperimentConfig
    device: str

    @property
    def folder(self) -> Path:
        """Folder of the training run."""
        return self.out / self.run

    @property
    def root(self) -> Path:
        """The folder that a run on another machine has in another place."""
        return self.out

    def moved(self, root: Path) -> PointTask:
        """Return the same run in a folder of another place."""
        return replace(self, out=root)

    @property
    def root_seed(self) -> int:
        """Root seed of this run's subset, training and samples: no two runs share any of them."""
        return child_seed(self.seed, "search", self.size, self.replicate)


def point_task(
    size: int, replicate: int, *, seed: int, out: Path, config: ExperimentConfig, device: str
) -> PointTask:
    """Name a run."""
    return PointTask(
        size=size,
        replicate=replicate,
        seed=seed,
        run=f"points/size-{size:06d}-run-{replicate:02d}",
        out=out,
        config=config,
        device=device,
    )


def told(folder: Path) -> list[str]:
    """Return what a run's manifest notes for a person."""
    notes: list[str] = read_json(folder / "manifest.json").get("notes", [])
    return [f"run {folder.name}: {note}" for note in notes]


def finished_point(task: PointTask) -> EmmPoint | None:
    """Return a run that an earlier call has finished, or None."""
    path = task.folder / "point.json"
    return EmmPoint.from_json(read_json(path)) if path.exists() else None


class Status:
    """`status.json` of a run: what it is doing, for whoever shows progress. Not a result."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "status.json"
        self._written = 0.0
        self.rate: float | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note the progress, at most every half second."""
        if time.monotonic() - self._written < STATUS_SECONDS:
            return
        self._written = time.monotonic()
        write_status(self._path, {"stage": stage, "done": done, "total": total, "rate": self.rate})

    def clear(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


def read_status(task: PointTask) -> dict[str, Any] | None:
    """Return what a run at work last noted, or None."""
    return read_stage(task.folder)


def read_stage(folder: Path) -> dict[str, Any] | None:
    """Return what the run at work in a folder last noted, or None."""
    try:
        found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return found


def split(task: PointTask, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    """Return the run's training set and all items outside it, if there are any.

    The training set is the run's own draw, or always the first items of the source. The others come in
    the order of that draw.
    """
    search = task.config.search
    seed = task.root_seed if search.subset == "random" else None
    chosen = dataset.subset_indices(task.size, seed=seed, stratify=search.stratify)
    order = dataset.subset_indices(len(dataset), seed=seed)
    rest = order[~np.isin(order, chosen)]
    return dataset.take(chosen), dataset.take(rest) if len(rest) else None


def run_point(
    task: PointTask,
    dataset: Dataset,
    scaling: Scaling | None,
    *,
    should_stop: Callable[[], bool],
    track: str | None = None,
) -> EmmPoint:
    """Train and score one run, or carry on with it; `point.json` is written last.

    Parameters
    ----------
    task
        The run.
    dataset
        The full source, in model units.
    scaling
        How vectors were scaled.
    should_stop
        Asked all the time; once true, what is done is saved and `Interrupted` raised.
    track
        A tracker that is shown the training; no part of the result.
    """
    done = finished_point(task)
    if done is not None:
        return done
    search, config = task.config.search, task.config
    status = Status(task.folder)
    subset, rest = split(task, dataset)
    scorer = Scorer(
        task.folder,
        subset,
        config,
        root_seed=task.root_seed,
        device=task.device,
        should_stop=should_stop,
        on_progress=status,
    )
    best = search.snapshot == "best"
    snapshots = config.train.snapshots(len(subset))
    selection: list[tuple[int, Rate]] = []
    gap: list[dict[str, Any]] = []
    bound: Bound = "exact"
    shown = config.model_dump(mode="json") | {"size": task.size, "replicate": task.replicate}
    with tracker(track, folder=task.folder, run=task.folder.name, config=shown) as log:
        for seen in snapshots if best else snapshots[-1:]:
            train(
                subset,
                config.model,
                config.train,
                out=task.folder,
                seed=task.root_seed,
                device=task.device,
                until=seen,
                should_stop=should_stop,
                on_progress=lambda seen, total: status("train", seen, total),
                on_metrics=log,
            )
            with _open(task.folder) as run, run.timed("select"):
                if search.gap and rest is not None:
                    gap.append(scorer.gap(seen, rest))
                if best:
                    rate = scorer.select(seen)
                    status.rate = rate.value
                    selection.append((seen, rate))
            if best and search.early_stop and seen < snapshots[-1]:
                bound = settled(rate, seen, snapshots[-1], epsilon=search.epsilon)
            if bound != "exact":
                break
    # Highest rate; among equals the one that was trained longest.
    chosen = max(selection, key=lambda entry: (entry[1].value, entry[0]))[0] if best else seen
    with _open(task.folder) as run, run.timed("fresh"):
        found = scorer.measure(chosen)
    (task.folder / "checkpoints" / "state.safetensors").unlink(missing_ok=True)
    coverage = found.coverage()
    if bound == "at-most":
        observation = observed_at_most(task.size, rate, seen, snapshots[-1])
    else:
        observation = Observation(task.size, found.rate.count, found.rate.total, bound)
    point = EmmPoint(
        size=task.size,
        replicate=task.replicate,
        images_seen=chosen,
        images_trained=seen,
        rate=found.rate,
        observation=observation,
        selection=tuple(selection),
        gap=tuple(gap),
        coverage={key: coverage[key] for key in ("distinct_references", "references")},
        run=task.run,
    )
    write_json(task.folder / "point.json", point.to_json())
    status.clear()
    return point


def settled(rate: Rate, images_seen: int, images: int, *, epsilon: float) -> Bound:
    """Say whether a snapshot's rate settles on which side of 1 - epsilon the run will end."""
    if will_reach(rate.count, rate.total, epsilon=epsilon):
        return "at-least"
    never = never_reaches(rate.count, rate.total, images_seen=images_seen, images=images)
    return "at-most" if never else "exact"


def observed_at_most(size: int, rate: Rate, images_seen: int, images: int) -> Observation:
    """Return what a run says that was ended early because it would stay far below the line."""
    most = most_at_the_end(rate.count, rate.total, images_seen=images_seen, images=images)
    return Observation(size, round(most * rate.total), rate.total, "at-most", RISE_ERROR)


def _open(folder: Path) -> Run:
    """Open the run directory that `train` made."""
    bound = read_json(folder / "config.json")
    del bound["format_version"]
    return Run(folder, bound)
