"""Scores snapshots of one run, in stages: more samples only where fewer cannot place the run.

Sample i is a function of the run's seed and i, so it is the same whatever the stages are. A stage ends
the sampling by the count so far; the likelihood of that count, which is what the estimate of the EMM is
made of, is the same as if the total had been fixed beforehand.
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

from rote.core.atomic_files import read_json, write_json, write_npz
from rote.core.seeds import Purpose, child_seed
from rote.data.convert import as_items
from rote.data.dataset import Dataset
from rote.data.files.arrays import arrays_of, item_key
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
from rote.diffusion.probes.gap import GapProbe, checkpoint_probe
from rote.diffusion.sample import sample
from rote.emm.acquisition import enough
from rote.experiments.config import ExperimentConfig
from rote.memorization.audit.audit import Audit, run_audit
from rote.memorization.audit.options import RATIO_ONLY
from rote.memorization.invariances import Invariances
from rote.stats.rates import Rate, wilson


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


class Scorer:
    """Draws samples of a run's snapshots and audits them against its training subset."""

    def __init__(
        self,
        folder: Path,
        subset: Dataset,
        config: ExperimentConfig,
        *,
        root_seed: int,
        device: str,
        should_stop: Callable[[], bool],
        on_progress: Callable[[str, int, int], None],
    ) -> None:
        self._folder, self._subset, self._config = folder, subset, config
        self._root_seed, self._device = root_seed, device
        self._should_stop, self._on_progress = should_stop, on_progress
        self._probe: GapProbe | None = None

    def select(self, images_seen: int) -> Rate:
        """Score one snapshot on the selection sample, or read what an earlier call found."""
        path = self._folder / "select" / f"{images_seen}.json"
        if path.exists():
            return Rate.from_json(read_json(path)["rate"])
        search = self._config.search
        checkpoint = self._snapshot(images_seen)
        count = total = 0
        for end in stages(search.first_samples, search.selection_samples):
            # The same noise for every snapshot: what differs between them is the training alone.
            drawn = self._draw(
                checkpoint,
                range(total, end),
                most=search.selection_samples,
                purpose="select",
                stage=f"score {images_seen:,}",
            )
            count, total = count + self._audit(drawn).rate.count, end
            if enough(count, total, epsilon=search.epsilon):
                break
        rate = wilson(count, total)
        write_json(path, {"images_seen": images_seen, "rate": rate.to_json()})
        return rate

    def gap(self, images_seen: int, rest: Dataset) -> dict[str, Any]:
        """Measure a snapshot's gap to the optimum, or read what an earlier call found.

        ``rest`` are items outside the training subset, in model units.
        """
        path = self._folder / "gap" / f"{images_seen}.json"
        if not path.exists():
            checkpoint = self._snapshot(images_seen)
            if self._probe is None:
                self._probe = checkpoint_probe(
                    checkpoint, self._subset, rest, seed=self._root_seed, device=self._device
                )
            weights = self._config.search.weights
            found = self._probe.curve(checkpoint.denoiser(weights=weights, device=self._device))
            write_json(path, {"images_seen": images_seen, **found.to_json()})
        value = read_json(path)
        del value["format_version"]
        return value

    def measure(self, images_seen: int) -> Audit:
        """Score the chosen snapshot on fresh samples; keep them, after each stage, and their audit."""
        search = self._config.search
        checkpoint = self._snapshot(images_seen)
        path = self._folder / "samples" / "fresh.npz"
        held = _read_samples(path)
        for end in stages(search.first_samples, search.fresh_samples):
            have = len(held["seeds"]) if held else 0
            if have < end:
                drawn = self._draw(
                    checkpoint,
                    range(have, end),
                    most=search.fresh_samples,
                    purpose="sample",
                    stage="fresh samples",
                )
                # In units of each column's spread, so without the schema, which speaks of their own.
                arrays = arrays_of(replace(drawn, schema=None))
                held = {k: np.concatenate([held[k], v]) if held else v for k, v in arrays.items()}
                write_npz(path, held)
            found = self._audit(self._as_dataset(checkpoint, held, end))
            if enough(found.rate.count, end, epsilon=search.epsilon):
                break
        labels = held.get("labels")
        found.save(self._folder / "audit", labels=None if labels is None else labels[:end])
        return found

    def _snapshot(self, images_seen: int) -> Checkpoint:
        return load_checkpoint(self._folder / "checkpoints" / f"{images_seen}.safetensors")

    def _audit(self, drawn: Dataset) -> Audit:
        options = replace(
            RATIO_ONLY,
            ratio_threshold=self._config.search.ratio_threshold,
            # What was trained on mirrored images copies mirrored images.
            invariances=Invariances(flip=self._config.train.mirror),
            device=self._device,
        )
        return run_audit(drawn, self._subset, options)

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
        seeds = [child_seed(self._root_seed, purpose, number) for number in numbers]
        labels = None
        if checkpoint.label_count:
            rng = np.random.default_rng(child_seed(self._root_seed, purpose, -1))
            drawn_labels = rng.integers(checkpoint.label_count, size=most)
            labels = torch.from_numpy(drawn_labels[numbers.start : numbers.stop])
        start = numbers.start
        drawn = sample(
            checkpoint.denoiser(weights=self._config.search.weights, device=self._device),
            seeds,
            shape=checkpoint.shape,
            config=self._config.sample,
            labels=labels,
            device=self._device,
            should_stop=self._should_stop,
            on_progress=lambda done, _: self._on_progress(stage, start + done, most),
        )
        found = as_items(drawn, self._subset, source=f"{self._folder.name} samples")
        if labels is not None:
            names = tuple(str(label) for label in range(checkpoint.label_count))
            found = replace(found, labels=labels.numpy(), classes=names)
        return replace(found, seeds=np.array(seeds, np.int64))

    def _as_dataset(
        self, checkpoint: Checkpoint, arrays: dict[str, npt.NDArray[Any]], count: int
    ) -> Dataset:
        dataset = Dataset(
            arrays[item_key(self._subset.kind)][:count],
            source=f"{self._folder.name} samples",
            schema=self._subset.schema,
            scaling=self._subset.scaling,
        )
        if "labels" in arrays:
            names = tuple(str(label) for label in range(checkpoint.label_count))
            dataset = replace(dataset, labels=arrays["labels"][:count], classes=names)
        return dataset


def _read_samples(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the samples that an interrupted call has kept; nothing where there are none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
