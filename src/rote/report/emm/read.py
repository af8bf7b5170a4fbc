"""Reads a finished search for the EMM: `emm.json` and the folders of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.report.audit.read import Audit, read_audit
from rote.results.emm import EmmFile, SearchPoint
from rote.results.schema import damaged, read_result


@dataclass(frozen=True)
class Run:
    """One run with the audit of its fresh samples; ``loss`` is (images seen, training loss)."""

    point: SearchPoint
    audit: Audit
    loss: tuple[tuple[int, float], ...]

    @property
    def bound_rate(self) -> float:
        """The rate, or the bound on it, that the estimate took."""
        return self.point.observation.count / self.point.observation.total


@dataclass(frozen=True)
class Search:
    """A finished search."""

    file: EmmFile
    runs: tuple[Run, ...]


def read_search(run_dir: Path) -> Search:
    """Read the directory of a finished search.

    Raises
    ------
    RunError
        If a file is missing or damaged, or if the files contradict each other.
    """
    path = run_dir / "emm.json"
    file = read_result(path, EmmFile)
    return Search(file, tuple(_read_run(path, n, point) for n, point in enumerate(file.points)))


def _read_run(path: Path, number: int, point: SearchPoint) -> Run:
    folder = path.parent / point.run
    if not folder.resolve().is_relative_to(path.parent.resolve()):
        raise damaged(path, f"points[{number}].run", f"a folder inside {path.parent}")
    audit = read_audit(folder / "audit")
    found, rate = audit.file.rate, point.rate
    if (found.count, found.total) != (rate.count, rate.total):
        raise RunError(
            f"{folder / 'audit'} does not belong to {path}: it counts {found.count} of "
            f"{found.total}, not {rate.count} of {rate.total}; run `rote emm` again"
        )
    rows = read_metrics(folder / "metrics.jsonl")
    return Run(point, audit, tuple((row["images_seen"], row["loss"]) for row in rows))
