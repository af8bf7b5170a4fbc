"""Scores snapshots of one run: a sample to choose one, fresh samples to say what it copies.

A search draws them in stages, more only where fewer cannot place the run. Sample i is a function of the
run's seed and i, so it is the same whatever the stages are. A stage ends the sampling by the count so
far; the likelihood of that count, which is what the estimate of the EMM is made of, is the same as if
the total had been fixed beforehand.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_npz
from rote.data.dataset import KINDS, Dataset
from rote.data.files.arrays import arrays_of, item_key
from rote.emm.acquisition import enough
from rote.experiments.run.models import COMPARED, Model
from rote.experiments.run.spec import RunSpec
from rote.memorization.audit.audit import Audit, run_audit
from rote.memorization.audit.options import RATIO_ONLY
from rote.memorization.invariances import Invariances
from rote.results.gap import GapSnapshot
from rote.results.run import GapSnapshotFile, SelectFile, Snapshot
from rote.results.schema import read_result, write_result
from rote.stats.rates import wilson

FRESH = Path("samples", "fresh.npz")
"""Where the samples of the chosen model lie in a run's folder."""


def first_samples(folder: Path) -> npt.NDArray[Any] | None:
    """Return the first samples of a finished run, at most `COMPARED`; None if all of them are alike."""
    arrays = _read_samples(folder / FRESH)
    items = next((arrays[key] for kind in KINDS if (key := item_key(kind)) in arrays), None)
    if items is None:
        return None
    items = items[:COMPARED]
    return items if (items != items[:1]).any() else None


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
    """Draws samples of a run's models and audits them against its training set."""

    def __init__(self, spec: RunSpec, training: Dataset) -> None:
        self._spec, self._scoring, self._training = spec, spec.setting.scoring, training

    def select(self, model: Model) -> Snapshot:
        """Score one model on the selection sample, or read what an earlier call found."""
        path = self._spec.folder / "select" / f"{model.images_seen}.json"
        if not path.exists():
            most = self._scoring.selection_samples
            count = total = 0
            for end in self._stages(most):
                # The same noise for every snapshot: what differs between them is the training alone.
                drawn = model.draw(
                    range(total, end),
                    most=most,
                    purpose="select",
                    stage=f"score {model.images_seen:,}",
                )
                count, total = count + self.audit(drawn).rate.count, end
                if self._are_enough(count, total):
                    break
            rate = wilson(count, total).to_json()
            write_result(path, SelectFile, {"images_seen": model.images_seen, "rate": rate})
        return read_result(path, SelectFile)

    def gap(self, model: Model, rest: Dataset) -> GapSnapshot | None:
        """Measure a model's gap to the optimum, or read what an earlier call found.

        ``rest`` are items outside the training set, in model units. None: it has no denoiser.
        """
        path = self._spec.folder / "gap" / f"{model.images_seen}.json"
        if not path.exists():
            found = model.gap(rest)
            if found is None:
                return None
            value = {"images_seen": model.images_seen, **found.to_json()}
            write_result(path, GapSnapshotFile, value)
        return read_result(path, GapSnapshotFile)

    def measure(self, model: Model) -> Audit:
        """Score a model on fresh samples, which are kept after each stage."""
        path = self._spec.folder / _fresh_file(model)
        held = _read_samples(path)
        for end in self._stages(self._scoring.samples):
            have = len(held["seeds"]) if held else 0
            if have < end:
                drawn = model.draw(
                    range(have, end),
                    most=self._scoring.samples,
                    purpose="sample",
                    stage="fresh samples",
                )
                # In units of each column's spread, so without the schema, which speaks of their own.
                arrays = arrays_of(replace(drawn, schema=None))
                held = {k: np.concatenate([held[k], v]) if held else v for k, v in arrays.items()}
                write_npz(path, held)
            found = self.audit(self._as_dataset(model, held, end))
            if self._are_enough(found.rate.count, end):
                break
        return found

    def choose(self, model: Model, found: Audit) -> None:
        """Keep the samples of the chosen model, and their audit, as those of the run."""
        kept = self._spec.folder / FRESH
        path = self._spec.folder / _fresh_file(model)
        if path.exists() and path != kept:
            path.replace(kept)
        for other in kept.parent.glob("fresh-*.npz"):
            other.unlink()
        found.save(self._spec.folder / "audit")

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

    def _as_dataset(self, model: Model, arrays: dict[str, npt.NDArray[Any]], count: int) -> Dataset:
        return Dataset(
            arrays[item_key(self._training.kind)][:count],
            labels=arrays["labels"][:count] if "labels" in arrays else None,
            classes=model.classes,
            source=f"samples of {self._spec.folder.name}",
            schema=self._training.schema,
            scaling=self._training.scaling,
        )


def _fresh_file(model: Model) -> Path:
    """Return where fresh samples of a model lie while it may not be the one that is chosen."""
    if model.reusable:
        return FRESH
    return FRESH.with_name(f"fresh-{model.images_seen}.npz")


def _read_samples(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the samples that an interrupted call has kept; nothing where there are none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
