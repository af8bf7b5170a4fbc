"""Reads `study.json` and the samples of its runs into frozen records, checking what a page relies on."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.atomic_files import read_json
from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.report.arrays import read_arrays
from rote.report.fields import Fields
from rote.report.words import plain
from rote.stats.rates import Rate

STRIP = 12


@dataclass(frozen=True)
class Interval:
    """A number with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class StudyRun:
    """One run of a study."""

    key: str
    replicate: int
    rate: Rate
    images_seen: int
    own_label: int | None
    repeated: int | None
    seconds: float
    snapshots: tuple[tuple[int, float], ...]
    """Images seen and rate, where snapshots were scored."""
    loss: tuple[tuple[int, float], ...]
    """Images seen and training loss; empty where the run is not there any more."""


@dataclass(frozen=True)
class StudyCell:
    """One value at one size, with all its runs."""

    value: str
    size: int
    rate: Interval
    runs: tuple[StudyRun, ...]


@dataclass(frozen=True)
class Effect:
    """A comparison of two cells: the rate of the first less that of the second."""

    first: tuple[str, int]
    second: tuple[str, int]
    difference: Interval
    paper: str | None
    verdict: str | None


@dataclass(frozen=True)
class Study:
    """A finished study."""

    folder: Path
    text: str
    fields: Fields
    name: str
    title: str
    sentence: str
    verdict: str | None
    baseline: str
    cells: tuple[StudyCell, ...]
    effects: tuple[Effect, ...]
    figures: tuple[tuple[str, int, float], ...]
    margin: float
    """Two rates are alike if they differ by no more than this."""

    def headline(self) -> Effect | None:
        """Return the effect that stands for the study: the largest with a claim, or the largest."""
        spoken = [effect for effect in self.effects if effect.paper] or list(self.effects)
        return max(spoken, key=lambda effect: abs(effect.difference.value), default=None)


def read_study(folder: Path) -> Study:
    """Read the folder of a study.

    Raises
    ------
    RunError
        If `study.json` is missing or damaged.
    """
    path = folder / "study.json"
    fields = Fields(path, read_json(path))
    fields.one_of("kind", "study")
    verdict = fields.values.get("verdict")
    if verdict is not None:
        verdict = fields.one_of("verdict", "agrees", "disagrees", "not decided")
    runs = _runs_folder(folder, fields)
    cells = tuple(_cell(entry, runs) for entry in fields.children("cells"))
    if not cells:
        raise fields.wrong("cells", "a list with at least one value")
    return Study(
        folder=folder,
        text=path.read_text(encoding="utf-8"),
        fields=fields,
        name=fields.text("study"),
        title=fields.text("title"),
        sentence=fields.text("sentence"),
        verdict=verdict,
        baseline=fields.child("design").text("baseline"),
        margin=fields.child("design").number("margin"),
        cells=cells,
        effects=tuple(_effect(entry) for entry in fields.children("effects")),
        figures=tuple(
            (entry.text("value"), entry.positive("size"), entry.number("rate"))
            for entry in fields.child("paper").children("figures")
        ),
    )


def _interval(fields: Fields, least: float) -> Interval:
    found = Interval(fields.number("value"), fields.number("low"), fields.number("high"))
    if not least <= found.low <= found.value <= found.high <= 1:
        raise fields.wrong("value", f"a number with its interval inside {least:g} to 1")
    return found


def _cell(fields: Fields, folder: Path) -> StudyCell:
    runs = tuple(
        StudyRun(
            key=run.text("key"),
            replicate=run.count("replicate"),
            rate=run.rate("rate"),
            images_seen=run.count("images_seen"),
            own_label=_optional_count(run, "own_label"),
            repeated=_optional_count(run, "repeated"),
            seconds=run.number("seconds"),
            snapshots=tuple(
                (each.count("images_seen"), each.rate("rate").value)
                for each in run.children("selection")
            ),
            loss=_losses(run, folder),
        )
        for run in fields.children("runs")
    )
    rate = _interval(fields.child("rate"), 0)
    return StudyCell(fields.text("value"), fields.positive("size"), rate, runs)


def _losses(run: Fields, folder: Path) -> tuple[tuple[int, float], ...]:
    key = run.text("key")
    if not key.isalnum():
        raise run.wrong("key", "the name of a run")
    rows = read_metrics(folder / key / "metrics.jsonl")
    return tuple((row["images_seen"], row["loss"]) for row in rows if row["loss"] > 0)


def _optional_count(fields: Fields, key: str) -> int | None:
    return None if fields.values.get(key) is None else fields.count(key)


def _effect(fields: Fields) -> Effect:
    first, second = fields.child("first"), fields.child("second")
    claims = fields.values.get("paper") is not None
    return Effect(
        first=(first.text("value"), first.positive("size")),
        second=(second.text("value"), second.positive("size")),
        difference=_interval(fields.child("difference"), -1),
        paper=fields.one_of("paper", "more", "less", "like") if claims else None,
        verdict=fields.text("verdict") if claims else None,
    )


def _runs_folder(folder: Path, fields: Fields) -> Path:
    """Return the folder of the study's runs; rote never names another one than these."""
    return folder / fields.one_of("runs_folder", "runs", "../runs")


def strips(study: Study) -> list[dict[str, Any]]:
    """Return the first samples of each value at one size, as small pictures with their verdicts.

    The noise seeds are the same for all values, so a column shows one sample under every value. Empty
    for vectors, and where the runs are not there any more.
    """
    found = []
    size = study.cells[0].size
    folder = _runs_folder(study.folder, study.fields)
    # Where every value has a size of its own, all are shown.
    several = len({cell.size for cell in study.cells if cell.value == study.cells[0].value}) > 1
    for cell in study.cells:
        if several and cell.size != size:
            continue
        key = cell.runs[0].key
        samples = folder / key / "samples" / "fresh.npz"
        if not samples.exists():
            return []
        (images,) = read_arrays(samples, "images")
        (memorized,) = read_arrays(folder / key / "audit" / "neighbors.npz", "memorized")
        if images.ndim != 4 or images.dtype != np.uint8 or len(images) != len(memorized):
            if images.ndim == 2:
                return []
            raise RunError(f"{samples} is damaged: it does not fit its audit; run the study again")
        tiles = [
            {"src": _picture(image), "memorized": bool(copy)}
            for image, copy in zip(images[:STRIP], memorized[:STRIP], strict=True)
        ]
        name = plain(cell.value)
        found.append({"value": name, "size": cell.size, "rate": cell.runs[0].rate, "tiles": tiles})
    return found


def _picture(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    picture = image[:, :, 0] if image.shape[2] == 1 else image
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
