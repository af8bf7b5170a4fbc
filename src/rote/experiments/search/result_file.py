"""The content of `emm.json`: from the finished runs of a search to its answer, for any epsilon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rote.data.dataset import Dataset, Kind
from rote.emm.budget import budget_of
from rote.emm.curve import fit_curve
from rote.emm.fit_check import FitCheck, checked_curve
from rote.emm.from_gap import emm_without_sampling
from rote.emm.onset import onset_json
from rote.emm.run import decide, images_sampled, observed, sentence
from rote.experiments.config import ExperimentConfig
from rote.experiments.search.fixed_grid_cost import grid_price
from rote.memorization.criteria import RatioCriterion
from rote.results.run import Point
from rote.spaces import own_space
from rote.stats.beta_binomial import ANY_MODEL, DIFFUSION, SlopePrior

CONFIDENCE = 0.95
OTHER_EPSILONS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
SCORED = {
    "best": "the snapshot with the highest rate, chosen on other samples than it is measured on",
    "last": "the last snapshot",
}
ITEMS: dict[Kind, str] = {
    "image": "images",
    "volume": "volumes",
    "vector": "rows",
    "series": "series",
}
"""What training items are called."""


def answer(
    points: Sequence[Point],
    *,
    epsilon: float,
    reach: tuple[int, int],
    items: str,
    slopes: SlopePrior = DIFFUSION,
) -> dict[str, Any]:
    """Return what the runs say for one epsilon: EMM, sentence, budget, curve, EMM from gaps.

    Parameters
    ----------
    points
        The runs, by size and replicate.
    epsilon
        Of the EMM. It may be another one than that of the search: nothing is trained for it.
    reach
        Smallest and largest size that the search may train.
    items
        What training items are called.
    slopes
        What is believed of the curve's slopes before any run.
    """
    seen = [observed(point) for point in points]
    checked = {
        each: checked_curve(seen, epsilon=each, reach=reach, slopes=slopes, confidence=CONFIDENCE)
        for each in (epsilon, *OTHER_EPSILONS)
    }
    found = checked[epsilon]
    curve = found.posterior.to_json(confidence=CONFIDENCE)
    return {
        "emm": found.emm.to_json(),
        "sentence": sentence(
            found.emm,
            epsilon=epsilon,
            runs=seen,
            items=items,
            check=found.check,
            others={other: checked[other].emm for other in OTHER_EPSILONS},
        ),
        "budget": budget_of(
            [p for place, p in enumerate(points) if place not in found.check.set_aside],
            found.emm,
            found.posterior,
            reach=reach,
            slopes=slopes,
            items=items,
            own=slopes == DIFFUSION,
        ),
        "epsilon": epsilon,
        "confidence": CONFIDENCE,
        "points": [_point(point, epsilon) for point in points],
        "curve": {key: value for key, value in curve.items() if key != "posterior"},
        "fit": _fit(found.check, points),
        "posterior": curve["posterior"],
        "other_epsilons": [
            {"epsilon": other, **checked[other].emm.to_json()} for other in OTHER_EPSILONS
        ],
        "without_sampling": emm_without_sampling(points, epsilon=epsilon),
    }


def _fit(check: FitCheck, points: Sequence[Point]) -> dict[str, Any]:
    aside = [points[place] for place in check.set_aside]
    return check.to_json() | {
        "set_aside": [
            {"size": one.size, "replicate": one.replicate, "rate": one.rate.value} for one in aside
        ]
    }


def slopes_of(trainer: object | None) -> SlopePrior:
    """Return what is believed of the slopes of a trainer's curve; None is rote's own."""
    return DIFFUSION if trainer is None else ANY_MODEL


def _point(point: Point, epsilon: float) -> dict[str, Any]:
    decided = {"decision": decide(point.rate, epsilon)}
    return point.model_dump(mode="json", exclude={"format_version"}, exclude_unset=True) | decided


def estimand(config: ExperimentConfig, dataset: Dataset) -> dict[str, Any]:
    """Return what exactly is estimated: in plain words, and as fields."""
    search, train = config.search, config.train
    items = ITEMS[dataset.kind]
    if search.subset == "random":
        draws = f"random draws of N {items} from the source"
        if search.stratify:
            draws += ", the same number of each class"
        over = ["subset", "weights", "order", "noise"]
    else:
        draws = f"no draw of the {items}: always the first N of the source"
        if search.stratify:
            draws += ", the same number of each class"
        over = ["weights", "order", "noise"]
    length = (
        f"{train.images:,} {items} seen at every size"
        if train.images is not None
        else f"{train.epochs:,g} passes over the {items} at every size"
    )
    if config.trainer is not None:
        return _of_trainer(config, draws=draws)
    scored = SCORED[search.snapshot]
    weights = {"ema": "moving average of the weights", "raw": "raw weights"}[search.weights]
    return {
        "text": (
            f"The largest N at which the expected rate of memorized samples is at least "
            f"1 - epsilon. The expectation runs over {draws}, and over the seeds of weights, order "
            f"and noise. Training: {length}. Scored: {scored}, {weights}."
        ),
        "subset": search.subset,
        "stratify": search.stratify,
        "over": over,
        "snapshot": search.snapshot,
        "weights": search.weights,
        "budget": {"images": train.images, "epochs": train.epochs},
        "snapshot_images": train.snapshot_images,
        "ratio_threshold": search.ratio_threshold,
    }


def _of_trainer(config: ExperimentConfig, *, draws: str) -> dict[str, Any]:
    """Return what is estimated of a training that is not rote's own."""
    search, trainer = config.search, config.trainer
    assert trainer is not None
    return {
        "text": (
            f"The largest N at which the expected rate of memorized samples is at least "
            f"1 - epsilon. The expectation runs over {draws}, and over the seeds that the trainer is "
            f"given. Training: by {trainer.name}. Scored: {SCORED[search.snapshot]}."
        ),
        "subset": search.subset,
        "stratify": search.stratify,
        "over": ["subset", "seed"] if search.subset == "random" else ["seed"],
        "snapshot": search.snapshot,
        "ratio_threshold": search.ratio_threshold,
    }


def full_json(
    dataset: Dataset,
    config: ExperimentConfig,
    points: Sequence[Point],
    *,
    grid: Sequence[int],
    rounds: list[dict[str, Any]],
    stopped: str,
    controls: dict[str, Any],
    seed: int,
    preset: str | None,
    seconds: float,
) -> dict[str, Any]:
    """Return the content of `emm.json`."""
    search = config.search
    kind = dataset.kind
    items = ITEMS[kind]
    found = answer(
        points,
        epsilon=search.epsilon,
        reach=(grid[0], grid[-1]),
        items=items,
        slopes=slopes_of(config.trainer),
    )
    space = own_space(dataset).name
    return {
        "kind": "emm",
        **{key: found.pop(key) for key in ("emm", "sentence", "epsilon", "confidence")},
        "estimand": estimand(config, dataset),
        "criterion": {**RatioCriterion(search.ratio_threshold).to_json(), "space": space},
        "data": {**dataset.describe(), "classes": list(dataset.classes)},
        "preset": preset,
        "seed": seed,
        **found,
        "design": {
            "epsilon": search.epsilon,
            "tolerance": search.tolerance,
            "replicates": search.replicates,
            "max_runs": search.max_runs,
            "early_stop": search.early_stop,
            "budget": {"images": search.budget_images, "seconds": search.budget_seconds},
            "sizes": list(grid),
            "rounds": rounds,
            "stopped": stopped,
        },
        "controls": controls,
        "onset": onset(points, controls, images=_length(config, points[-1]), items=items),
        "config": config.to_json(),
        "cost": {**_cost(config, points, grid=grid, seed=seed), "seconds": seconds},
    }


def _length(config: ExperimentConfig, point: Point) -> int:
    """Return the images seen by a whole training of the largest size."""
    if config.trainer is not None:
        return point.images_trained
    return config.train.total_images(point.size)


def onset(
    points: Sequence[Point], controls: dict[str, Any], *, images: int, items: str
) -> dict[str, Any] | None:
    """Return from when on the runs copied, the law of it, and what it advises a trainer.

    None where no run has several snapshots that were scored. ``images`` is the length of a training, in
    images seen.
    """
    runs = [
        (point.size, [(one.images_seen, one.rate.count, one.rate.total) for one in point.selection])
        for point in points
        if point.selection
    ]
    if not any(len(snapshots) > 1 for _, snapshots in runs):
        return None
    holdout = controls["holdout"]
    control = (holdout["rate"]["count"], holdout["rate"]["total"]) if holdout else None
    found = onset_json(runs, control=control, budgets=[images])
    return {"sentence": _advice(found, items), **found}


def _advice(found: dict[str, Any], items: str) -> str:
    """Say in one sentence when to stop, or why that cannot be said."""
    if found["law"] is None:
        return f"When copying begins cannot be said: {found['reason']}."
    last, (needed,) = found["advice"][-2], found["needed"]
    said = (
        f"With {last['size']:,} training {items}, stop before {last['stop_before']:,.0f} images seen if "
        f"copying is to begin in at most {100 * found['risk']:g} % of runs"
    )
    if needed["size"] is None:
        return f"{said}."
    beyond = " (beyond the sizes seen here)" if needed["extrapolated"] else ""
    return (
        f"{said}; to train for {needed['images']:,} images seen takes {needed['size']:,.0f} training "
        f"{items}{beyond}."
    )


def _cost(
    config: ExperimentConfig, points: Sequence[Point], *, grid: Sequence[int], seed: int
) -> dict[str, Any]:
    """Count the images.

    ``whole`` is the same runs trained to the end and sampled to the most, ``fixed_grid`` a grid of
    octaves that would have given as narrow an interval.
    """
    search, train = config.search, config.train
    spent = {
        "images_trained": sum(point.images_trained for point in points),
        "images_sampled": sum(images_sampled(point) for point in points),
    }
    if config.trainer is not None:
        return spent
    snapshots = [
        len(train.snapshots(point.size)) if search.snapshot == "best" else 0 for point in points
    ]
    posterior = fit_curve(
        [observed(point) for point in points],
        epsilon=search.epsilon,
        reach=(grid[0], grid[-1]),
    )
    return {
        **spent,
        "whole": {
            "images_trained": sum(train.total_images(point.size) for point in points),
            "images_sampled": sum(
                search.selection_samples * count + search.fresh_samples for count in snapshots
            ),
        },
        "fixed_grid": grid_price(
            posterior,
            grid=grid,
            start=search.start,
            samples=search.fresh_samples,
            images=train.total_images,
            seed=seed,
        ),
    }
