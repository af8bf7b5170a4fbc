"""How far studies are, read from their folders alone: for a person in another terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.experiments.run.status import read_status

SILENT_SECONDS = 15 * 60
"""A run that has noted nothing for so long may be waiting to be taken up again."""


def study_folders(folder: Path) -> list[Path]:
    """Return the studies in a folder: itself, or those below it."""
    places = [folder, *sorted(place for place in folder.glob("*") if place.is_dir())]
    return [place for place in places if (place / "plan.json").exists()]


def study_states(folder: Path) -> list[dict[str, Any]]:
    """Return for each study its runs, how many are finished, what is at work, and the sentence.

    ``seconds_left`` is what the unfinished runs take if each takes as long as the finished ones did, and
    as many are at work as now; None if nothing is at work or finished.
    """
    states = []
    for place in study_folders(folder):
        plan = read_json(place / "plan.json")
        runs = place / plan["runs_folder"]
        finished: list[float] = []
        active, awake = [], 0
        for run in plan["runs"]:
            own = runs / run["key"]
            if (own / "trial.json").exists():
                finished.append(read_json(own / "trial.json")["seconds"])
            elif status := read_status(own):
                share = status["done"] / max(1, status["total"])
                text = f"{run['value']} ({run['size']:,}, run {run['replicate']}): "
                text += f"{status['stage']} {share:.0%}"
                silent = time.time() - last_heard(own)
                if silent > SILENT_SECONDS:
                    text += f", silent for {silent / 60:,.0f} min"
                else:
                    awake += 1
                active.append(text)
        result = place / "study.json"
        left = len(plan["runs"]) - len(finished)
        states.append(
            {
                "study": plan["study"],
                "folder": str(place),
                "runs": len(plan["runs"]),
                "finished": len(finished),
                "active": active,
                "seconds_left": round(sum(finished) / len(finished) * left / awake)
                if finished and awake
                else None,
                "done": result.exists() and not left,
                "sentence": read_json(result)["sentence"] if result.exists() and not left else None,
            }
        )
    return states


def last_heard(run: Path) -> float:
    """Return when a run last noted what it was doing, as seconds since the epoch."""
    try:
        return (run / "status.json").stat().st_mtime
    except FileNotFoundError:  # it has just ended
        return time.time()
