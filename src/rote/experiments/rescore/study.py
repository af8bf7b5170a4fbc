"""A finished study under other definitions: do its differences depend on the ruler?

As `rote.experiments.rescore.search` does for a search, the saved samples of every run are scored under
several criteria against the run's own training set, drawn again, and the study's own model of rates and
their
spread (`rote.stats.rate_model`) is fitted to the rates of each. Every comparison of the study is made
under each criterion, corrected for their number within a criterion, as the study does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.core.config import parse_config
from rote.core.errors import DataError, RunError
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import fit_dataset
from rote.experiments.rescore.score import Asked, RescoredRun, criteria_for, score_run
from rote.experiments.run.spec import RunSpec
from rote.experiments.search.result_file import CONFIDENCE
from rote.experiments.studies.layout import own_file
from rote.experiments.studies.plan import Cell, Plan, plan_study, source_of
from rote.experiments.studies.result_file import short
from rote.experiments.trainers.config import TrainerConfig
from rote.results.criteria import StudyCriteriaFile
from rote.results.run import TrialFile
from rote.results.schema import write_result
from rote.stats.rate_model import fit_rates


def rescore_study(
    folder: Path,
    dataset: Dataset,
    *,
    criteria: Sequence[str] | None = None,
    quality: bool = True,
    ruler_resolution: int | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Score a finished study under other criteria, and write `criteria.json` into its folder.

    Parameters and errors are those of `rote.experiments.rescore.search.rescore_search`; a study of two
    sources is refused.
    """
    value = read_json(folder / "study.json")
    design = value["design"]
    if design["second_source"]:
        raise RunError(f"{folder} is a study of two sources, which cannot be drawn again from one")
    if value["data"]["digest"] != dataset.digest:
        raise DataError(
            f"`dataset` {dataset.source} is not what the study in {folder} drew from "
            f"({value['data']['source']}, digest {value['data']['digest'][:12]}); give that, with the "
            "same `resolution` and `channels`"
        )
    asked = criteria_for(dataset, criteria, resolution=ruler_resolution, tolerance=tolerance)
    scaled, _ = for_models(dataset)
    own, trainer = own_file(folder, value["study"]), value.get("trainer")
    plan = plan_study(
        str(own) if own.exists() else value["study"],
        source_of(scaled),
        scale_name=value["scale"],
        runs=folder / value["runs_folder"],
        seed=value["seed"],
        seeds=design["seeds"],
        values=design["values"],
        sizes=design["sizes"] or None,
        trainer=trainer and parse_config(TrainerConfig, trainer, where=str(folder / "study.json")),
    )
    trials = plan.all_trials()
    found: dict[str, RescoredRun] = {}
    for number, trial in enumerate(trials):
        on_progress(number, len(trials))
        if trial.name not in found:
            found[trial.name] = _score(trial, scaled, asked, quality=quality)
    on_progress(len(trials), len(trials))
    content = _content(value, plan, found, asked)
    write_result(folder / "criteria.json", StudyCriteriaFile, content)
    return content


def _score(trial: RunSpec, dataset: Dataset, asked: Asked, *, quality: bool) -> RescoredRun:
    result = trial.finished(TrialFile)
    if result is None:
        raise RunError(f"{trial.folder} holds no finished run; run the study to its end")
    drawn = trial.draw(dataset)
    return score_run(
        trial,
        drawn.dataset,
        _outside(dataset.take(drawn.population), drawn.dataset),
        asked,
        total=result.rate.total,
        quality=quality,
    )


def _outside(dataset: Dataset, training: Dataset) -> Dataset | None:
    """Return the items that equal none of a training set, in its form."""
    if dataset.shape != training.shape:
        channels, height, _ = training.shape
        dataset = fit_dataset(dataset, resolution=height, channels=channels)
    rows = dataset.outside(training)
    return dataset.take(rows) if len(rows) else None


def _content(
    value: dict[str, Any], plan: Plan, found: dict[str, RescoredRun], asked: Asked
) -> dict[str, Any]:
    """Return the content of `criteria.json`."""
    runs = [
        {"value": cell.value, "size": cell.size, "replicate": trial.replicate, "key": trial.name}
        | found[trial.name].to_json()
        for cell, trials in plan.trials.items()
        for trial in trials
    ]
    return {
        "kind": "study-criteria",
        "study": value["study"],
        "confidence": CONFIDENCE,
        "ruler": {"resolution": asked.resolution, "tolerance": asked.tolerance},
        "data": value["data"],
        "seed": value["seed"],
        "runs": runs,
        "criteria": [_criterion(name, plan, found) for name in asked.names],
    }


def _criterion(name: str, plan: Plan, found: dict[str, RescoredRun]) -> dict[str, Any]:
    """Return one criterion's mean rates and differences."""
    first = next(iter(found.values())).described[name]
    counts: dict[Cell, list[tuple[int, int]]] = {
        cell: [
            (rate.count, rate.total)
            for trial in trials
            if (rate := found[trial.name].rates.get(name)) is not None
        ]
        for cell, trials in plan.trials.items()
    }
    entry: dict[str, Any] = {
        "name": name,
        "title": first["title"],
        "words": first["words"],
        "formula": first["formula"],
        "source": first["source"],
        "cells": [],
        "effects": [],
        "reason": None,
    }
    if not all(counts.values()):
        entry["reason"] = "too few held-out items to calibrate in some run"
        return entry
    model, pairs = fit_rates(counts), plan.pairs()
    each = 1 - (1 - CONFIDENCE) / max(1, len(pairs))
    entry["cells"] = [
        {
            "value": cell.value,
            "size": cell.size,
            "rate": model.rate(cell, confidence=CONFIDENCE).to_json(),
        }
        for cell in counts
    ]
    entry["effects"] = [
        {
            "first": {"value": one.value, "size": one.size},
            "second": {"value": other.value, "size": other.size},
            "difference": {
                key: short(part)
                for key, part in model.difference(one, other, confidence=each).to_json().items()
            },
            "known": model.is_known(one) and model.is_known(other),
        }
        for one, other, _ in pairs
    ]
    return entry
