"""What the callbacks of all trainers share: a model sampled on one process, a decision told to all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import distributed

from rote.memorization.monitor.check import Check
from rote.memorization.monitor.monitor import MemorizationMonitor
from rote.memorization.monitor.value_range import Images

ModelSampler = Callable[[Any, int, int], Images]
"""``f(model, num, seed)`` that returns ``num`` images, as `rote.MemorizationMonitor` takes them."""


def check_model(
    monitor: MemorizationMonitor, images_seen: int, model: torch.nn.Module, sampler: ModelSampler
) -> tuple[Check, ...]:
    """Make a check of a model if one is due: in evaluation mode and without gradients."""
    was = {name: module.training for name, module in model.named_modules()}
    model.eval()
    try:
        with torch.no_grad():
            return monitor(images_seen, lambda num, seed: sampler(model, num, seed))
    finally:
        for name, module in model.named_modules():
            module.training = was[name]


def told_to_all(*, stop: bool) -> bool:
    """Return what the first process says; all processes must ask."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return stop
    said = [stop]
    distributed.broadcast_object_list(said, src=0)
    return said[0]


def measured(checks: tuple[Check, ...], *, prefix: str = "memorization") -> dict[str, float]:
    """Return what loggers take of checks: the rate with its interval, and the other two classes."""
    values: dict[str, float] = {}
    for check in checks:
        rate = check.memorized
        values |= {prefix: rate.value, f"{prefix}_low": rate.low, f"{prefix}_high": rate.high}
        values |= {
            f"{prefix}_collapsed": check.collapsed.value,
            f"{prefix}_novel": check.novel.value,
        }
    return values
