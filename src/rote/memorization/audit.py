"""The audit: which generated items are copies of training items, what share, how sure."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.stats import Rate, wilson
from rote.data.dataset import ImageDataset
from rote.memorization.controls import Recall, find_leaks, positive_control, training_matches
from rote.memorization.criteria import RatioCriterion
from rote.memorization.findings import Audit, CriterionResult
from rote.memorization.gate import Gate, check_limit, decide
from rote.memorization.matching import Progress, no_progress
from rote.memorization.outcomes import classify
from rote.memorization.preparation import build_ruler, check_groups, find_groups, take_aside
from rote.memorization.ruler import Measured, Ruler
from rote.memorization.settings import Settings, check_sides, chosen_criteria
from rote.memorization.transforms import Invariances

__all__ = ["Audit", "audit"]

COPIES = 100


def _no_stage(name: str) -> None:
    """Ignore stages."""


def audit(
    generated: ImageDataset,
    training: ImageDataset,
    *,
    holdout: ImageDataset | None = None,
    criterion: RatioCriterion | None = None,
    criteria: Sequence[str] | None = None,
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
        Of "ratio" (always there), "calibrated", "carlini" and "tiles"; the gate is held against the
        first. None takes the ratio, and the calibrated ratio where there is a control.
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
        "cpu" or "cuda".
    on_progress
        Called with generated items done and their total.
    on_stage
        Called with the name of each stage as it begins: duplicates, search, controls.

    Raises
    ------
    DataError
        If the sides do not fit together, or the training side has fewer than two distinct items.
    ConfigError
        If an option is out of range or does not fit the data.
    """
    settings = Settings(
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
        copies = positive_control_copies
        if copies is None:
            copies = min(COPIES, len(positions)) if training.kind == "image" else 0
        ruler = build_ruler(
            criterion or RatioCriterion(), training, positions, groups, settings, device
        )
    held_out = leaks = None
    if holdout is not None:
        with stage("controls"):
            values = int(np.prod(holdout.images.shape[1:]))
            measured = ruler.measure(holdout.images)
            leaks, kept = find_leaks(measured, sq_radius=duplicate_rms**2 * values)
            held_out = measured.take(np.flatnonzero(kept)) if kept.any() else None
            if held_out is not None and "calibrated" in ruler.names:
                ruler.calibrate(
                    held_out.scores["ratio"], asked=false_positive_rate, confidence=confidence
                )
    with stage("search"):
        measured = ruler.measure(generated.images, on_progress=on_progress)
    results = _results(ruler, measured, held_out, confidence)
    memorized, rate = results[0].memorized, results[0].rate
    assert memorized is not None and rate is not None
    positive: tuple[Recall, ...] = ()
    if copies:
        with stage("controls"):
            positive = positive_control(
                ruler,
                positions=positions,
                group=groups.group,
                copies=copies,
                seed=seed,
                confidence=confidence,
            )
    within = None
    if training_sample:
        with stage("controls"):
            within = training_matches(
                ruler, positions=positions, group=groups.group, most=training_sample, seed=seed
            )
    return Audit(
        rate=rate,
        memorized=memorized,
        verdict=classify(memorized, collapse.repeated),
        criterion=ruler.ratio,
        criteria=results,
        duplicates=exact,
        groups=groups,
        collapse=collapse,
        generated=generated,
        training=training,
        measured=measured,
        settings=settings,
        control=results[0].control,
        holdout=holdout,
        held_out=held_out,
        leaks=leaks,
        positive=positive,
        within=within,
        gate=None if fail_above is None else _gate(results, fail_above, criteria),
        seconds=seconds,
    )


def _results(
    ruler: Ruler, measured: Measured, held_out: Measured | None, confidence: float
) -> tuple[CriterionResult, ...]:
    def rate(mask: npt.NDArray[np.bool_] | None) -> Rate | None:
        return None if mask is None else wilson(int(mask.sum()), len(mask), confidence=confidence)

    found = ruler.verdicts(measured)
    control = ruler.verdicts(held_out) if held_out is not None else {}
    return tuple(
        CriterionResult(
            name=name,
            description=ruler.describe(name),
            memorized=found.get(name),
            rate=rate(found.get(name)),
            control=rate(control.get(name)),
            unproven=int(measured.unproven.sum()) if name == "tiles" else 0,
        )
        for name in ruler.names
    )


def _gate(
    results: tuple[CriterionResult, ...], limit: float, criteria: Sequence[str] | None
) -> Gate:
    name = criteria[0] if criteria else "ratio"
    rate = next(result.rate for result in results if result.name == name)
    if rate is None:
        raise ConfigError(
            "--fail-above needs a rate, and there are too few held-out images to calibrate one; give "
            "more, or another --criterion first"
        )
    return decide(rate, limit, criterion=name)
