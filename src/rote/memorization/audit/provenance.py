"""How an audit was made: with what, when and from where, and the seconds of its stages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rote.core.progress.work import work
from rote.core.run_folder import now, versions
from rote.data.dataset import Dataset
from rote.memorization.audit.prepare import Prepared


@dataclass(frozen=True)
class Provenance:
    """How an audit was made; its fields are told in `rote.results.audit.Provenance`."""

    created: str
    versions: dict[str, str]
    command: tuple[str, ...] | None
    device: str
    sources: dict[str, str]
    options: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)


def provenance_of(prepared: Prepared, command: tuple[str, ...] | None) -> Provenance:
    """Return how an audit with these settings is being made."""
    sides = {
        "generated": prepared.generated,
        "training": prepared.training,
        "holdout": prepared.holdout,
    }
    options = {
        option.name: getattr(prepared.options, option.name) for option in fields(prepared.options)
    }
    resolved = {
        "space": [space.name for space in prepared.spaces],
        "criterion": list(prepared.settings.criteria),
        "duplicate_rms": prepared.settings.duplicate_rms,
        "invariances": prepared.settings.invariances.names,
        "captions": None if options["captions"] is None else str(options["captions"]),
        "device": prepared.device,
    }
    return Provenance(
        created=now(),
        versions=versions(),
        command=command,
        device=prepared.device,
        sources={name: _absolute(side) for name, side in sides.items() if side is not None},
        options=options | resolved,
    )


def _absolute(side: Dataset) -> str:
    """Return the absolute path of a source that is a file or folder here, else its name."""
    try:
        path = Path(side.source)
        return str(path.resolve()) if path.exists() else side.source
    except (OSError, ValueError):  # a name that is no path here
        return side.source


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
        with work(name):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
