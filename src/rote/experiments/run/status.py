"""What a run is doing (`status.json`), has noted and has taken (`manifest.json`). Not a result."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json, write_status

STATUS_SECONDS = 0.5


class Status:
    """Notes what a run is doing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "status.json"
        self._written = 0.0
        self.rate: float | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note the progress, at most every half second."""
        if time.monotonic() - self._written < STATUS_SECONDS:
            return
        self._written = time.monotonic()
        write_status(self._path, {"stage": stage, "done": done, "total": total, "rate": self.rate})

    def clear(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


def read_status(folder: Path) -> dict[str, Any] | None:
    """Return what the run at work in a folder last noted, or None."""
    try:
        found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return found


def read_notes(folder: Path) -> list[str]:
    """Return what a run's manifest notes for a person."""
    notes: list[str] = read_json(folder / "manifest.json").get("notes", [])
    return [f"run {folder.name}: {note}" for note in notes]


def run_seconds(folder: Path) -> float:
    """Return the seconds that a run has taken, all calls together, as its manifest tells them."""
    return float(sum(read_json(folder / "manifest.json")["seconds"].values()))
