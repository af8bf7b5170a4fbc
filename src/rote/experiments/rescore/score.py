"""The saved samples of one run scored under several criteria, with their controls and quality."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError, RunError
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.data.files.arrays import item_key
from rote.data.load import fit_dataset
from rote.data.resample import fit_images
from rote.experiments.run.score import FRESH
from rote.experiments.run.spec import RunSpec, Setting
from rote.experiments.search.result_file import CONFIDENCE
from rote.memorization.criteria import (
    CRITERIA,
    CarliniCriterion,
    Conditions,
    applied_criteria,
    check_criteria,
)
from rote.memorization.criteria.criterion import OwnThreshold
from rote.memorization.criteria.tolerance import (
    Tolerance,
    has_tolerance,
    threshold_for,
    tolerance_of,
)
from rote.memorization.criteria.user_threshold import check_own, read_criteria
from rote.memorization.evaluator import CriteriaEvaluator, Measured
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher
from rote.metrics.precision_recall import LEAST
from rote.metrics.quality import measure_quality
from rote.spaces.gower import Gower
from rote.spaces.space import PIXEL, own_space
from rote.stats.rates import Rate, newcombe, wilson

SOURCES = 1000
"""Most training items whose distance to another one the tolerance rests on."""


@dataclass(frozen=True)
class Asked:
    """What to score by.

    Attributes
    ----------
    names, own_thresholds
        The criteria to apply, and thresholds of one's own.
    resolution
        Height and width that samples and training sets are brought to before they are measured; None: as
        they are.
    tolerance
        Median tolerance that the ratio is given in every run, by a threshold of its own for each; None:
        the threshold that the runs were scored by.
    """

    names: tuple[str, ...]
    own_thresholds: tuple[OwnThreshold, ...]
    resolution: int | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class RescoredRun:
    """One run under all criteria; ``rates`` and ``controls`` lack those that could not be applied."""

    rates: dict[str, Rate]
    controls: dict[str, Rate]
    described: dict[str, dict[str, Any]]
    tolerance: Tolerance | None
    quality: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the rates as plain types."""
        excess = {
            name: newcombe(rate, self.controls[name]).to_json()
            for name, rate in self.rates.items()
            if name in self.controls
        }
        crowd = self.described.get(CarliniCriterion.name)
        return {
            "rates": {name: rate.to_json() for name, rate in self.rates.items()},
            "controls": {name: rate.to_json() for name, rate in self.controls.items()},
            "excess": excess,
            "thresholds": {name: entry["threshold"] for name, entry in self.described.items()},
            "tolerance": None if self.tolerance is None else self.tolerance.to_json(),
            "neighbors": crowd["neighbors"] if crowd else None,
            "quality": self.quality,
        }


def criteria_for(
    dataset: Dataset,
    texts: Sequence[str] | None,
    *,
    resolution: int | None = None,
    tolerance: float | None = None,
) -> Asked:
    """Return what to score by; no criteria: all that fit the data.

    Raises
    ------
    ConfigError, DataError
        If a criterion is unknown, or something is not for this kind of data.
    """
    if resolution is not None and dataset.kind != "image":
        raise DataError("`ruler_resolution` is for images; leave it out")
    if tolerance is not None and not 0 < tolerance < math.inf:
        raise ConfigError(f"`tolerance` is {tolerance:g}; it must be above 0, such as 12")
    if tolerance is not None and not has_tolerance(own_space(dataset), Invariances()):
        raise DataError("`tolerance` is of L2 distances, and these rows are measured by Gower's")
    known = [c.name for c in CRITERIA if dataset.kind == "image" or not c.images_only]
    asked, own = read_criteria(texts)
    names = check_criteria(known if asked is None else asked)
    if refused := [name for name in names if name not in known]:
        raise DataError(f"`criterion` {refused[0]} is for images, and the runs are of other items")
    check_own(own, [PIXEL])
    return Asked(names, own, resolution, tolerance)


def score_run(
    spec: RunSpec,
    training: Dataset,
    rest: Dataset | None,
    asked: Asked,
    *,
    total: int,
    quality: bool,
) -> RescoredRun:
    """Score the saved samples of a run.

    Parameters
    ----------
    spec
        The run; its folder holds `samples/fresh.npz` and the `audit/` of them.
    training
        What it was trained on, in model units.
    rest
        Items of the same source outside it: control and reference of the quality.
    asked
        As `criteria_for` returns them.
    total
        How many samples were scored.
    quality
        Measure it, too.

    Raises
    ------
    RunError
        If files are missing, damaged or do not belong together.
    """
    path = spec.folder / FRESH
    samples = _arrays(path, item_key(training.kind))
    if len(samples) < total:
        raise RunError(
            f"{path} holds {len(samples)} samples of {total} that were scored; run it again"
        )
    samples = samples[:total]
    ruler, tolerance = _evaluator(training, asked, spec.setting)
    if asked.resolution is not None:
        _check_audited(ruler.measure(samples), spec.folder)
        training, samples = _scaled(training, samples, asked.resolution)
        rest = None if rest is None else fit_dataset(rest, asked.resolution, None)
        ruler, tolerance = _evaluator(training, asked, spec.setting)
    held_out = None
    if rest is not None:
        measured = ruler.measure(rest.items)
        # What lies in the training set all the same is no control (find_leaks, radius 0).
        kept = np.flatnonzero(measured.matches.nn1_sq > 0)
        held_out = measured.take(kept) if len(kept) else None
    if held_out is not None:
        ruler.calibrate(held_out, confidence=CONFIDENCE)
    drawn = ruler.measure(samples)
    if asked.resolution is None:
        _check_audited(drawn, spec.folder)
    found = None
    if quality and rest is not None and min(total, len(rest)) >= LEAST:
        space = "pixel" if training.in_levels else "columns"
        found = measure_quality(
            samples, training.items, rest.items, space=space, seed=spec.root_seed
        )
    return RescoredRun(
        rates=_rates(ruler.verdicts(drawn)),
        controls={} if held_out is None else _rates(ruler.verdicts(held_out)),
        described={criterion.name: criterion.describe() for criterion in ruler.criteria},
        tolerance=tolerance,
        quality=None if found is None else found.to_json(),
    )


def _scaled(
    training: Dataset, samples: npt.NDArray[Any], resolution: int
) -> tuple[Dataset, npt.NDArray[Any]]:
    """Bring a training set and samples of it down to a resolution."""
    if resolution > min(training.shape[1:]):
        raise ConfigError(
            f"`ruler_resolution` is {resolution}, and a run is of {training.shape[2]}x"
            f"{training.shape[1]}; images are scaled down alone: give at most that"
        )
    scaled = fit_images(samples, resolution=resolution, channels=None)
    return fit_dataset(training, resolution, None), scaled


def _check_audited(drawn: Measured, folder: Path) -> None:
    """Refuse samples that are not those of the audit beside them."""
    audited = _arrays(folder / "audit" / "neighbors.npz", "nn1_sq")
    if not np.array_equal(drawn.matches.nn1_sq, audited):
        raise RunError(
            f"{folder / FRESH} does not belong to the audit beside it: distances to the training set "
            "differ; run it again"
        )


def _arrays(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: npt.NDArray[Any] = arrays[name]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} cannot be read ({error}); run it again") from None
    return found


def _evaluator(
    training: Dataset, asked: Asked, setting: Setting
) -> tuple[CriteriaEvaluator, Tolerance | None]:
    """Prepare a training set as its audit did: exact duplicates once, mirrored where trained so."""
    groups = exact_duplicates(training.items)
    positions = groups.representative
    gower = Gower.of(training) if own_space(training).metric == "gower" else None

    def matcher(invariances: Invariances) -> Matcher:
        return Matcher(
            training.items,
            positions=positions,
            group=groups.group,
            invariances=invariances,
            device="cpu",
            gower=gower,
        )

    invariances = Invariances(flip=setting.train.mirror)
    main = matcher(invariances)
    threshold, tolerance = setting.scoring.ratio_threshold, None
    if gower is None and len(positions) > 1:
        chosen = positions[:SOURCES]
        other_sq = main.nearest_other_group(training.items[chosen], chosen)
        shape, space = training.items.shape[1:], own_space(training)
        if asked.tolerance is not None:
            threshold = threshold_for(asked.tolerance, other_sq, values=math.prod(shape))
        tolerance = tolerance_of(
            other_sq, space, invariances, shape=shape, ratio_threshold=threshold
        )
    conditions = Conditions(
        ratio_threshold=threshold,
        own_thresholds=asked.own_thresholds,
        # Of fewer than 50 training items all are the neighborhood; which it was stands in the file.
        most_neighbors=len(positions),
    )
    evaluator = CriteriaEvaluator(
        criteria=applied_criteria(asked.names, conditions),
        matcher=main,
        without_tone=main,  # no tone here
        without_invariances=matcher(Invariances()) if setting.train.mirror else main,
        training=training.items,
    )
    return evaluator, tolerance


def _rates(verdicts: dict[str, Any]) -> dict[str, Rate]:
    return {
        name: wilson(int(mask.sum()), len(mask), confidence=CONFIDENCE)
        for name, mask in verdicts.items()
    }
