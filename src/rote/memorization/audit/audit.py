"""The audit: which generated items are copies of training items, what share, how sure."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.memorization.audit import files
from rote.memorization.audit.gate import check_limit, decide
from rote.memorization.audit.options import (
    Settings,
    check_gate,
    check_sides,
    check_spaces,
    chosen_criteria,
)
from rote.memorization.audit.per_space import SpaceAudit, SpaceResult
from rote.memorization.audit.prepare import check_groups, find_groups, preprocess, take_aside
from rote.memorization.audit.result import Findings
from rote.memorization.controls import Copies, degraded_copies, find_leaks, training_matches
from rote.memorization.criteria import Calibration, RatioCriterion
from rote.memorization.criteria.user_threshold import read_criteria
from rote.memorization.evaluator import Measured
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Progress, no_progress
from rote.memorization.summary import classify
from rote.spaces import PIXEL, Space, open_spaces, own_space
from rote.stats.rates import Rate

__all__ = ["Audit", "audit"]

COPIES = 100


class Audit(Findings):
    """What an audit found, and its files."""

    def to_json(self) -> dict[str, Any]:
        """Return the content of `audit.json`."""
        return files.to_json(self)

    def save(self, folder: Path, *, labels: npt.NDArray[np.int64] | None = None) -> None:
        """Write `neighbors.npz`, the tables, `gallery.npz` and, last, `audit.json`."""
        files.save(self, folder, labels=labels)


def _no_stage(name: str) -> None:
    """Ignore stages."""


def audit(
    generated: Dataset,
    training: Dataset,
    *,
    holdout: Dataset | None = None,
    criterion: RatioCriterion | None = None,
    criteria: Sequence[str] | None = None,
    spaces: Sequence[str | Space] = ("pixel",),
    ruler_resolution: int | None = None,
    through_autoencoder: str | None = None,
    duplicate_rms: float = 0.0,
    invariances: Invariances | None = None,
    false_positive_rate: float = 0.005,
    set_aside: int = 0,
    positive_control_copies: int | None = 0,
    training_sample: int = 0,
    fail_above: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    device: str = "cpu",
    features_folder: Path | None = None,
    on_progress: Progress = no_progress,
    on_stage: Callable[[str], None] = _no_stage,
) -> Audit:
    """Find which generated items are copies of training items.

    Parameters
    ----------
    generated, training
        The queries and the references: images of one size and channel count, or vectors in the same
        units (`rote.data.convert.Scaling` puts both into units of each column's spread).
    holdout
        Real items that were not trained on, scored as if they had been generated: the control.
    criterion
        The ratio rule; None takes c = 1/3.
    criteria
        Of `rote.memorization.evaluator.CRITERIA`, "ratio" always among them; the gate is held against the
        first. None takes the ratio, and the calibrated ratio where there is a control.
        "absolute=0.35", or "absolute:SPACE=0.35" with several spaces, is "absolute" with a threshold of
        one's own (`rote.memorization.criteria.user_threshold` has the units).
    spaces
        Where distances are taken: names as `rote.spaces.catalog` lists them, or spaces.
        "pixel" stands for the space of the data's own kind (`own_space`). Rate, verdicts and gate are
        those of the first; all have the same criteria (tiles: pixel alone).
    ruler_resolution
        Height and width to bring all images to before anything is measured; None: as they are.
    through_autoencoder
        A diffusers AutoencoderKL, by repository or folder, that training and held-out images go through
        first, as those of a latent model have.
    duplicate_rms
        Radius of near-duplicates on all sides, as `near_duplicates` takes it; 0: exact ones only.
    invariances
        Transforms that a match may undo.
    false_positive_rate
        What the calibrated ratio is set to.
    set_aside
        Without ``holdout``: how many random training items to take out of the references and use as the
        control. Copies of these are then missed.
    positive_control_copies
        Training images to degrade per corruption and strength; 0: no positive control; None: 100
        images, or all distinct ones where there are fewer, and none of vectors.
    training_sample
        Up to how many training items to match with the rest of the training side: what nearness is usual
        within it. Needs three groups, else there is none.
    fail_above
        The limit of the gate.
    seed
        Root seed of what is set aside and of the degraded copies.
    confidence
        Of the intervals.
    device
        Where neighbors are searched: "cpu" or "cuda". Duplicates are grouped on the CPU in any case.
    features_folder
        Where features of networks are kept for the next audit of the same images; None keeps none.
    on_progress
        Called with generated items done and their total.
    on_stage
        Called with the name of each stage as it begins: duplicates, features, search, controls.

    Raises
    ------
    DataError
        If the sides do not fit together, or the training side has fewer than two distinct items.
    ConfigError
        If an option is out of range or does not fit the data.
    """
    criteria, own_thresholds = read_criteria(criteria)
    settings = Settings(
        own_thresholds=own_thresholds,
        criteria=chosen_criteria(criteria, controlled=holdout is not None or set_aside > 0),
        duplicate_rms=duplicate_rms,
        invariances=invariances or Invariances(),
        false_positive_rate=false_positive_rate,
        set_aside=set_aside,
        positive_control=positive_control_copies or 0,
        seed=seed,
        confidence=confidence,
    )
    check_sides(generated, training, holdout, settings)
    check_limit(fail_above)
    generated, training, holdout, preprocessing = preprocess(
        generated,
        training,
        holdout,
        resolution=ruler_resolution,
        autoencoder=through_autoencoder,
        device=device,
    )
    own = own_space(training)
    # What is asked for by default is the space of the data's own kind.
    opened = tuple(own if space is PIXEL else space for space in open_spaces(spaces, device=device))
    check_spaces(opened, training, settings)
    gated = criteria[0] if criteria else "ratio"
    check_gate(fail_above, gated, opened[0], own_thresholds)
    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(name: str) -> Iterator[None]:
        on_stage(name)
        start = time.perf_counter()
        yield
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    with stage("duplicates"):
        exact, groups = find_groups(training, settings)
        _, collapse = find_groups(generated, settings)
        rest, holdout = take_aside(training, holdout, settings)
        # One representative for each exact group; near-duplicates are told apart by their group.
        _, first = np.unique(exact.group[rest], return_index=True)
        positions = np.sort(rest[first])
        check_groups(training, groups.group[positions], exact.group[positions])
        count = positive_control_copies
        if count is None:
            count = min(COPIES, len(positions)) if training.kind == "image" else 0

    def lens_of(space: Space) -> SpaceAudit:
        with stage("features" if space.kind == "rows" else "search"):
            return SpaceAudit(
                space,
                ratio=criterion or RatioCriterion(),
                training=training,
                positions=positions,
                groups=groups,
                settings=settings,
                device=device,
                folder=features_folder,
                on_progress=on_progress,
            )

    pixels = lens_of(own)
    leaks, kept, seen = None, np.empty(0, np.int64), None
    if holdout is not None:
        # What lies in the training set is found in pixels, whatever the spaces.
        with stage("controls"):
            values = int(np.prod(holdout.items.shape[1:]))
            seen = pixels.ruler.measure(holdout.items)
            leaks, remains = find_leaks(
                seen,
                sq_radius=duplicate_rms**2 * values,
                levels=pixels.ruler.nearest_in_levels(holdout.items),
            )
            kept = np.flatnonzero(remains)
    copies: Copies | None = None
    if count:
        with stage("controls"):
            copies = degraded_copies(training.items, positions=positions, copies=count, seed=seed)

    def result_of(lens: SpaceAudit) -> SpaceResult:
        def measure(name: str, side: Dataset, progress: Progress) -> Measured:
            with stage("features" if lens.space.kind == "rows" else name):
                rows = lens.rows(side)
            with stage(name):
                return lens.ruler.measure(rows, on_progress=progress)

        held_out = degraded = None
        if holdout is not None and len(kept):
            whole = seen if lens is pixels else measure("controls", holdout, no_progress)
            assert whole is not None
            held_out = whole.take(kept)
            if "calibrated" in lens.ruler.names:
                ratios = held_out.scores["ratio"]
                lens.ruler.calibrate(ratios, asked=false_positive_rate, confidence=confidence)
        if fail_above is not None and gated == "calibrated":
            _check_calibrated(lens.ruler.calibration)
        measured = measure("search", generated, on_progress)
        if copies is not None:
            made = Dataset(copies.images, source="degraded copies")
            degraded = measure("controls", made, no_progress)
        return lens.result(
            measured,
            held_out=held_out,
            copies=copies,
            degraded=degraded,
            group=groups.group,
            confidence=confidence,
        )

    lenses = [pixels if space is own else lens_of(space) for space in opened]
    found = [result_of(lens) for lens in lenses]
    main = found[0]
    memorized, rate = main.criteria[0].memorized, main.criteria[0].rate
    assert memorized is not None and rate is not None
    within = None
    if training_sample:
        with stage("controls"):
            within = training_matches(
                lenses[0].ruler,
                training.items,
                positions=positions,
                group=groups.group,
                most=training_sample,
                seed=seed,
            )
    return Audit(
        rate=rate,
        memorized=memorized,
        verdict=classify(memorized, collapse.repeated),
        criterion=lenses[0].ruler.ratio,
        criteria=main.criteria,
        duplicates=exact,
        groups=groups,
        collapse=collapse,
        generated=generated,
        training=training,
        measured=main.measured,
        settings=settings,
        control=main.criteria[0].control,
        holdout=holdout,
        held_out=main.held_out,
        leaks=leaks,
        positive=main.positive,
        within=within,
        spaces=tuple(found),
        preprocessing=preprocessing,
        gate=None
        if fail_above is None
        else decide(_rate_of(main, gated), fail_above, criterion=gated),
        seconds=seconds,
    )


def _check_calibrated(calibration: Calibration | None) -> None:
    """Refuse, before the search, a gate against a threshold that could not be calibrated."""
    if calibration is None or calibration.threshold is None:
        raise ConfigError(
            "`fail_above` needs a rate, and there are too few held-out images to calibrate one; give "
            "more, or another `criteria` first"
        )


def _rate_of(result: SpaceResult, name: str) -> Rate:
    rate = next(criterion.rate for criterion in result.criteria if criterion.name == name)
    assert rate is not None, "checked before anything was measured"
    return rate
