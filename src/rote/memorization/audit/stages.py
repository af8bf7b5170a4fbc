"""The stages of an audit, told as they begin, and their seconds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


def no_stage(name: str) -> None:
    """Ignore stages."""


class Stages:
    """Tells each stage as it begins, and adds up its wall-clock seconds."""

    def __init__(self, on_stage: Callable[[str], None] = no_stage) -> None:
        self.seconds: dict[str, float] = {}
        self._on_stage = on_stage

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run the block as a part of a stage."""
        self._on_stage(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
