"""Other definitions over the runs of a finished search: does its conclusion depend on the ruler?

Reads the saved fresh samples of every finished run in the folder (also those of earlier calls that asked
for other sizes), draws the run's training subset again from the source, and
scores the samples under several criteria; the same curve is fitted to the rates of each. Nothing is
trained or sampled.

What it can't do. A run whose training was ended early says, by its own rule, that its rate under the
ratio would have been above or below the line. Of another criterion that says nothing, and its samples are
those of an unfinished training. Such runs are left out, of every criterion alike, so that all EMMs come
from the same runs; `emm.json` keeps the search's own answer, which uses them. Snapshots and the number of
samples were chosen by the ratio, too, where the search says so (``chosen_by_ratio``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.core.config import parse_config
from rote.core.errors import DataError, RunError
from rote.data.convert import for_models
from rote.data.dataset import Dataset, Kind
from rote.data.messages import reading_options
from rote.emm.curve import Observation
from rote.emm.fit_check import checked_curve
from rote.experiments.config import ExperimentConfig, preset
from rote.experiments.rescore.score import Asked, RescoredRun, criteria_for, score_run
from rote.experiments.run.spec import RunSpec
from rote.experiments.search.result_file import CONFIDENCE, slopes_of
from rote.experiments.search.runs import search_run
from rote.results.criteria import SearchCriteriaFile
from rote.results.run import Point, PointFile
from rote.results.schema import read_result, write_result
from rote.stats.beta_binomial import SlopePrior

Scored = tuple[Point, RescoredRun]
"""A run of the search, and what it is under all criteria."""


def _is_used(point: Point) -> bool:
    """Say whether a run was trained to its end, and so counts for every criterion."""
    return point.observation.bound == "exact"


def rescore_search(
    folder: Path,
    dataset: Dataset,
    *,
    criteria: Sequence[str] | None = None,
    quality: bool = True,
    ruler_resolution: int | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Score a finished search under other criteria, and write `criteria.json` into its folder.

    Parameters
    ----------
    folder
        The folder of `rote emm`.
    dataset
        The source that it drew from, as it was given to the search.
    criteria
        Of `rote.memorization.criteria.CRITERIA`; None: all that fit the data. "absolute=NUMBER" is the
        absolute one with a threshold of one's own.
    quality
        Measure quality beside the rates, against items outside each run's subset.
    ruler_resolution
        Height and width that samples and training sets are scaled down to before they are measured: the
        same samples by the ruler of another resolution; None: as they are.
    tolerance
        Median tolerance of the ratio in every run (`rote.memorization.criteria.tolerance`), in levels
        or spreads; None: the threshold of the search.
    on_progress
        Called with runs done and their total.

    Returns
    -------
    dict
        The content of `criteria.json`.

    Raises
    ------
    RunError
        If the folder holds no finished search, or its files do not belong together.
    DataError
        If the data is not that of the search.
    """
    if not (folder / "emm.json").is_file():
        raise RunError(f"{folder} holds no emm.json; give the `out` of a finished `rote emm`")
    value = read_json(folder / "emm.json")
    if value["data"]["digest"] != dataset.digest:
        raise DataError(
            f"`dataset` {dataset.source} is not what the search in {folder} drew from "
            f"({value['data']['source']}, digest {value['data']['digest'][:12]}); give that, with the "
            f"same {reading_options(table=dataset.schema is not None)}"
        )
    config = _config(value["config"], kind=dataset.kind, where=str(folder / "emm.json"))
    scaled, _ = for_models(dataset)
    asked = criteria_for(dataset, criteria, resolution=ruler_resolution, tolerance=tolerance)
    paths = sorted((folder / "points").glob("*/point.json"))
    points = [read_result(path, PointFile) for path in paths]
    points.sort(key=lambda point: (point.size, point.replicate))
    runs: list[Scored] = []
    for number, point in enumerate(points):
        on_progress(number, len(points))
        spec = search_run(
            point.size,
            point.replicate,
            seed=value["seed"],
            out=folder,
            config=config,
            device="cpu",
        )
        runs.append((point, _score(spec, point, scaled, asked, quality=quality)))
    on_progress(len(points), len(points))
    found = _content(value, config, runs, asked)
    write_result(folder / "criteria.json", SearchCriteriaFile, found)
    return found


def _config(value: dict[str, Any], *, kind: Kind, where: str) -> ExperimentConfig:
    """Return the configuration of a search; with a trainer it says nothing of rote's own training."""
    if "trainer" in value:
        unused = preset("tiny", kind=kind).model_dump(exclude={"search", "trainer"})
        value = unused | value
    return parse_config(ExperimentConfig, value, where=where)


def _score(
    spec: RunSpec, point: Point, dataset: Dataset, asked: Asked, *, quality: bool
) -> RescoredRun:
    """Score the saved samples of one run."""
    drawn = spec.draw(dataset)
    bound = read_json(spec.folder / "config.json")
    # A trainer's run is bound to what drew its training set, rote's own to what was drawn.
    told = bound.get("dataset", {}).get("digest", bound.get("seed"))
    if told not in (drawn.dataset.digest, spec.root_seed):
        raise RunError(
            f"{spec.folder} was not trained on the subset that its seed draws; run again"
        )
    rest = spec.rest(dataset, drawn)
    return score_run(spec, drawn.dataset, rest, asked, total=point.rate.total, quality=quality)


def _run_json(point: Point, scored: RescoredRun) -> dict[str, Any]:
    return {
        "size": point.size,
        "replicate": point.replicate,
        "run": point.run,
        "used": _is_used(point),
        "bound": point.observation.bound,
        **scored.to_json(),
    }


def _content(
    value: dict[str, Any],
    config: ExperimentConfig,
    runs: Sequence[Scored],
    asked: Asked,
) -> dict[str, Any]:
    """Return the content of `criteria.json`."""
    sizes, emm = value["design"]["sizes"], value["emm"]
    search = config.search
    middle = emm["value"] or emm["low"] or emm["high"] or runs[0][0].size
    return {
        "kind": "criteria",
        "epsilon": search.epsilon,
        "confidence": CONFIDENCE,
        "ruler": {"resolution": asked.resolution, "tolerance": asked.tolerance},
        "data": value["data"],
        "seed": value["seed"],
        "searched": value["emm"],
        "chosen_by_ratio": {
            "snapshot": search.snapshot == "best",
            "samples": search.first_samples < search.fresh_samples,
        },
        "runs": [_run_json(*run) for run in runs],
        "left_out": sum(not _is_used(point) for point, _ in runs),
        "criteria": [
            _criterion(
                name,
                runs,
                epsilon=search.epsilon,
                reach=(sizes[0], sizes[-1]),
                middle=middle,
                slopes=slopes_of(config.trainer),
            )
            for name in asked.names
        ],
    }


def _criterion(
    name: str,
    runs: Sequence[Scored],
    *,
    epsilon: float,
    reach: tuple[int, int],
    middle: float,
    slopes: SlopePrior,
) -> dict[str, Any]:
    """Return one criterion's EMM from the runs that were trained to their end.

    ``middle`` is the size near which the control is taken.
    """
    seen = [
        Observation(point.size, scored.rates[name].count, scored.rates[name].total)
        for point, scored in runs
        if _is_used(point) and name in scored.rates
    ]
    described = runs[0][1].described[name]
    # One run's control and not all together: the runs share most of their held-out items.
    near = [run for run in runs if _is_used(run[0]) and name in run[1].controls]
    near.sort(key=lambda run: (abs(math.log(run[0].size / middle)), run[0].replicate))
    control = None
    if near:
        point, scored = near[0]
        control = {"size": point.size, "rate": scored.controls[name].to_json()}
    found: dict[str, Any] = {
        "name": name,
        "title": described["title"],
        "words": described["words"],
        "formula": described["formula"],
        "source": described["source"],
        "runs": len(seen),
        "control": control,
        "emm": None,
        "band": [],
        "reason": None,
    }
    if len({run.size for run in seen}) < 2:
        found["reason"] = (
            "fewer than two sizes have a run that was trained to its end; search with `set` "
            "search.early_stop=false"
        )
        return found
    curve = checked_curve(seen, epsilon=epsilon, reach=reach, slopes=slopes, confidence=CONFIDENCE)
    band = curve.posterior.to_json(confidence=CONFIDENCE)["band"]
    return found | {"emm": curve.emm.to_json(), "band": band}
