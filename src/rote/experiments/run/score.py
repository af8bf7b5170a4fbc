"""Scores snapshots of one run: a sample to choose one, fresh samples to say what it copies.

A search draws them in stages, more only where fewer cannot place the run. Sample i is a function of the
run's seed and i, so it is the same whatever the stages are. A stage ends the sampling by the count so
far; the likelihood of that count, which is what the estimate of the EMM is made of, is the same as if
the total had been fixed beforehand.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.atomic_files import write_npz
from rote.core.seeds import Purpose, child_seed
from rote.data.convert import as_items
from rote.data.dataset import Dataset
from rote.data.files.arrays import arrays_of, item_key
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
from rote.diffusion.probes.gap import GapProbe, checkpoint_probe
from rote.diffusion.sample import sample
from rote.emm.acquisition import enough
from rote.experiments.run.spec import RunSpec
from rote.memorization.audit.audit import Audit, run_audit
from rote.memorization.audit.options import RATIO_ONLY
from rote.memorization.invariances import Invariances
from rote.results.gap import GapSnapshot
from rote.results.run import GapSnapshotFile, SelectFile, Snapshot
from rote.results.schema import read_result, write_result
from rote.stats.rates import wilson

FRESH = Path("samples", "fresh.npz")
"""Where the samples of the chosen snapshot lie in a run's folder."""


def stages(first: int, most: int) -> list[int]:
    """Return the totals at which sampling may end.

    >>> stages(128, 1000), stages(128, 100), stages(64, 64)
    ([128, 256, 512, 1000], [100], [64])
    """
    totals = []
    while first < most:
        totals.append(first)
        first *= 2
    return [*totals, most]


class SnapshotScorer:
    """Draws samples of a run's snapshots and audits them against its training set."""

    def __init__(
        self,
        spec: RunSpec,
        training: Dataset,
        *,
        should_stop: Callable[[], bool],
        on_progress: Callable[[str, int, int], None],
    ) -> None:
        self._spec, self._scoring, self._training = spec, spec.setting.scoring, training
        self._should_stop, self._on_progress = should_stop, on_progress
        self._probe: GapProbe | None = None

    def select(self, images_seen: int) -> Snapshot:
        """Score one snapshot on the selection sample, or read what an earlier call found."""
        path = self._spec.folder / "select" / f"{images_seen}.json"
        if not path.exists():
            checkpoint, most = self._snapshot(images_seen), self._scoring.selection_samples
            count = total = 0
            for end in self._stages(most):
                # The same noise for every snapshot: what differs between them is the training alone.
                drawn = self._draw(
                    checkpoint,
                    range(total, end),
                    most=most,
                    purpose="select",
                    stage=f"score {images_seen:,}",
                )
                count, total = count + self.audit(drawn).rate.count, end
                if self._are_enough(count, total):
                    break
            rate = wilson(count, total)
            write_result(path, SelectFile, {"images_seen": images_seen, "rate": rate.to_json()})
        return read_result(path, SelectFile)

    def gap(self, images_seen: int, rest: Dataset) -> GapSnapshot:
        """Measure a snapshot's gap to the optimum, or read what an earlier call found.

        ``rest`` are items outside the training set, in model units.
        """
        path = self._spec.folder / "gap" / f"{images_seen}.json"
        if not path.exists():
            checkpoint, device = self._snapshot(images_seen), self._spec.device
            if self._probe is None:
                self._probe = checkpoint_probe(
                    checkpoint, self._training, rest, seed=self._spec.root_seed, device=device
                )
            weights = self._scoring.weights
            found = self._probe.curve(checkpoint.denoiser(weights=weights, device=device))
            write_result(path, GapSnapshotFile, {"images_seen": images_seen, **found.to_json()})
        return read_result(path, GapSnapshotFile)

    def measure(self, images_seen: int) -> Audit:
        """Score the chosen snapshot on fresh samples; keep them, after each stage, and their audit."""
        checkpoint, path = self._snapshot(images_seen), self._spec.folder / FRESH
        held = _read_samples(path)
        for end in self._stages(self._scoring.samples):
            have = len(held["seeds"]) if held else 0
            if have < end:
                drawn = self._draw(
                    checkpoint,
                    range(have, end),
                    most=self._scoring.samples,
                    purpose="sample",
                    stage="fresh samples",
                )
                # In units of each column's spread, so without the schema, which speaks of their own.
                arrays = arrays_of(replace(drawn, schema=None))
                held = {k: np.concatenate([held[k], v]) if held else v for k, v in arrays.items()}
                write_npz(path, held)
            found = self.audit(self._as_dataset(checkpoint, held, end))
            if self._are_enough(found.rate.count, end):
                break
        found.save(self._spec.folder / "audit")
        return found

    def audit(self, drawn: Dataset) -> Audit:
        """Audit samples against the run's training set."""
        options = replace(
            RATIO_ONLY,
            ratio_threshold=self._scoring.ratio_threshold,
            # What was trained on mirrored images copies mirrored images.
            invariances=Invariances(flip=self._spec.setting.train.mirror),
            device=self._spec.device,
        )
        return run_audit(drawn, self._training, options, look_for_mistakes=False)

    def _stages(self, most: int) -> list[int]:
        staging = self._spec.staging
        return [most] if staging is None else stages(staging.first_samples, most)

    def _are_enough(self, count: int, total: int) -> bool:
        staging = self._spec.staging
        return staging is not None and enough(count, total, epsilon=staging.epsilon)

    def _snapshot(self, images_seen: int) -> Checkpoint:
        return load_checkpoint(self._spec.folder / "checkpoints" / f"{images_seen}.safetensors")

    def _draw(
        self,
        checkpoint: Checkpoint,
        numbers: range,
        *,
        most: int,
        purpose: Purpose,
        stage: str,
    ) -> Dataset:
        """Sample the items of some numbers, labels drawn uniformly; return them with their seeds."""
        spec, start = self._spec, numbers.start
        seeds = [child_seed(spec.root_seed, purpose, number) for number in numbers]
        labels = None
        if checkpoint.label_count:
            rng = np.random.default_rng(child_seed(spec.root_seed, purpose, -1))
            drawn_labels = rng.integers(checkpoint.label_count, size=most)
            labels = torch.from_numpy(drawn_labels[start : numbers.stop])
        drawn = sample(
            checkpoint.denoiser(weights=self._scoring.weights, device=spec.device),
            seeds,
            shape=checkpoint.shape,
            config=spec.setting.sample,
            labels=labels,
            device=spec.device,
            should_stop=self._should_stop,
            on_progress=lambda done, _: self._on_progress(stage, start + done, most),
        )
        found = as_items(drawn, self._training, source="")
        return replace(
            found,
            labels=None if labels is None else labels.numpy(),
            classes=_classes(checkpoint),
            seeds=np.array(seeds, np.int64),
        )

    def _as_dataset(
        self, checkpoint: Checkpoint, arrays: dict[str, npt.NDArray[Any]], count: int
    ) -> Dataset:
        return Dataset(
            arrays[item_key(self._training.kind)][:count],
            labels=arrays["labels"][:count] if "labels" in arrays else None,
            classes=_classes(checkpoint),
            source=f"samples of {self._spec.folder.name}",
            schema=self._training.schema,
            scaling=self._training.scaling,
        )


def _classes(checkpoint: Checkpoint) -> tuple[str, ...]:
    return tuple(str(label) for label in range(checkpoint.label_count))


def _read_samples(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the samples that an interrupted call has kept; nothing where there are none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
