"""What a search would do: its sizes, its first round, its network, and the memory of a run."""

from __future__ import annotations

from rote.data.dataset import Dataset
from rote.diffusion.memory_estimate import footprint
from rote.diffusion.preconditioning import build_denoiser
from rote.emm.acquisition import next_runs
from rote.experiments.config import ExperimentConfig
from rote.experiments.search.sizes import search_sizes


def plan_search(config: ExperimentConfig, dataset: Dataset, *, source: str) -> dict[str, object]:
    """Return what a search would do, without doing it.

    Parameters
    ----------
    config
        The configuration of the search.
    dataset
        Its data.
    source
        What the data is called.
    """

    def cost(size: int) -> float:
        return float(config.train.total_images(size))

    denoiser = build_denoiser(config.model, dataset.shape, label_count=0, seed=0)
    parameters = sum(p.numel() for p in denoiser.parameters())
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
    return {
        "data": {"source": source, "count": len(dataset), "shape": list(dataset.shape)},
        "parameters": parameters,
        "memory": footprint(config.model, config.train, shape=dataset.shape).to_json(),
        "sizes": grid,
        "first_round": [
            {"size": size, "replicate": number, "images_trained": int(cost(size))}
            for size, number in first.runs
        ],
        "config": config.model_dump(mode="json"),
    }
