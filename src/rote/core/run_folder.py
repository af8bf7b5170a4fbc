"""Run directories: one configuration, one process, a manifest.

A directory belongs to one configuration (`config.json`) and to one living process at a time (a lock
that the kernel drops with the process).
"""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rote.core.atomic_files import (
    FORMAT_VERSION,
    one_line_io,
    read_json,
    remove_left_over,
    to_json_text,
    write_json,
    write_text,
)
from rote.core.errors import RunError
from rote.core.installation import VERSION

HOLDS = {
    "train": "a training run (`rote train`)",
    "emm": "a search for the EMM (`rote emm`)",
    "studies": "several studies (`rote study all`)",
    "pipeline": "images of a pipeline (`rote sample`)",
    "remedies": "remedies that were tried (`rote remedy try`)",
    "shards": "shards (`rote data shard`)",
    "neighbors": "a search for neighbors (`rote neighbors`)",
}
LOCK_SECONDS = 20.0  # how long to wait for a process that is just ending


def conflict(path: Path, old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return why a directory bound to one configuration cannot take another, and the way out.

    None if the two are equal. What differs in kind, or is another study, is named; else the first key
    (dotted) that differs.

    >>> study = {"kind": "study", "study": "unique"}
    >>> conflict(Path("out"), study, study | {"study": "size"})
    "out holds the study 'unique', not the study 'size'; choose another `out`"
    >>> conflict(Path("out"), {"seed": 0}, {"seed": 1}).partition(";")[0]
    'out belongs to another configuration (seed is 0 there and 1 here)'
    """
    difference = _first_difference(old, new)
    if difference is None:
        return None
    held, asked = holds(old), holds(new)
    if held and asked and held != asked:
        way_out = "choose another `out`"
        if (old["kind"], new["kind"]) == ("studies", "study"):
            way_out = f"give `out` {path / new['study']}, its folder there, or another"
        return f"{path} holds {held}, not {asked}; {way_out}"
    key, old_value, new_value = difference
    return (
        f"{path} belongs to another configuration ({key} is {old_value} there and {new_value} here); "
        "choose another `out` or delete that folder"
    )


def holds(bound: dict[str, Any]) -> str | None:
    """Return in words what a directory with this configuration holds, if it is of a known kind."""
    kind = bound.get("kind")
    return f"the study '{bound.get('study')}'" if kind == "study" else HOLDS.get(str(kind))


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


def check_writable(folder: Path, *, name: str = "`out`") -> None:
    """Try to write below a folder that may not be there yet; nothing is left.

    Parameters
    ----------
    folder
        The folder.
    name
        The argument that it was given as, in messages.

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
            f"{name} {folder}: nothing can be written to {there} ({reason}); choose another {name}"
        ) from None


def check_bound(path: Path, config: dict[str, Any]) -> None:
    """Refuse a directory that belongs to another configuration; a new one is anybody's.

    Raises
    ------
    RunError
        Naming what it holds, or the first key that differs.
    """
    if (path / "config.json").exists():
        new = json.loads(to_json_text({"format_version": FORMAT_VERSION, **config}))
        if problem := conflict(path, read_json(path / "config.json"), new):
            raise RunError(problem)


class Run:
    """An open run directory: locked, bound to one configuration, with a manifest.

    Use it as a context manager. Opening it again with the same configuration resumes; with another
    one it is an error that names the first differing key.
    """

    def __init__(
        self, path: Path, config: dict[str, Any], *, facts: dict[str, Any] | None = None
    ) -> None:
        self.path = path
        self._lock = lock_folder(path)
        try:
            for folder in (path, *(part for part in path.iterdir() if part.is_dir())):
                remove_left_over(folder)
            self._bind(config)
            self._write_manifest(facts or {})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _bind(self, config: dict[str, Any]) -> None:
        check_bound(self.path, config)
        path = self.path / "config.json"
        if not path.exists():
            write_json(path, config)

    def _write_manifest(self, facts: dict[str, Any]) -> None:
        path = self.path / "manifest.json"
        if not path.exists():
            write_json(path, {"versions": versions(), "created": now(), **facts, "seconds": {}})

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add the time that a stage took to the manifest."""
        path = self.path / "manifest.json"
        manifest = read_json(path)
        manifest["seconds"][stage] = round(manifest["seconds"].get(stage, 0.0) + seconds, 3)
        write_text(path, to_json_text(manifest))

    def note(self, text: str) -> None:
        """Add to the manifest's ``notes`` what a person should know of this run."""
        path = self.path / "manifest.json"
        manifest = read_json(path)
        notes = manifest.get("notes", [])
        if text not in notes:
            write_text(path, to_json_text(manifest | {"notes": [*notes, text]}))

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage into the manifest, also when it is interrupted."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add_seconds(stage, time.monotonic() - start)


def add_facts(path: Path, facts: dict[str, Any]) -> None:
    """Add to the manifest of a run what its command knows of it; what is there stays as it is."""
    manifest = read_json(path / "manifest.json")
    if new := {key: value for key, value in facts.items() if key not in manifest}:
        write_text(path / "manifest.json", to_json_text(manifest | new))


class Metrics:
    """`metrics.jsonl` of a run: one JSON object a line, each with ``images_seen``.

    On resuming at some ``images_seen`` the lines after it are dropped, so that a resumed file equals
    that of an uninterrupted run.
    """

    def __init__(self, path: Path, *, resume_at: int = 0) -> None:
        self.path = path
        self.rows = [row for row in read_metrics(path) if row["images_seen"] <= resume_at]
        write_text(path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def append(self, row: dict[str, Any]) -> None:
        """Append one row, flushed at once."""
        self.rows.append(row)
        with one_line_io(self.path), self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row, allow_nan=False) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the complete rows of a metrics file; a last line cut by a kill is left out."""
    if not path.exists():
        return []
    rows = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                rows.append(json.loads(line))
    except ValueError as error:  # also what is no UTF-8
        raise RunError(f"{path} cannot be read ({error}); delete it and run again") from None
    return rows


def lock_folder(path: Path, name: str = ".lock") -> FileLock:
    """Take a directory's lock, waiting a moment for a process that is just ending.

    Raises
    ------
    RunError
        If another process holds it, or the directory cannot be written.
    """
    # Not of a thread: whoever closes the run may be another one than opened it.
    lock = FileLock(path / name, timeout=LOCK_SECONDS, poll_interval=0.2, thread_local=False)
    with one_line_io(path):
        path.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                f"another process is working in {path}; wait for it, stop it, or choose another `out`"
            ) from None
    return lock


def now() -> str:
    """Return the current time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of rote, Python and the libraries that figures depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "rote": VERSION}
    for name in ("torch", "numpy", "scipy", "pillow", "scikit-learn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    found.update(_commit())
    return found


def _commit() -> dict[str, str]:
    """Return rote's own commit where it runs from a git checkout, else nothing."""
    top = Path(__file__).resolve().parents[3]
    if not (top / ".git").exists():
        return {}
    command = ["git", "-C", str(top), "describe", "--always", "--dirty", "--abbrev=12"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return {"commit": done.stdout.strip()}
    return {}
