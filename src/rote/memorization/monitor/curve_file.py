"""The file of a monitor: its settings in the first line, then a line for each check."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import FORMAT_VERSION, write_text
from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.memorization.monitor.check import Check


def write_curve(out: Path, settings: dict[str, Any], checks: Sequence[Check]) -> None:
    """Write the file, atomically."""
    rows = [{"format_version": FORMAT_VERSION, **settings}, *(check.to_json() for check in checks)]
    write_text(out, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_curve(out: Path, settings: dict[str, Any]) -> list[Check]:
    """Read back the checks of a monitor of the same settings.

    Raises
    ------
    RunError
        If it is no monitor's file, or that of other settings.
    """
    rows = read_metrics(out)
    if (
        not all(isinstance(row, dict) for row in rows)
        or not rows
        or rows[0].get("kind") != "monitor"
    ):
        raise RunError(f"{out} is not a monitor's file; choose another out")
    expected = json.loads(json.dumps({"format_version": FORMAT_VERSION, **settings}))
    for key, value in expected.items():
        if rows[0].get(key) != value:
            raise RunError(
                f"{out} belongs to other settings ({key} is {json.dumps(rows[0].get(key))} "
                f"there and {json.dumps(value)} here); delete it or choose another out"
            )
    return [Check.from_json(row) for row in rows[1:]]
