"""The runs of a search."""

from __future__ import annotations

from pathlib import Path

from rote.core.seeds import child_seed
from rote.experiments.config import ExperimentConfig
from rote.experiments.run.spec import RunSpec, Setting, Staging
from rote.experiments.scales import Scoring


def search_run(
    size: int, replicate: int, *, seed: int, out: Path, config: ExperimentConfig, device: str
) -> RunSpec:
    """Return a run of a search, below its folder; no two runs of one ``seed`` share any randomness."""
    search = config.search
    scoring = Scoring(
        samples=search.fresh_samples,
        selection_samples=search.selection_samples,
        snapshot=search.snapshot,
        weights=search.weights,
        ratio_threshold=search.ratio_threshold,
        subset=search.subset,
        stratify=search.stratify,
    )
    return RunSpec(
        root=out,
        name=f"points/size-{size:06d}-run-{replicate:02d}",
        setting=Setting(config.model, config.train, config.sample, scoring, trainer=config.trainer),
        size=size,
        replicate=replicate,
        root_seed=child_seed(seed, "search", size, replicate),
        device=device,
        staging=Staging(search.epsilon, search.first_samples, search.early_stop),
        gap=search.gap,
    )
