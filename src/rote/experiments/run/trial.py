"""One run of a study: draw the training set, train, sample, score. A task for a worker."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.atomic_files import read_json, write_json, write_npz
from rote.core.config import digest
from rote.core.errors import Interrupted
from rote.core.seeds import Purpose, child_seed
from rote.core.trackers import tracker
from rote.data.convert import as_items
from rote.data.dataset import Dataset
from rote.data.scaling import Scaling
from rote.data.variants import TrainingSet, draw_variant
from rote.diffusion.checkpoint import load_checkpoint
from rote.diffusion.conditioning import conditioning
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.experiments.run.point import Status
from rote.experiments.run.reuse import share_training
from rote.experiments.studies.factor import Setting
from rote.memorization.audit.audit import Audit, run_audit
from rote.memorization.audit.options import RATIO_ONLY
from rote.memorization.invariances import Invariances
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Trial:
    """What a worker needs to know of a run, besides the data."""

    setting: Setting
    size: int
    replicate: int
    seed: int
    """Root seed of the study."""
    data: str
    """Digest of the data that the run draws from: of both sources only where it mixes them."""
    second_at: int | None
    """Where the second source begins in the data."""
    runs: Path
    """Folder of all runs."""
    device: str

    def inputs(self) -> dict[str, Any]:
        """Return everything that decides the run's result, as plain types."""
        return {
            "data": self.data,
            "second_at": self.second_at if self.setting.variant.second_share is not None else None,
            "size": self.size,
            "replicate": self.replicate,
            "seed": self.seed,
            **self.setting.to_json(),
        }

    @functools.cached_property  # asked for several times a second of every run of a study
    def key(self) -> str:
        """Digest of the inputs, which names the folder: equal runs of several studies are one run."""
        return digest(self.inputs())[:16]

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.runs / self.key

    @property
    def is_finished(self) -> bool:
        """Whether its result is there."""
        return (self.folder / "trial.json").exists()

    @property
    def root(self) -> Path:
        """The folder that a run on another machine has in another place."""
        return self.runs

    def moved(self, root: Path) -> Trial:
        """Return the same run in a folder of another place."""
        return replace(self, runs=root)

    @property
    def root_seed(self) -> int:
        """Root seed of the run: one replicate of all values and sizes shares images and noise."""
        return child_seed(self.seed, "study", self.replicate)


@dataclass(frozen=True)
class TrialResult:
    """A finished run.

    ``own_label`` counts the copies whose training image bore the label that the sample was asked for;
    None for models without labels. ``repeated`` counts the copies of images that were there several
    times; None where none were. ``trained_by`` is the run that trained: itself, or one with the same
    training that was finished before.
    """

    key: str
    size: int
    replicate: int
    rows: int
    rate: Rate
    images_seen: int
    images_trained: int
    selection: tuple[tuple[int, Rate], ...]
    own_label: int | None
    repeated: int | None
    distinct_references: int
    seconds: float
    trained_by: str

    def to_json(self) -> dict[str, Any]:
        """Return the content of `trial.json`."""
        return {
            "key": self.key,
            "size": self.size,
            "replicate": self.replicate,
            "rows": self.rows,
            "rate": self.rate.to_json(),
            "images_seen": self.images_seen,
            "images_trained": self.images_trained,
            "selection": [{"images_seen": n, "rate": rate.to_json()} for n, rate in self.selection],
            "own_label": self.own_label,
            "repeated": self.repeated,
            "distinct_references": self.distinct_references,
            "seconds": self.seconds,
            "trained_by": self.trained_by,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TrialResult:
        """Read back what `to_json` wrote."""
        values = {"trained_by": data["key"], **data}
        values.pop("format_version", None)
        selection = tuple((e["images_seen"], Rate.from_json(e["rate"])) for e in data["selection"])
        rate = Rate.from_json(data["rate"])
        return TrialResult(**values | {"rate": rate, "selection": selection})


def finished_trial(trial: Trial) -> TrialResult | None:
    """Return a run that an earlier call has finished, or None."""
    path = trial.folder / "trial.json"
    return TrialResult.from_json(read_json(path)) if path.exists() else None


def training_set(trial: Trial, dataset: Dataset) -> TrainingSet:
    """Draw the run's training set."""
    scoring = trial.setting.scoring
    return draw_variant(
        dataset,
        trial.setting.variant,
        trial.size,
        seed=trial.root_seed if scoring.subset == "random" else None,
        second_at=trial.second_at,
        stratify=scoring.stratify,
    )


def run_trial(
    trial: Trial,
    dataset: Dataset,
    scaling: Scaling | None,
    *,
    should_stop: Callable[[], bool],
    track: str | None = None,
) -> TrialResult:
    """Train and score one run, or carry on with it; `trial.json` is written last.

    Parameters
    ----------
    trial
        The run.
    dataset
        The full source (or both), in model units.
    scaling
        How vectors were scaled.
    should_stop
        Asked all the time; once true, what is done is saved and `Interrupted` raised.
    track
        A tracker that is shown the training; no part of the result.
    """
    done = finished_trial(trial)
    if done is not None:
        return done
    started = time.monotonic()
    setting = trial.setting
    drawn = training_set(trial, dataset)
    status = Status(trial.folder)
    sharer = share_training(trial.folder, trial.runs, drawn.dataset, setting, seed=trial.root_seed)
    with tracker(track, folder=trial.folder, run=trial.key, config=trial.inputs()) as log:
        checkpoint = train(
            drawn.dataset,
            setting.model,
            setting.train,
            out=trial.folder,
            seed=trial.root_seed,
            device=trial.device,
            should_stop=should_stop,
            on_progress=lambda seen, total: status("train", seen, total),
            on_metrics=log,
        )
    scorer = _Scorer(trial, drawn.dataset, status, should_stop)
    selection: tuple[tuple[int, Rate], ...] = ()
    chosen = checkpoint.images_seen
    if setting.scoring.snapshot == "best":
        seen = setting.train.snapshots(len(drawn.dataset))
        selection = tuple((number, scorer.select(number)) for number in seen)
        # Highest rate; among equals the one that was trained longest.
        chosen = max(selection, key=lambda entry: (entry[1].value, entry[0]))[0]
    found, labels = scorer.measure(chosen)
    copies = found.memorized
    nearest = found.nn1_index
    own = None
    if labels is not None:
        trained = conditioning(drawn.dataset, setting.train, seed=trial.root_seed).labels
        assert trained is not None
        own = int((copies & (trained.numpy()[nearest] == labels)).sum())
    result = TrialResult(
        key=trial.key,
        size=trial.size,
        replicate=trial.replicate,
        rows=len(drawn.dataset),
        rate=found.rate,
        images_seen=chosen,
        images_trained=checkpoint.images_seen,
        selection=selection,
        own_label=own,
        repeated=int((copies & drawn.repeated[nearest]).sum()) if drawn.repeated.any() else None,
        distinct_references=found.coverage()["distinct_references"],
        seconds=round(time.monotonic() - started, 3),
        trained_by=sharer or trial.key,
    )
    write_json(trial.folder / "trial.json", result.to_json())
    status.clear()
    return result


class _Scorer:
    """Samples snapshots of a run and audits the samples against its training set."""

    def __init__(
        self,
        trial: Trial,
        references: Dataset,
        status: Status,
        should_stop: Callable[[], bool],
    ) -> None:
        self._trial, self._references = trial, references
        self._status, self._should_stop = status, should_stop

    def select(self, images_seen: int) -> Rate:
        """Score one snapshot on the selection sample, or read what an earlier call found."""
        path = self._trial.folder / "select" / f"{images_seen}.json"
        if not path.exists():
            count = self._trial.setting.scoring.selection_samples
            drawn, _ = self._draw(images_seen, count, "select", f"score {images_seen:,}")
            rate = self._audit(drawn).rate
            write_json(path, {"images_seen": images_seen, "rate": rate.to_json()})
        return Rate.from_json(read_json(path)["rate"])

    def measure(self, images_seen: int) -> tuple[Audit, npt.NDArray[np.int64] | None]:
        """Score the chosen snapshot on fresh samples; keep them with their audit; return their labels."""
        folder = self._trial.folder
        count = self._trial.setting.scoring.samples
        drawn, seeds = self._draw(images_seen, count, "sample", "fresh samples")
        if self._should_stop():
            raise Interrupted
        arrays: dict[str, npt.NDArray[Any]] = {"images": drawn.items, "seeds": seeds}
        if drawn.labels is not None:
            arrays["labels"] = drawn.labels
        write_npz(folder / "samples" / "fresh.npz", arrays)
        found = self._audit(drawn)
        found.save(folder / "audit", labels=drawn.labels)
        return found, drawn.labels

    def _audit(self, drawn: Dataset) -> Audit:
        setting = self._trial.setting
        options = replace(
            RATIO_ONLY,
            ratio_threshold=setting.scoring.ratio_threshold,
            # What was trained on mirrored images copies mirrored images.
            invariances=Invariances(flip=setting.train.mirror),
            device=self._trial.device,
        )
        return run_audit(drawn, self._references, options)

    def _draw(
        self, images_seen: int, count: int, purpose: Purpose, stage: str
    ) -> tuple[Dataset, npt.NDArray[np.int64]]:
        """Sample a snapshot, labels drawn uniformly; return the samples and their seeds."""
        trial = self._trial
        checkpoint = load_checkpoint(trial.folder / "checkpoints" / f"{images_seen}.safetensors")
        seeds = [child_seed(trial.root_seed, purpose, number) for number in range(count)]
        labels = None
        if checkpoint.label_count:
            rng = np.random.default_rng(child_seed(trial.root_seed, purpose, -1))
            labels = torch.from_numpy(rng.integers(checkpoint.label_count, size=count))
        weights = trial.setting.scoring.weights
        drawn = sample(
            checkpoint.denoiser(weights=weights, device=trial.device),
            seeds,
            shape=checkpoint.shape,
            config=trial.setting.sample,
            labels=labels,
            device=trial.device,
            should_stop=self._should_stop,
            on_progress=lambda done, total: self._status(stage, done, total),
        )
        dataset = as_items(drawn, self._references, source=f"samples of {trial.key}")
        if labels is not None:
            names = tuple(str(label) for label in range(checkpoint.label_count))
            dataset = replace(dataset, labels=labels.numpy(), classes=names)
        return dataset, np.array(seeds, np.int64)
