"""How far studies are, read from their folders alone: for a person in another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rote.core.runs import read_json
from rote.studies.point import read_stage


def study_folders(folder: Path) -> list[Path]:
    """Return the studies in a folder: itself, or those below it."""
    places = [folder, *sorted(place for place in folder.glob("*") if place.is_dir())]
    return [place for place in places if (place / "plan.json").exists()]


def study_states(folder: Path) -> list[dict[str, Any]]:
    """Return for each study its runs, how many are finished, what is at work, and the sentence."""
    states = []
    for place in study_folders(folder):
        plan = read_json(place / "plan.json")
        runs = place / plan["runs_folder"]
        finished, active = 0, []
        for run in plan["runs"]:
            own = runs / run["key"]
            if (own / "trial.json").exists():
                finished += 1
            elif status := read_stage(own):
                active.append(f"{run['value']} ({run['size']:,}): {status['stage']}")
        result = place / "study.json"
        done = result.exists() and finished == len(plan["runs"])
        states.append(
            {
                "study": plan["study"],
                "folder": str(place),
                "runs": len(plan["runs"]),
                "finished": finished,
                "active": active,
                "done": done,
                "sentence": read_json(result)["sentence"] if done else None,
            }
        )
    return states
