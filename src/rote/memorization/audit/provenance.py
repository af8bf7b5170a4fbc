"""Provenance: with what, when, on what and from where an audit was made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

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
