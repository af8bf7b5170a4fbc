"""`estimate_emm`: the search for the EMM, from a data set to `emm.json`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.core.errors import DataError
from rote.core.runs import Run, read_json, write_json
from rote.core.seeds import child_seed
from rote.core.stats import Rate
from rote.data.convert import for_models, from_model
from rote.data.dataset import ImageDataset
from rote.diffusion.optimum import OptimalDenoiser
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.sample import sample
from rote.memorization.audit import audit
from rote.memorization.criteria import RatioCriterion
from rote.memorization.emm import Bracket, EmmPoint, bracket, sentence
from rote.studies.campaign import next_sizes, size_grid
from rote.studies.config import ExperimentConfig
from rote.studies.point import (
    PointTask,
    finished_point,
    point_subset,
    point_task,
    read_status,
)
from rote.studies.workers import Workers

CONTROL_SAMPLES = 1000


@dataclass(frozen=True)
class PointView:
    """What a person sees of a point while the search runs.

    ``stage`` is "waiting", "train", "score ...", "fresh samples" or "done".
    """

    size: int
    stage: str
    done: int
    total: int
    rate: float | None
    point: EmmPoint | None


@dataclass(frozen=True)
class SearchView:
    """What a person sees of the search: all points so far and the bracket that they give."""

    points: tuple[PointView, ...]
    bracket: Bracket | None
    open_sizes: int
    """Sizes of the grid within the bracket that are not trained yet."""


@dataclass(frozen=True)
class EmmEstimate:
    """The result of a search; `to_json` is the content of `emm.json`."""

    found: Bracket
    sentence: str
    points: tuple[EmmPoint, ...]
    json: dict[str, Any]

    @property
    def value(self) -> float | None:
        """The EMM in training items; None where it was not bracketed."""
        return self.found.value

    @property
    def low(self) -> int | None:
        """Largest size up to which the model surely memorizes."""
        return self.found.low

    @property
    def high(self) -> int | None:
        """Smallest size from which it surely does not."""
        return self.found.high

    @property
    def status(self) -> str:
        """Which ends of the bracket were reached: "bracketed", "above" or "below"."""
        return self.found.status

    def to_json(self) -> dict[str, Any]:
        """Return the content of `emm.json`."""
        return self.json


def estimate_emm(
    dataset: ImageDataset,
    config: ExperimentConfig,
    *,
    out: Path,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    preset: str | None = None,
    on_view: Callable[[SearchView], None] = lambda view: None,
) -> EmmEstimate:
    """Search for the effective model memorization of a model and its training on a data set.

    Every size trains into its own run directory under ``out/points``; the same call carries on after
    any interruption and does nothing once `emm.json` is there.

    Parameters
    ----------
    dataset
        The source of training subsets: images, or vectors in their own units.
    config
        Model, training, sampling and search.
    out
        The directory of the search.
    seed
        Root seed of subsets, training and samples.
    workers
        Worker processes; changes nothing but the time.
    device
        "cpu" or "cuda".
    preset
        Name of the preset that the configuration came from, for the record.
    on_view
        Called several times a second with the state of the search.

    Raises
    ------
    Interrupted
        Never by itself; a KeyboardInterrupt passes through after all workers have saved.
    RunError, DataError, ConfigError
        One line each: what was wrong, where, what to do.
    """
    scaled, scaling = for_models(dataset)
    search = config.search
    multiple = 1
    if search.stratify:
        if not dataset.classes:
            raise DataError(
                f"{dataset.source} has no classes, so subsets cannot be balanced; set "
                "search.stratify=false or give a source with classes"
            )
        multiple = len(dataset.classes)
    grid = size_grid(search, available=len(dataset), multiple=multiple)
    # What cannot work at all should say so now and not from a worker.
    build_denoiser(config.model, scaled.shape, label_count=0, seed=0)
    bound = {
        "kind": "emm",
        "seed": seed,
        "data": {**dataset.describe(), "classes": list(dataset.classes)},
        **config.model_dump(mode="json"),
    }
    with Run(out, bound, facts={"seed": seed, "device": device, "preset": preset}) as run:
        if (out / "emm.json").exists():
            return _read_estimate(out)
        started = time.monotonic()
        points: list[EmmPoint] = []
        watcher = _Watcher(on_view, search_epsilon=search.epsilon, grid=grid)
        with Workers(workers, scaled, scaling, threads=search.threads) as pool, run.timed("points"):
            while sizes := next_sizes(_rates(points), search, grid):
                tasks = [
                    point_task(size, seed=seed, out=out, config=config, device=device)
                    for size in sizes
                ]
                watcher.start(points, tasks)
                ready = {task.size: finished_point(task) for task in tasks}
                missing = [task for task in tasks if ready[task.size] is None]
                if missing:
                    pool.run(missing, on_poll=watcher.poll)
                points += [point for task in tasks if (point := finished_point(task))]
            watcher.start(points, [])
            watcher.poll()
        points.sort(key=lambda point: (point.size, point.seed))
        found = bracket(_rates(points), epsilon=search.epsilon)
        with run.timed("controls"):
            controls = _controls(scaled, config, points, found, seed=seed, device=device, out=out)
        said = sentence(
            found,
            epsilon=search.epsilon,
            sizes=[point.size for point in points],
            items="images" if dataset.kind == "image" else "rows",
        )
        value = _emm_json(dataset, config, points, found, said, controls, seed, preset)
        value["cost"]["seconds"] = _seconds(run, started)
        write_json(out / "emm.json", value)
        return _read_estimate(out)


def _rates(points: Sequence[EmmPoint]) -> list[tuple[int, Rate]]:
    return [(point.size, point.rate) for point in points]


def _emm_json(
    dataset: ImageDataset,
    config: ExperimentConfig,
    points: Sequence[EmmPoint],
    found: Bracket,
    said: str,
    controls: dict[str, Any],
    seed: int,
    preset: str | None,
) -> dict[str, Any]:
    search = config.search
    space = "pixel" if dataset.kind == "image" else "columns"
    trained = sum(config.train.total_images(point.size) for point in points)
    sampled = sum(
        search.selection_samples * len(point.selection) + search.fresh_samples for point in points
    )
    return {
        "kind": "emm",
        "emm": found.to_json(),
        "sentence": said,
        "epsilon": search.epsilon,
        "confidence": 0.95,
        "criterion": {**RatioCriterion(search.ratio_threshold).to_json(), "space": space},
        "data": {**dataset.describe(), "classes": list(dataset.classes)},
        "preset": preset,
        "seed": seed,
        "points": [point.to_json(search.epsilon) for point in points],
        "controls": controls,
        "config": config.model_dump(mode="json"),
        "cost": {"images_trained": trained, "images_sampled": sampled},
    }


def _seconds(run: Run, started: float) -> float:
    """Return the seconds of all sessions; a killed one could not write down its own."""
    seconds = read_json(run.path / "manifest.json")["seconds"]
    return round(max(sum(seconds.values()), time.monotonic() - started), 1)


def _read_estimate(out: Path) -> EmmEstimate:
    value = read_json(out / "emm.json")
    return EmmEstimate(
        found=Bracket(**value["emm"]),
        sentence=value["sentence"],
        points=tuple(EmmPoint.from_json(point) for point in value["points"]),
        json=value,
    )


def _controls(
    dataset: ImageDataset,
    config: ExperimentConfig,
    points: Sequence[EmmPoint],
    found: Bracket,
    *,
    seed: int,
    device: str,
    out: Path,
) -> dict[str, Any]:
    """Score what must be 1 (the theoretical optimum) and what must be near 0 (held-out items).

    Both at the size nearest above the EMM, where the verdicts matter.
    """
    size = found.high or points[-1].size
    task = point_task(size, seed=seed, out=out, config=config, device=device)
    subset = point_subset(task, dataset)
    criterion = RatioCriterion(config.search.ratio_threshold)
    drawn = sample(
        OptimalDenoiser(subset, device=device),
        [child_seed(seed, "control", number) for number in range(CONTROL_SAMPLES)],
        shape=subset.shape,
        config=config.sample,
        device=device,
    )
    copies = ImageDataset(from_model(drawn, kind=dataset.kind), source="theoretical optimum")
    holdout = _holdout(task, dataset)
    found_optimum = audit(copies, subset, holdout=holdout, criterion=criterion, device=device)
    control = found_optimum.control
    return {
        "optimum": {"size": size, "rate": found_optimum.rate.to_json()},
        "holdout": None if control is None else {"size": size, "rate": control.to_json()},
    }


def _holdout(task: PointTask, dataset: ImageDataset) -> ImageDataset | None:
    """Return up to 1,000 items outside the subset: the next ones of its own order."""
    import numpy as np

    search = task.config.search
    order = dataset.subset_indices(
        len(dataset), seed=task.seed if search.subset == "random" else None
    )
    chosen = dataset.subset_indices(
        task.size, seed=task.seed if search.subset == "random" else None, stratify=search.stratify
    )
    rest = order[~np.isin(order, chosen)][:CONTROL_SAMPLES]
    return dataset.take(rest) if len(rest) else None


class _Watcher:
    """Puts together what a person sees, from the points' own files."""

    def __init__(
        self,
        on_view: Callable[[SearchView], None],
        *,
        search_epsilon: float,
        grid: Sequence[int],
    ) -> None:
        self._on_view, self._epsilon, self._grid = on_view, search_epsilon, grid
        self._finished: list[EmmPoint] = []
        self._tasks: list[PointTask] = []

    def start(self, finished: Sequence[EmmPoint], tasks: Sequence[PointTask]) -> None:
        """Note the finished points and the round that begins."""
        self._finished, self._tasks = list(finished), list(tasks)

    def poll(self) -> None:
        """Read the files and show them."""
        views = [PointView(p.size, "done", 1, 1, p.rate.value, p) for p in self._finished]
        for task in self._tasks:
            point, status = finished_point(task), read_status(task)
            if point is not None:
                views.append(PointView(task.size, "done", 1, 1, point.rate.value, point))
            elif status is None:
                views.append(PointView(task.size, "waiting", 0, 1, None, None))
            else:
                views.append(PointView(task.size, point=None, **status))
        views.sort(key=lambda view: view.size)
        known = [(view.size, view.point.rate) for view in views if view.point]
        found = bracket(known, epsilon=self._epsilon) if known else None
        self._on_view(SearchView(tuple(views), found, self._open(found, views)))

    def _open(self, found: Bracket | None, views: Sequence[PointView]) -> int:
        seen = {view.size for view in views}
        low = (found.low if found else None) or 0
        high = (found.high if found else None) or self._grid[-1] + 1
        return sum(low < size < high and size not in seen for size in self._grid)
