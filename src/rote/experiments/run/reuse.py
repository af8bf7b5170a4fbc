"""Runs of a study that differ in sampling or scoring alone rest on one training, done once."""

from __future__ import annotations

from pathlib import Path

from rote.core.atomic_files import link_file, read_json, write_file, write_json
from rote.data.dataset import Dataset
from rote.diffusion.training.loop import training
from rote.experiments.studies.factor import Setting


def share_training(
    folder: Path, runs: Path, drawn: Dataset, setting: Setting, *, seed: int
) -> str | None:
    """Take over the snapshots of a finished run with the same training, where there is one.

    The same data, network, training and seed give the same weights, bit for bit on a CPU. Two such runs
    that are at work at once train both.

    Parameters
    ----------
    folder
        The run that is to be trained; left as it is where it has begun.
    runs
        The folder of all runs.
    drawn
        Its training set.
    setting, seed
        What it is trained with.

    Returns
    -------
    str or None
        The name of the run that trained.
    """
    note = folder / "shared.json"
    if (folder / "config.json").exists():
        # Begun: an interruption does not change what it began with.
        return str(read_json(note)["trained_by"]) if note.exists() else None
    if not runs.exists():
        return None
    wanted = training(drawn, setting.model, setting.train, seed=seed)
    for other in sorted(path.parent for path in runs.glob("*/trial.json")):
        held = read_json(other / "config.json")
        del held["format_version"]
        if held != wanted:
            continue
        snapshots = [
            other / "checkpoints" / f"{seen}.safetensors"
            for seen in setting.train.snapshots(len(drawn))
        ]
        if not all(path.exists() for path in snapshots):
            continue
        trained_by = str(read_json(other / "trial.json").get("trained_by", other.name))
        write_json(note, {"trained_by": trained_by})
        write_file(folder / "metrics.jsonl", (other / "metrics.jsonl").read_bytes())
        for path in snapshots:  # the last one, which says that the training is done, comes last
            link_file(folder / "checkpoints" / path.name, path)
        return trained_by
    return None
