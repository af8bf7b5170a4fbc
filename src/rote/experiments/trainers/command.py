"""A trainer that is a command line: any script, in any language."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rote.core.atomic_files import open_log
from rote.core.errors import ConfigError, DataError, RunError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.tables.table import Reading
from rote.experiments.trainers.config import TrainerConfig
from rote.experiments.trainers.layout import lay_out, place_of
from rote.experiments.trainers.process import run_process
from rote.experiments.trainers.protocol import TrainedModel, Trainer, TrainingJob

LOG_END = 300
"""Characters of the log that an error shows."""
ARRAYS = (".npz", ".npy", ".csv")
"""Files that hold all samples."""


def command_trainer(config: TrainerConfig, *, samples: int) -> Trainer:
    """Return a trainer that runs the commands of a configuration.

    Parameters
    ----------
    config
        With ``train_command``.
    samples
        ``{num}`` of a training command that samples, too.
    """
    train_command, sample_command = config.train_command, config.sample_command
    assert train_command is not None

    def trainer(job: TrainingJob) -> TrainedModel:
        out, log = job.folder / "out", job.folder / "command.log"
        done = job.folder / "trained"
        words: dict[str, object] = {
            **job.settings,
            "data": place_of(job.data, job.folder / "data", layout=config.layout).resolve(),
            "out": out.resolve(),
            "size": len(job.data),
            "device": job.device,
            "threads": job.threads,
        }
        if not done.exists():
            given = {"num": samples, "seed": job.seed, "samples": job.folder / "samples"}
            if sample_command is not None:
                fill(sample_command, words | given)  # what is wrong with it, before the training
            lay_out(job.data, job.folder / "data", layout=config.layout)
            out.mkdir(exist_ok=True)
            given["samples"] = _emptied(job.folder / "samples")
            _run(train_command, words | given, job, log, config.time_limit, what="training")
            done.touch()

        def sample(num: int, seed: int) -> Any:
            place = (job.folder / "samples").resolve()
            if sample_command is not None:
                place = _emptied(place.with_name(f"samples-{seed}"))
                given = {"num": num, "seed": seed, "samples": place}
                _run(sample_command, words | given, job, log, config.time_limit, what="sampling")
            return _read(place, num, like=job.data, log=log)

        return TrainedModel(images_seen=_images_seen(out, job), sample=sample, reusable=True)

    return trainer


def _emptied(place: Path) -> Path:
    """Return a folder of samples without those that a killed command has left there."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place.resolve()


def _images_seen(out: Path, job: TrainingJob) -> int:
    """Return what a script has written into `images_seen.txt`, else those of one pass."""
    try:
        return int((out / "images_seen.txt").read_text())
    except (OSError, ValueError):
        return len(job.data)


def _run(
    command: str,
    words: Mapping[str, object],
    job: TrainingJob,
    log: Path,
    limit: float | None,
    *,
    what: str,
) -> None:
    """Run a command with a status of 0; its output goes to a log."""
    line = fill(command, words)
    with open_log(log) as file:
        file.write(f"$ {shlex.join(line)}\n".encode())
    threads = str(job.threads)
    code = run_process(
        line,
        log=log,
        lock=job.folder / ".lock",
        limit=limit,
        environment=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        should_stop=job.should_stop,
    )
    if code is None:
        raise RunError(f"the {what} command took more than {limit:g} s{_end_of(log)}")
    if code:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        raise RunError(f"the {what} command {ended}{_end_of(log)}")


def fill(command: str, words: Mapping[str, object]) -> list[str]:
    """Split a command line and fill its words in; a value never becomes more than one word.

    >>> fill("python train.py --data {data} --lr={lr}", {"data": "a b", "lr": 0.1})
    ['python', 'train.py', '--data', 'a b', '--lr=0.1']
    """
    try:
        return [part.format_map(dict(words)) for part in shlex.split(command)]
    except KeyError as error:
        raise ConfigError(
            f"'{command}' asks for {{{error.args[0]}}}, which nothing sets; it can have "
            f"{', '.join('{' + name + '}' for name in sorted(words))}"
        ) from None
    except (ValueError, IndexError) as error:
        raise ConfigError(f"'{command}' is no command line: {error}") from None


def _end_of(log: Path) -> str:
    """Return where the log is, with its last words."""
    said = b""
    for path in (log.with_name(f"{log.name}.1"), log):  # it may just have been set aside
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_END))
            said = (said + file.read())[-LOG_END:]
    text = " ".join(said.decode(errors="replace").split())
    return f" ({log}: ...{text})"


def _read(place: Path, num: int, *, like: Dataset, log: Path) -> Any:
    """Read samples from a folder: the images in it, or its one npz, npy or csv file."""
    files = sorted(place.iterdir()) if place.is_dir() else []
    if not files:
        raise RunError(f"no samples are in {place}{_end_of(log)}")
    source = files[0] if len(files) == 1 and files[0].suffix in ARRAYS else place
    try:
        found = load_images(source, reading=Reading(schema=like.schema))
    except DataError as error:
        raise RunError(f"samples: {error}") from None
    if len(found) < num:
        raise RunError(f"{len(found)} samples are in {place}, {num} are needed{_end_of(log)}")
    return found.items[:num]
