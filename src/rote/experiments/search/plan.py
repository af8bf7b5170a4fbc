"""What a search would do: its sizes, its first round, its network, and the memory of a run."""

from __future__ import annotations

from rote.data.dataset import Dataset
from rote.diffusion.memory_estimate import footprint
from rote.diffusion.preconditioning import build_denoiser
from rote.emm.acquisition import next_runs
from rote.experiments.config import ExperimentConfig
from rote.experiments.search.cost import run_cost
from rote.experiments.search.sizes import search_sizes


def plan_search(config: ExperimentConfig, dataset: Dataset, *, source: str) -> dict[str, object]:
    """Return what a search would do, without doing it; what a trainer's runs take is not known before.

    Parameters
    ----------
    config
        The configuration of the search.
    dataset
        Its data.
    source
        What the data is called.
    """
    cost = run_cost(config, [])
    grid = search_sizes(dataset, config.search)
    search = config.search
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
    value: dict[str, object] = {
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
            | ({"images_trained": int(cost(size))} if own else {"seconds": None})
            for size, number in first.runs
        ],
        "config": config.to_json(),
    }
