"""Reads the folder of a study: `study.json`, and of its runs the losses and the first samples."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.report.words import plain
from rote.results.arrays import read_arrays
from rote.results.gallery import picture_of, planes_of
from rote.results.run import StudyRun
from rote.results.schema import damaged, read_result
from rote.results.study import Effect, StudyFile

STRIP = 12


@dataclass(frozen=True)
class Study:
    """A finished study; ``loss`` by the key of a run is (images seen, training loss), above 0.

    A run that is not there any more has no loss.
    """

    folder: Path
    file: StudyFile
    loss: Mapping[str, Sequence[tuple[int, float]]]

    @property
    def runs(self) -> list[StudyRun]:
        """All runs, by their cells."""
        return [run for cell in self.file.cells for run in cell.runs]

    def headline(self) -> Effect | None:
        """Return the effect that stands for the study: the largest with a claim, or the largest."""
        effects = self.file.effects
        spoken = [effect for effect in effects if effect.paper] or list(effects)
        return max(spoken, key=lambda effect: abs(effect.difference.value), default=None)


def read_study(folder: Path) -> Study:
    """Read the folder of a study.

    Raises
    ------
    RunError
        If `study.json` is missing or damaged.
    """
    path = folder / "study.json"
    file = read_result(path, StudyFile)
    loss = {}
    for n, cell in enumerate(file.cells):
        for m, run in enumerate(cell.runs):
            if not run.key.isalnum():
                raise damaged(path, f"cells[{n}].runs[{m}].key", "the name of a run")
            rows = read_metrics(folder / file.runs_folder / run.key / "metrics.jsonl")
            loss[run.key] = [(row["images_seen"], row["loss"]) for row in rows if row["loss"] > 0]
    return Study(folder, file, loss)


def strips(study: Study) -> list[dict[str, Any]]:
    """Return the first samples of each value at one size, as small pictures with their verdicts.

    The noise seeds are the same for all values, so a column shows one sample under every value. Empty
    for rows and series, and where the runs are not there any more.
    """
    found: list[dict[str, Any]] = []
    kind = study.file.data.kind
    if kind not in ("image", "volume"):
        return found
    held, axes = ("images", 4) if kind == "image" else ("volumes", 5)
    cells, folder = study.file.cells, study.folder / study.file.runs_folder
    # Where every value has a size of its own, all are shown.
    several = len({cell.size for cell in cells if cell.value == cells[0].value}) > 1
    for cell in cells:
        if several and cell.size != cells[0].size:
            continue
        key = cell.runs[0].key
        samples = folder / key / "samples" / "fresh.npz"
        if not samples.exists():
            return []
        images = read_arrays(samples, [held])[held]
        audited = folder / key / "audit" / "neighbors.npz"
        memorized = read_arrays(audited, ["memorized"])["memorized"]
        if images.ndim != axes or images.dtype != np.uint8 or len(images) != len(memorized):
            raise RunError(f"{samples} is damaged: it does not fit its audit; run the study again")
        tiles = [
            {"src": _picture(image), "memorized": bool(copy)}
            for image, copy in zip(images[:STRIP], memorized[:STRIP], strict=True)
        ]
        name = plain(cell.value)
        found.append({"value": name, "size": cell.size, "rate": cell.runs[0].rate, "tiles": tiles})
    return found


def _picture(image: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    picture_of(planes_of(image) if image.ndim == 4 else image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
