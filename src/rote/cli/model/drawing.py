"""Samples of a trained model, the same wherever a command asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rote.cli import options
from rote.cli.model.samples import check_count
from rote.core.memory import keep_freed_memory
from rote.core.progress.display import progress
from rote.diffusion.draw import draw as draw_samples

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.diffusion.checkpoint import Checkpoint, Weights
    from rote.diffusion.config import SampleConfig


def draw(
    checkpoint: Checkpoint,
    count: int,
    *,
    seed: int,
    device: str,
    config: SampleConfig | None = None,
    weights: Weights = "ema",
    label: int | None = None,
) -> Dataset:
    """Draw samples as `rote.diffusion.draw.draw` does, showing how many there are."""
    check_count(count, checkpoint.shape)
    keep_freed_memory()
    with options.interruptible(), progress("samples drawn", count) as report:
        return draw_samples(
            checkpoint,
            count,
            seed=seed,
            device=device,
            config=config,
            weights=weights,
            label=label,
            on_progress=report,
        )
