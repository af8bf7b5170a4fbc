"""rote measures what generative image models learn by rote.

    >>> import rote
    >>> digits = rote.load_images("digits")
    >>> found = rote.audit(digits.take(range(3)), digits)
    >>> found.rate.value
    1.0

Names load when they are first used, so that ``import rote`` costs nothing.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rote.core.errors import RoteError
    from rote.data.dataset import Dataset
    from rote.data.load import load_images
    from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
    from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
    from rote.diffusion.optimal_denoiser import OptimalDenoiser
    from rote.diffusion.sample import sample
    from rote.diffusion.training.loop import train
    from rote.experiments.config import ExperimentConfig, SearchConfig, preset
    from rote.experiments.search.search import EmmEstimate, estimate_emm
    from rote.experiments.studies.study import StudyResult, run_study
    from rote.memorization.audit.audit import Audit, audit
    from rote.memorization.monitor.monitor import MemorizationMonitor
    from rote.memorization.monitor.rate import MemorizationRate
    from rote.neighbors.search import Neighbors, nearest_neighbors
    from rote.report import write_report
    from rote.stats.rates import Rate, wilson

_HOMES = {
    "RoteError": "core.errors",
    "Rate": "stats.rates",
    "wilson": "stats.rates",
    "Dataset": "data.dataset",
    "load_images": "data.load",
    "Checkpoint": "diffusion.checkpoint",
    "load_checkpoint": "diffusion.checkpoint",
    "ModelConfig": "diffusion.config",
    "SampleConfig": "diffusion.config",
    "TrainConfig": "diffusion.config",
    "OptimalDenoiser": "diffusion.optimal_denoiser",
    "sample": "diffusion.sample",
    "train": "diffusion.training.loop",
    "Audit": "memorization.audit.audit",
    "audit": "memorization.audit.audit",
    "MemorizationMonitor": "memorization.monitor.monitor",
    "MemorizationRate": "memorization.monitor.rate",
    "Neighbors": "neighbors.search",
    "nearest_neighbors": "neighbors.search",
    "write_report": "report",
    "ExperimentConfig": "experiments.config",
    "SearchConfig": "experiments.config",
    "preset": "experiments.config",
    "EmmEstimate": "experiments.search.search",
    "estimate_emm": "experiments.search.search",
    "StudyResult": "experiments.studies.study",
    "run_study": "experiments.studies.study",
}

__all__ = [
    "Audit",
    "Checkpoint",
    "Dataset",
    "EmmEstimate",
    "ExperimentConfig",
    "MemorizationMonitor",
    "MemorizationRate",
    "ModelConfig",
    "Neighbors",
    "OptimalDenoiser",
    "Rate",
    "RoteError",
    "SampleConfig",
    "SearchConfig",
    "StudyResult",
    "TrainConfig",
    "audit",
    "estimate_emm",
    "load_checkpoint",
    "load_images",
    "nearest_neighbors",
    "preset",
    "run_study",
    "sample",
    "train",
    "wilson",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "ImageDataset":  # goes in 0.3
        warnings.warn("rote.ImageDataset is now rote.Dataset", DeprecationWarning, stacklevel=2)
        name = "Dataset"
    if name not in _HOMES:
        raise AttributeError(f"module 'rote' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"rote.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
