"""`gap.json` of a training run: the gap to the optimum at each snapshot, measured once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rote.core.atomic_files import read_json
from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.messages import reading_options
from rote.diffusion.checkpoint import Checkpoint, Weights, load_checkpoint, snapshot_paths
from rote.diffusion.conditioning import conditioning
from rote.diffusion.config import TrainConfig
from rote.diffusion.probes.gap import SIGMAS, GapProbe, gap_probe, usual_points
from rote.results.gap import GapFile
from rote.results.schema import write_result


def complement(dataset: Dataset, taken: Iterable[int]) -> Dataset:
    """Return the items of a source that are not at the ``taken`` positions, in its order."""
    kept = np.ones(len(dataset), bool)
    kept[np.fromiter(taken, np.int64)] = False
    return dataset.take(np.flatnonzero(kept))


def find_subset(
    dataset: Dataset, checkpoint: Checkpoint, *, count: int, seeds: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the positions in a source of the subset that a checkpoint was trained on, by its digest.

    Tried are the ways in which `rote train` takes a subset: the first of the source or a random draw of
    each seed, class-balanced or not.

    Raises
    ------
    DataError
        If none of them has the checkpoint's digest.
    """
    for seed in (None, *seeds):
        for stratify in (False, True):
            try:
                found = dataset.subset_indices(count, seed=seed, stratify=stratify)
            except DataError:  # too small a source, or one that cannot be balanced
                continue
            if dataset.take(found).digest == checkpoint.facts["dataset"]:
                return found
    tried = ", ".join(map(str, seeds))
    raise DataError(
        f"`dataset` {dataset.source} has no subset of {count} items that {checkpoint.path} was trained "
        f"on (tried the whole source, its first items, and `seed` {tried}); give the `dataset` and "
        f"`seed` of the training, with its {reading_options(table=dataset.schema is not None)}"
    )


def checkpoint_probe(
    checkpoint: Checkpoint,
    subset: Dataset,
    rest: Dataset,
    *,
    seed: int,
    sigmas: Sequence[float] = SIGMAS,
    points: int | None = None,
    device: str | torch.device = "cpu",
) -> GapProbe:
    """Make the probe of a checkpoint's run: the labels are those that it was trained with.

    Raises
    ------
    DataError
        If ``subset`` is not what the checkpoint was trained on; else as `gap_probe`.
    """
    checkpoint.check_trained_on(subset)
    kind, count = checkpoint.facts["labels"], checkpoint.label_count
    config = TrainConfig(images=1, labels=kind, random_classes=count or None)
    labels = conditioning(subset, config, seed=checkpoint.facts["seed"]).labels
    rest_labels = conditioning(rest, config, seed=0).labels if kind == "true" else None
    return gap_probe(
        subset,
        rest,
        seed=seed,
        sigmas=sigmas,
        points=points,
        labels=labels,
        holdout_labels=rest_labels,
        device=device,
    )


class GapLog:
    """Measures the snapshots of a run that its `gap.json` does not hold yet.

    The optima are computed once, when the first snapshot is measured. A `gap.json` of other settings
    (seed, weights, noise levels, points, data) is begun anew.
    """

    def __init__(
        self,
        run: Path,
        subset: Dataset,
        rest: Dataset,
        *,
        seed: int,
        weights: Weights = "ema",
        sigmas: Sequence[float] = SIGMAS,
        points: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._run, self._subset, self._rest, self._device = run, subset, rest, device
        if points is None:
            points = usual_points(subset.shape, len(sigmas))
        self._settings = {
            "seed": seed,
            "weights": weights,
            "sigmas": [float(sigma) for sigma in sigmas],
            "points": points,
            "training": subset.describe(),
            "holdout": rest.describe(),
        }
        self._seed, self._weights, self._sigmas, self._points = seed, weights, sigmas, points
        self._probe: GapProbe | None = None

    def update(
        self, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Any]:
        """Measure what is missing, write `gap.json` after each snapshot, and return its content.

        Raises
        ------
        DataError, ConfigError
            As `checkpoint_probe` and `GapProbe.curve`.
        """
        path = self._run / "gap.json"
        found: dict[int, dict[str, Any]] = {}
        if path.exists():
            old = read_json(path)
            if all(old.get(key) == value for key, value in self._settings.items()):
                found = {entry["images_seen"]: entry for entry in old["snapshots"]}
        snapshots = snapshot_paths(self._run)
        for number, snapshot in enumerate(snapshots):
            checkpoint = load_checkpoint(snapshot)
            if checkpoint.images_seen not in found:
                found[checkpoint.images_seen] = self._measure(checkpoint)
                write_result(path, GapFile, self._content(found))
            on_progress(number + 1, len(snapshots))
        return self._content(found)

    def _content(self, found: dict[int, dict[str, Any]]) -> dict[str, Any]:
        entries = [found[seen] for seen in sorted(found)]
        return {"kind": "gap", **self._settings, "snapshots": entries}

    def _measure(self, checkpoint: Checkpoint) -> dict[str, Any]:
        if self._probe is None:
            self._probe = checkpoint_probe(
                checkpoint,
                self._subset,
                self._rest,
                seed=self._seed,
                sigmas=self._sigmas,
                points=self._points,
                device=self._device,
            )
        curve = self._probe.curve(checkpoint.denoiser(weights=self._weights, device=self._device))
        return {"images_seen": checkpoint.images_seen, **curve.to_json()}
