"""The saved samples of one run scored under several criteria, with their controls and quality."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError, RunError
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.data.files.arrays import item_key
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
from rote.memorization.criteria.user_threshold import check_own, read_criteria
from rote.memorization.evaluator import CriteriaEvaluator
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher
from rote.metrics.precision_recall import LEAST
from rote.metrics.quality import measure_quality
from rote.spaces.gower import Gower
from rote.spaces.space import PIXEL, own_space
from rote.stats.rates import Rate, newcombe, wilson


@dataclass(frozen=True)
class Asked:
    """The criteria to apply, and thresholds of one's own."""

    names: tuple[str, ...]
    own_thresholds: tuple[OwnThreshold, ...]


@dataclass(frozen=True)
class RescoredRun:
    """One run under all criteria; ``rates`` and ``controls`` lack those that could not be applied."""

    rates: dict[str, Rate]
    controls: dict[str, Rate]
    described: dict[str, dict[str, Any]]
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
            "neighbors": crowd["neighbors"] if crowd else None,
            "quality": self.quality,
        }


def criteria_for(dataset: Dataset, texts: Sequence[str] | None) -> Asked:
    """Return the criteria to apply: None is all that fit the data.

    Raises
    ------
    ConfigError, DataError
        If one is unknown, or not for this kind of data.
    """
    known = [c.name for c in CRITERIA if dataset.kind == "image" or not c.images_only]
    asked, own = read_criteria(texts)
    names = check_criteria(known if asked is None else asked)
    if refused := [name for name in names if name not in known]:
        raise DataError(f"`criterion` {refused[0]} is for images, and the runs are of vectors")
    check_own(own, [PIXEL])
    return Asked(names, own)


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
    ruler = _evaluator(training, asked, spec.setting)
    held_out = None
    if rest is not None:
        measured = ruler.measure(rest.items)
        # What lies in the training set all the same is no control (find_leaks, radius 0).
        kept = np.flatnonzero(measured.matches.nn1_sq > 0)
        held_out = measured.take(kept) if len(kept) else None
    if held_out is not None:
        ruler.calibrate(held_out, confidence=CONFIDENCE)
    drawn = ruler.measure(samples)
    audited = _arrays(spec.folder / "audit" / "neighbors.npz", "nn1_sq")
    if not np.array_equal(drawn.matches.nn1_sq, audited):
        raise RunError(
            f"{path} does not belong to the audit beside it: distances to the training set differ; run "
            "it again"
        )
    found = None
    if quality and rest is not None and min(total, len(rest)) >= LEAST:
        space = "pixel" if training.kind == "image" else "columns"
        found = measure_quality(
            samples, training.items, rest.items, space=space, seed=spec.root_seed
        )
    return RescoredRun(
        rates=_rates(ruler.verdicts(drawn)),
        controls={} if held_out is None else _rates(ruler.verdicts(held_out)),
        described={criterion.name: criterion.describe() for criterion in ruler.criteria},
        quality=None if found is None else found.to_json(),
    )


def _arrays(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: npt.NDArray[Any] = arrays[name]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} cannot be read ({error}); run it again") from None
    return found


def _evaluator(training: Dataset, asked: Asked, setting: Setting) -> CriteriaEvaluator:
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

    main = matcher(Invariances(flip=setting.train.mirror))
    conditions = Conditions(
        ratio_threshold=setting.scoring.ratio_threshold,
        own_thresholds=asked.own_thresholds,
        # Of fewer than 50 training items all are the neighborhood; which it was stands in the file.
        most_neighbors=len(positions),
    )
    return CriteriaEvaluator(
        criteria=applied_criteria(asked.names, conditions),
        matcher=main,
        without_tone=main,  # no tone here
        without_invariances=matcher(Invariances()) if setting.train.mirror else main,
        training=training.items,
    )


def _rates(verdicts: dict[str, Any]) -> dict[str, Rate]:
    return {
        name: wilson(int(mask.sum()), len(mask), confidence=CONFIDENCE)
        for name, mask in verdicts.items()
    }
