"""Collects what the page of one training shows, from the files of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.core.run_folder import read_metrics
from rote.results.gap import GapFile
from rote.results.membership import MembershipFile
from rote.results.schema import read_result


def is_training(run_dir: Path) -> bool:
    """Say whether a directory is that of `rote train`."""
    path = run_dir / "config.json"
    return path.exists() and read_json(path).get("kind") == "train"


def training_context(run_dir: Path) -> dict[str, Any]:
    """Read the directory of a training, finished or not, and return what its page shows.

    Raises
    ------
    RunError
        If a file of it is damaged.
    """
    from rote.report.charts import chart as charts
    from rote.report.charts.gap import gap_curves
    from rote.report.charts.training import loss_curve

    config = read_json(run_dir / "config.json")
    names = (path.stem for path in (run_dir / "checkpoints").glob("*.safetensors"))
    snapshots = sorted(int(name) for name in names if name.isdecimal())
    losses = [(row["images_seen"], row["loss"]) for row in read_metrics(run_dir / "metrics.jsonl")]
    specs = {"loss": loss_curve(losses, snapshots)} if any(loss > 0 for _, loss in losses) else {}
    gap, membership = run_dir / "gap.json", run_dir / "membership.json"
    measured = read_result(gap, GapFile) if gap.exists() else None
    if measured is not None:
        specs["gap"] = gap_curves(measured.snapshots)
    return {
        "template": "training.html.j2",
        "title": f"{run_dir.resolve().name} · training",
        "data": config["dataset"],
        "losses": losses,
        "snapshots": snapshots,
        "finished": not (run_dir / "checkpoints" / "state.safetensors").exists(),
        "gap": measured,
        "membership": read_result(membership, MembershipFile) if membership.exists() else None,
        "configs": {key: config[key] for key in ("model", "train")},
        "source_text": (run_dir / "config.json").read_text(encoding="utf-8"),
        "source_name": "config.json",
        "drawn": set(specs),
        "gallery": None,
        "charts": charts.on_page(specs),
    }
