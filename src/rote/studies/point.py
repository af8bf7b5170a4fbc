"""One point of a search: train at one size, score every snapshot, re-score the best on fresh samples."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import Interrupted
from rote.core.runs import Run, read_json, write_json, write_npz, write_status
from rote.core.seeds import Purpose, child_seed
from rote.core.stats import Rate
from rote.data.convert import Scaling, from_model
from rote.data.dataset import ImageDataset
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
from rote.diffusion.sample import sample
from rote.diffusion.train import train
from rote.memorization.audit import Audit, audit
from rote.memorization.criteria import RatioCriterion
from rote.memorization.emm import EmmPoint
from rote.studies.config import ExperimentConfig

STATUS_SECONDS = 0.5


@dataclass(frozen=True)
class PointTask:
    """What a worker needs to know of a point, besides the data."""

    size: int
    seed: int
    run: str
    """Folder of the point's training run, relative to ``out``."""
    out: Path
    config: ExperimentConfig
    device: str

    @property
    def folder(self) -> Path:
        """Folder of the point's training run."""
        return self.out / self.run

    @property
    def root_seed(self) -> int:
        """Root seed of this point's training and samples: other sizes get other noise."""
        return child_seed(self.seed, "search", self.size)


def point_task(
    size: int, *, seed: int, out: Path, config: ExperimentConfig, device: str
) -> PointTask:
    """Name a point."""
    run = f"points/size-{size:06d}-seed-{seed}"
    return PointTask(size=size, seed=seed, run=run, out=out, config=config, device=device)


def finished_point(task: PointTask) -> EmmPoint | None:
    """Return a point that an earlier call has finished, or None."""
    path = task.folder / "point.json"
    return EmmPoint.from_json(read_json(path)) if path.exists() else None


class Status:
    """`status.json` of a point: what it is doing, for whoever shows progress. Not a result."""

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
    """Return what a running point last noted, or None."""
    try:
        found: dict[str, Any] = json.loads((task.folder / "status.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return found


def run_point(
    task: PointTask,
    dataset: ImageDataset,
    scaling: Scaling | None,
    *,
    should_stop: Callable[[], bool],
) -> EmmPoint:
    """Train and score one point, or carry on with it; `point.json` is written last.

    Parameters
    ----------
    task
        The point.
    dataset
        The full source, in model units.
    scaling
        How vectors were scaled.
    should_stop
        Asked all the time; once true, what is done is saved and `Interrupted` raised.
    """
    done = finished_point(task)
    if done is not None:
        return done
    search, config = task.config.search, task.config
    status = Status(task.folder)
    subset = point_subset(task, dataset)
    train(
        subset,
        config.model,
        config.train,
        out=task.folder,
        seed=task.root_seed,
        scaling=scaling,
        device=task.device,
        should_stop=should_stop,
        on_progress=lambda seen, total: status("train", seen, total),
    )
    bound = read_json(task.folder / "config.json")
    del bound["format_version"]
    with Run(task.folder, bound) as run:
        selection: list[tuple[int, Rate]] = []
        with run.timed("select"):
            for images_seen in config.train.snapshots(len(subset)):
                rate = _score_selection(task, subset, images_seen, status, should_stop)
                status.rate = rate.value
                selection.append((images_seen, rate))
        # Highest rate; among equals the one that was trained longest.
        chosen = max(selection, key=lambda entry: (entry[1].value, entry[0]))[0]
        with run.timed("fresh"):
            found = _score_fresh(task, subset, chosen, status, should_stop)
    coverage = found.coverage()
    point = EmmPoint(
        size=task.size,
        seed=task.seed,
        images_seen=chosen,
        rate=found.rate,
        selection=tuple(selection),
        coverage={key: coverage[key] for key in ("distinct_references", "references")},
        run=task.run,
    )
    write_json(task.folder / "point.json", point.to_json(search.epsilon))
    status.clear()
    return point


def point_subset(task: PointTask, dataset: ImageDataset) -> ImageDataset:
    """Return the point's training set: nested over the sizes of one search."""
    search = task.config.search
    return dataset.subset(
        task.size,
        seed=task.seed if search.subset == "random" else None,
        stratify=search.stratify,
    )


def draw(
    checkpoint: Checkpoint,
    config: ExperimentConfig,
    *,
    count: int,
    root_seed: int,
    purpose: Purpose,
    device: str,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[ImageDataset, npt.NDArray[np.int64]]:
    """Sample ``count`` items from a snapshot, labels drawn uniformly.

    Returns
    -------
    tuple
        The samples (with their labels, if conditional) and their seeds, int64 (count,).
    """
    seeds = [child_seed(root_seed, purpose, number) for number in range(count)]
    labels = None
    if checkpoint.label_count:
        rng = np.random.default_rng(child_seed(root_seed, purpose, -1))
        labels = torch.from_numpy(rng.integers(checkpoint.label_count, size=count))
    drawn = sample(
        checkpoint.denoiser(weights=config.search.weights, device=device),
        seeds,
        shape=checkpoint.shape,
        config=config.sample,
        labels=labels,
        device=device,
        should_stop=should_stop,
        on_progress=on_progress,
    )
    kind = "image" if len(checkpoint.shape) == 3 else "vector"
    images = from_model(drawn, kind=kind)
    dataset = ImageDataset(images, source=f"{checkpoint.path.parent.parent.name} samples")
    if labels is not None:
        names = tuple(str(label) for label in range(checkpoint.label_count))
        dataset = replace(dataset, labels=labels.numpy(), classes=names)
    return dataset, np.array(seeds, np.int64)


def _score_selection(
    task: PointTask,
    subset: ImageDataset,
    images_seen: int,
    status: Status,
    should_stop: Callable[[], bool],
) -> Rate:
    """Score one snapshot on the selection sample, or read what an earlier call found."""
    path = task.folder / "select" / f"{images_seen}.json"
    if path.exists():
        return Rate.from_json(read_json(path)["rate"])
    checkpoint = load_checkpoint(task.folder / "checkpoints" / f"{images_seen}.safetensors")
    search = task.config.search
    # The same noise for every snapshot: what differs between them is then the training alone.
    drawn, _ = draw(
        checkpoint,
        task.config,
        count=search.selection_samples,
        root_seed=task.root_seed,
        purpose="select",
        device=task.device,
        should_stop=should_stop,
        on_progress=lambda done, total: status(f"score {images_seen:,}", done, total),
    )
    rate = _audit(task, drawn, subset).rate
    write_json(path, {"images_seen": images_seen, "rate": rate.to_json()})
    return rate


def _score_fresh(
    task: PointTask,
    subset: ImageDataset,
    chosen: int,
    status: Status,
    should_stop: Callable[[], bool],
) -> Audit:
    """Score the chosen snapshot on fresh samples and keep them with their audit."""
    checkpoint = load_checkpoint(task.folder / "checkpoints" / f"{chosen}.safetensors")
    drawn, seeds = draw(
        checkpoint,
        task.config,
        count=task.config.search.fresh_samples,
        root_seed=task.root_seed,
        purpose="sample",
        device=task.device,
        should_stop=should_stop,
        on_progress=lambda done, total: status("fresh samples", done, total),
    )
    if should_stop():
        raise Interrupted
    arrays: dict[str, npt.NDArray[Any]] = {"images": drawn.images, "seeds": seeds}
    if drawn.labels is not None:
        arrays["labels"] = drawn.labels
    write_npz(task.folder / "samples" / "fresh.npz", arrays)
    found = _audit(task, drawn, subset)
    found.save(task.folder / "audit", labels=drawn.labels)
    return found


def _audit(task: PointTask, drawn: ImageDataset, subset: ImageDataset) -> Audit:
    criterion = RatioCriterion(task.config.search.ratio_threshold)
    return audit(drawn, subset, criterion=criterion, device=task.device)
