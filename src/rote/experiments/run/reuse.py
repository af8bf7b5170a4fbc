"""Runs of a study that differ in sampling or scoring alone rest on one training, done once."""

from __future__ import annotations

from rote.core.atomic_files import link_file, read_json, write_file, write_json
from rote.data.dataset import Dataset
from rote.diffusion.training.loop import training
from rote.experiments.run.spec import RunSpec


def share_training(spec: RunSpec, drawn: Dataset) -> str:
    """Take over the snapshots of a finished run with the same training, where there is one.

    The same data, network, training and seed give the same weights, bit for bit on a CPU. Two such runs
    that are at work at once train both.

    Parameters
    ----------
    spec
        The run that is to be trained; left as it is where it has begun.
    drawn
        Its training set.

    Returns
    -------
    str
        The name of the run that trains, or has trained.
    """
    folder, train = spec.folder, spec.setting.train
    note = folder / "shared.json"
    if (folder / "config.json").exists():
        # Begun: an interruption does not change what it began with.
        return str(read_json(note)["trained_by"]) if note.exists() else spec.name
    wanted = training(drawn, spec.setting.model, train, seed=spec.root_seed)
    for other in sorted(path.parent for path in spec.root.glob("*/trial.json")):
        held = read_json(other / "config.json")
        del held["format_version"]
        if held != wanted:
            continue
        snapshots = [
            other / "checkpoints" / f"{seen}.safetensors" for seen in train.snapshots(len(drawn))
        ]
        if not all(path.exists() for path in snapshots):
            continue
        trained_by = str(read_json(other / "trial.json").get("trained_by", other.name))
        write_json(note, {"trained_by": trained_by})
        write_file(folder / "metrics.jsonl", (other / "metrics.jsonl").read_bytes())
        for path in snapshots:  # the last one, which says that the training is done, comes last
            link_file(folder / "checkpoints" / path.name, path)
        return trained_by
    return spec.name
