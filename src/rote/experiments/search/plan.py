"""What a search would do: its sizes, its first round, its network, the memory and the time of runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rote.core.run_folder import check_bound
from rote.data.dataset import Dataset
from rote.diffusion.memory_estimate import footprint
from rote.diffusion.preconditioning import build_denoiser
from rote.emm.acquisition import next_runs
from rote.experiments.config import ExperimentConfig
from rote.experiments.run.speed import seconds_per_image
from rote.experiments.run.status import run_seconds
from rote.experiments.search.answer import bound, finished_search
from rote.experiments.search.cost import RunSeconds, run_cost
from rote.experiments.search.round_times import Clock
from rote.experiments.search.sizes import search_sizes
from rote.experiments.trainers.config import with_trainer


def plan_search(
    config: ExperimentConfig,
    dataset: Dataset,
    *,
    source: str,
    out: Path,
    seed: int = 0,
    side_by_side: int = 1,
) -> dict[str, Any]:
    """Return what a search would do, without doing it.

    Parameters
    ----------
    config
        The configuration of the search.
    dataset
        Its data.
    source
        What the data is called.
    out
        Its folder. What runs take is known from those that have ended there, and else not.
    seed
        Its root seed.
    side_by_side
        Runs that are at work at once.

    Raises
    ------
    RunError
        If the folder belongs to another search.
    """
    config = with_trainer(config, None, here=False)
    asked = config.to_json()
    if finished_search(out, asked, dataset=dataset, seed=seed) is None:
        check_bound(out, bound(asked, dataset=dataset, seed=seed))
    ended = _ended(out)
    takes = RunSeconds.learned(ended)
    grid = search_sizes(dataset, config.search)
    search = config.search
    cost = run_cost(config, None, None)
    first = next_runs(
        [],
        grid=grid,
        cost=cost,
        epsilon=search.epsilon,
        tolerance=search.tolerance,
        start=search.start,
        points_per_round=search.points_per_round,
    )
    own = config.trainer is None

    one = (
        seconds_per_image(config.model, config.train, dataset.shape, threads=search.threads)
        if own
        else 0
    )

    def trained(images: int) -> dict[str, Any]:
        return {"images_trained": images, "training_seconds": round(images * one, 1)}

    value: dict[str, Any] = {
        "data": {"source": source, "count": len(dataset), "shape": list(dataset.shape)},
    }
    if own:
        denoiser = build_denoiser(config.model, dataset.shape, label_count=0, seed=0)
        value["parameters"] = sum(p.numel() for p in denoiser.parameters())
        value["memory"] = footprint(config.model, config.train, shape=dataset.shape).to_json()
    return value | {
        "sizes": grid,
        "first_round": [
            {"size": size, "replicate": number}
            | (trained(int(cost(size))) if own else {})
            | {"seconds": None if takes is None else round(takes.expected(size), 3)}
            for size, number in first.runs
        ],
        "time": None if takes is None else _time(config, out, ended, takes, side_by_side),
        "config": config.to_json(),
    }


def training_text(plan: dict[str, Any]) -> str:
    """Say in one line what the trainings of the first round take; empty for those of another trainer."""
    first = [row["training_seconds"] for row in plan["first_round"] if "training_seconds" in row]
    if not first:
        return ""
    each = f"{min(first):,.3g}" + (f" to {max(first):,.3g}" if max(first) > min(first) else "")
    return (
        f"the {len(first):,} runs of the first round train for about {each} s each (by a few steps timed "
        "here), and are then sampled"
    )


def time_text(time: dict[str, Any] | None) -> str:
    """Say in one line what runs take, and what a budget of time buys."""
    if time is None:
        return "what a run takes is not known yet; it is once the first has ended"
    sizes = ", ".join(f"{row['seconds']:,.3g} s of size {row['size']:,}" for row in time["sizes"])
    said = f"runs take about {sizes} ({time['runs']} have ended)"
    if time["budget"] is None:
        return said
    buys = ", or ".join(f"{row['buys']:,} runs of {row['size']:,}" for row in time["sizes"])
    return f"{said}; of the budget {time['left']:,.4g} s are left, enough for {buys}"


def _ended(out: Path) -> list[tuple[int, float]]:
    """Return size and seconds of the runs that have ended in a folder."""
    found = []
    for file in sorted(out.glob("points/size-*-run-*/point.json")):
        size = int(file.parent.name.split("-")[1])
        found.append((size, run_seconds(file.parent)))
    return found


def _time(
    config: ExperimentConfig,
    out: Path,
    ended: list[tuple[int, float]],
    takes: RunSeconds,
    side_by_side: int,
) -> dict[str, Any]:
    """Return what runs of the sizes that have ended take, and how many of each the budget still buys."""
    budget = config.search.budget_seconds
    spent = Clock.total(out / "rounds.json")
    left = None if budget is None else max(budget - spent, 0.0)
    runs = Counter(size for size, _ in ended)
    return {
        "runs": len(ended),
        "sizes": [
            {
                "size": size,
                "runs": count,
                "seconds": round(takes.expected(size), 3),
                "most": round(takes.most(size), 3),
                "buys": None if left is None else int(left // takes.most(size)) * side_by_side,
            }
            for size, count in sorted(runs.items())
        ],
        "budget": budget,
        "spent": spent,
        "left": left,
        "side_by_side": side_by_side,
    }
