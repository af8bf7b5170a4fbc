"""Whether a directory can be written to: what it belongs to by its `config.json`, and by trying."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from rote.core.errors import RunError

HOLDS = {
    "train": "a training run (`rote train`)",
    "emm": "a search for the EMM (`rote emm`)",
    "studies": "several studies (`rote study all`)",
    "shards": "shards (`rote data shard`)",
    "neighbors": "a search for neighbors (`rote neighbors`)",
}


def conflict(path: Path, old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return why a directory bound to one configuration cannot take another, and the way out.

    None if the two are equal. What differs in kind, or is another study, is named; else the first key
    (dotted) that differs.

    >>> study = {"kind": "study", "study": "unique"}
    >>> conflict(Path("out"), study, study | {"study": "size"})
    'out holds the study `unique`, not the study `size`; choose another --out'
    >>> conflict(Path("out"), {"seed": 0}, {"seed": 1}).partition(";")[0]
    'out belongs to another configuration (seed is 0 there and 1 here)'
    """
    difference = _first_difference(old, new)
    if difference is None:
        return None
    held, asked = holds(old), holds(new)
    if held and asked and held != asked:
        way_out = "choose another --out"
        if (old["kind"], new["kind"]) == ("studies", "study"):
            way_out = f"give --out {path / new['study']}, its folder there, or another"
        return f"{path} holds {held}, not {asked}; {way_out}"
    key, old_value, new_value = difference
    return (
        f"{path} belongs to another configuration ({key} is {old_value} there and {new_value} here); "
        "choose another --out or delete that folder"
    )


def holds(bound: dict[str, Any]) -> str | None:
    """Return in words what a directory with this configuration holds, if it is of a known kind."""
    kind = bound.get("kind")
    return f"the study `{bound.get('study')}`" if kind == "study" else HOLDS.get(str(kind))


def _first_difference(
    old: dict[str, Any], new: dict[str, Any], prefix: str = ""
) -> tuple[str, str, str] | None:
    """Return the first key (dotted) whose values differ, with both values as JSON text."""
    for key in [*new, *(key for key in old if key not in new)]:
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            inner = _first_difference(a, b, f"{prefix}{key}.")
            if inner:
                return inner
        elif a != b:
            return f"{prefix}{key}", json.dumps(a), json.dumps(b)
    return None


def check_writable(folder: Path) -> None:
    """Try to write below a folder that may not be there yet; nothing is left.

    Raises
    ------
    RunError
        If that is refused.
    """
    there = next((part for part in (folder, *folder.parents) if part.exists()), Path())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"--out {folder}: nothing can be written to {there} ({reason}); choose another --out"
        ) from None
