"""Where studies lie: a study alone with its runs, or several beside the runs that they share.

    studies/width/            rote study width --out studies/width
        study.json runs/

    studies/                  rote study all --out studies
        width/study.json depth/study.json ... runs/

A study stays with the runs it has, whichever way it is called again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.core.errors import RunError

OWN, SHARED = "runs", "../runs"


def own_file(out: Path, name: str) -> Path:
    """Return where a study keeps the file of a factor that does not come with rote."""
    return out / f"{name}.toml"


def runs_of(out: Path, *, default: str = OWN) -> str:
    """Return where a study's runs are, relative to its folder: as its plan says, or ``default``.

    Raises
    ------
    RunError
        If its plan names another place than the two of this module.
    """
    path = out / "plan.json"
    if not path.exists():
        return default
    held = read_json(path).get("runs_folder")
    if held not in (OWN, SHARED):
        raise RunError(f"{path}: runs_folder is {held!r}, not {OWN} or {SHARED}; delete it")
    return str(held)


def earlier(
    out: Path, values: Sequence[str] | None, sizes: Sequence[int] | None, seeds: int | None
) -> tuple[list[str] | None, list[int] | None, int | None]:
    """Return what is asked for together with what an earlier call had: a study never shrinks."""
    path = out / "study.json"
    if not path.exists():
        return (
            None if values is None else list(values),
            None if sizes is None else list(sizes),
            seeds,
        )
    held: dict[str, Any] = read_json(path)["design"]
    all_values = list(dict.fromkeys([*held["values"], *(values or ())]))
    fixed = held["sizes"] if held["sizes"] else None
    all_sizes = sorted({*fixed, *(sizes or ())}) if fixed else None
    return all_values, all_sizes, max(held["seeds"], seeds or 0)
