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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rote.core.errors import RoteError
    from rote.core.stats import Rate, wilson
    from rote.data.dataset import ImageDataset
    from rote.data.sources import load_images
    from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
    from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
    from rote.diffusion.optimum import OptimalDenoiser
    from rote.diffusion.sample import sample
    from rote.diffusion.train import train
    from rote.memorization.audit import Audit, audit
    from rote.memorization.metric import MemorizationRate
    from rote.memorization.monitor import MemorizationMonitor
    from rote.memorization.neighbors import Neighbors, nearest_neighbors
    from rote.report import write_report
    from rote.studies.config import ExperimentConfig, SearchConfig, preset
    from rote.studies.search import EmmEstimate, estimate_emm
    from rote.studies.study import StudyResult, run_study

_HOMES = {
    "RoteError": "core.errors",
    "Rate": "core.stats",
    "wilson": "core.stats",
    "ImageDataset": "data.dataset",
    "load_images": "data.sources",
    "Checkpoint": "diffusion.checkpoint",
    "load_checkpoint": "diffusion.checkpoint",
    "ModelConfig": "diffusion.config",
    "SampleConfig": "diffusion.config",
    "TrainConfig": "diffusion.config",
    "OptimalDenoiser": "diffusion.optimum",
    "sample": "diffusion.sample",
    "train": "diffusion.train",
    "Audit": "memorization.audit",
    "audit": "memorization.audit",
    "MemorizationMonitor": "memorization.monitor",
    "MemorizationRate": "memorization.metric",
    "Neighbors": "memorization.neighbors",
    "nearest_neighbors": "memorization.neighbors",
    "write_report": "report",
    "ExperimentConfig": "studies.config",
    "SearchConfig": "studies.config",
    "preset": "studies.config",
    "EmmEstimate": "studies.search",
    "estimate_emm": "studies.search",
    "StudyResult": "studies.study",
    "run_study": "studies.study",
}

__all__ = [
    "Audit",
    "Checkpoint",
    "EmmEstimate",
    "ExperimentConfig",
    "ImageDataset",
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
    if name not in _HOMES:
        raise AttributeError(f"module 'rote' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"rote.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
