"""The result of a search, and the one that a folder may have already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.core.atomic_files import read_json
from rote.core.presentation.shown import ShownFile
from rote.data.dataset import Dataset
from rote.emm.curve import EmmInterval
from rote.experiments.presentation import emm as presentation
from rote.experiments.search.result_file import ITEMS, answer, slopes_of
from rote.results.emm import Budget, EmmFile
from rote.results.run import Point

if TYPE_CHECKING:
    import pandas as pd

# Settings that choose the runs and decide nothing within one: a folder serves any of them.
PATH_SETTINGS = (
    "tolerance",
    "replicates",
    "max_runs",
    "budget_images",
    "budget_seconds",
    "start",
    "min_size",
    "max_size",
    "steps_per_octave",
    "points_per_round",
)


@dataclass(frozen=True, repr=False)
class EmmEstimate(ShownFile):
    """The result of a search; `to_json` is the content of `emm.json`."""

    found: EmmInterval
    sentence: str
    points: tuple[Point, ...]
    json: dict[str, Any]

    @property
    def value(self) -> float | None:
        """The EMM in training items; None where it lies beyond the sizes tried."""
        return self.found.value

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""
        return self.found.low

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""
        return self.found.high

    @property
    def status(self) -> str:
        """Within the sizes tried: "bracketed"; "above" or "below" them; "unknown": no falling curve."""
        return self.found.status

    @property
    def budget(self) -> Budget | None:
        """Exposures of an item at the EMM, and how the EMM grows with the training; `budget.sentence`."""
        return self._file.budget

    @cached_property
    def _file(self) -> EmmFile:
        return EmmFile.model_validate_json(json.dumps(self.json))

    def sentences(self) -> Sequence[str]:
        """Return the answer, what it rests on, the controls, and what was left out."""
        return presentation.sentences(self._file)

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for every run, by size and replicate; needs pandas."""
        return presentation.frame(self._file)

    def plot(self) -> Any:
        """Return an Altair chart of the runs, the curve and the EMM; a notebook draws it."""
        return presentation.curve(self._file)


def finished_search(
    out: Path, asked: dict[str, Any], *, dataset: Dataset, seed: int
) -> EmmEstimate | None:
    """Return the answer of a finished search, if it is the one asked for but perhaps for its epsilon."""
    if not (out / "emm.json").exists():
        return None
    value = read_json(out / "emm.json")
    config, epsilon = value["config"], asked["search"]["epsilon"]
    same = asked["search"] | {"epsilon": config["search"]["epsilon"]} == config["search"]
    makers = ("model", "train", "sample", "trainer")
    same = same and all(asked.get(key) == config.get(key) for key in makers)
    if not same or value["seed"] != seed or value["data"]["digest"] != dataset.digest:
        return None
    here = bound(asked, dataset=dataset, seed=seed)["data"]
    if read_json(out / "config.json")["data"].get("captions") != here.get("captions"):
        return None
    if epsilon != config["search"]["epsilon"]:
        sizes = value["design"]["sizes"]
        value |= answer(
            _points(value),
            epsilon=epsilon,
            reach=(sizes[0], sizes[-1]),
            items=ITEMS[dataset.kind],
            slopes=slopes_of(config.get("trainer")),
        )
    return estimate_of(value)


def bound(asked: dict[str, Any], *, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Return what a folder belongs to: all that decides a run."""
    search = {key: value for key, value in asked["search"].items() if key not in PATH_SETTINGS}
    data = {**dataset.describe(), "classes": list(dataset.classes)}
    if "trainer" in asked and (texts := dataset.captions_digest):  # which a trainer may read
        data["captions"] = texts
    return {
        "kind": "emm",
        "seed": seed,
        "data": data,
        **asked,
        "search": search,
    }


def estimate_of(value: dict[str, Any]) -> EmmEstimate:
    """Return the content of `emm.json` as the result of a search."""
    return EmmEstimate(
        found=EmmInterval(**value["emm"]),
        sentence=value["sentence"],
        points=tuple(_points(value)),
        json=value,
    )


def _points(value: dict[str, Any]) -> list[Point]:
    return [Point.model_validate_json(json.dumps(point)) for point in value["points"]]
