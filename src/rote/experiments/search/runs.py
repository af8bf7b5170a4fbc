"""The runs of a search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rote.core.errors import RunError
from rote.core.seeds import child_seed
from rote.experiments.config import ExperimentConfig
from rote.experiments.run.score import first_samples
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


def check_differ(runs: Sequence[RunSpec], seen: dict[str, RunSpec]) -> None:
    """Refuse finished runs of a trainer that gave the same samples: they count as one, not as several.

    Parameters
    ----------
    runs
        Those that have just finished.
    seen
        Earlier ones, by a digest of their first samples; these are added.

    Raises
    ------
    RunError
        Naming two of them.
    """
    for run in runs:
        trainer = run.setting.trainer
        if trainer is None or (samples := first_samples(run.folder)) is None:
            continue
        other = seen.setdefault(hashlib.sha256(samples.tobytes()).hexdigest(), run)
        if other is not run:
            raise RunError(
                f"runs {other.folder.name} and {run.folder.name} gave the same {len(samples)} samples; "
                f"{trainer.name} must use the seed that it is given"
            )
