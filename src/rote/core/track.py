"""Trackers: what `metrics.jsonl` holds, shown live by TensorBoard, Weights & Biases or MLflow.

The clients are those of Hugging Face accelerate. A tracker is a view: the record is the files of the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rote.core.errors import ConfigError, did_you_mean

TRACKERS = ("tensorboard", "wandb", "mlflow")
PROJECT = "rote"


def check_tracker(name: str | None) -> None:
    """Refuse a tracker that is unknown or not installed, before hours of work and not after.

    Raises
    ------
    ConfigError
        Naming the package to install.
    """
    if name is None:
        return
    if name not in TRACKERS:
        raise ConfigError(f"--track {name} is unknown{did_you_mean(name, TRACKERS)}")
    for package in ("accelerate", name):
        if find_spec(package) is None:
            own = package in ("accelerate", "tensorboard")
            install = "'rote[track]'" if own else package
            raise ConfigError(
                f"--track {name} needs {package}, which is not installed; pip install {install}"
            )


@contextlib.contextmanager
def tracker(
    name: str | None, *, folder: Path, run: str, config: dict[str, Any]
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that takes the rows of `metrics.jsonl`; it does nothing without a tracker.

    Parameters
    ----------
    name
        "tensorboard", "wandb", "mlflow", or None. TensorBoard writes into ``folder``/tensorboard; the
        others go where their own environment variables say, under the project `rote`.
    folder
        The run directory.
    run
        What the run is called there.
    config
        Its settings, nested; shown beside the run.
    """
    opened: list[Any] = []

    def log(row: dict[str, Any]) -> None:
        if name is None:
            return
        if not opened:  # a run that has nothing left to do leaves no trace
            opened.append(_open(name, folder, run, config))
        values = {key: value for key, value in row.items() if key != "images_seen"}
        opened[0].log(values, step=row["images_seen"])

    try:
        yield log
    finally:
        for each in opened:
            each.finish()


def _open(name: str, folder: Path, run: str, config: dict[str, Any]) -> Any:
    from accelerate import tracking

    settings = dict(_flat(config))
    if name == "tensorboard":
        found = tracking.TensorBoardTracker("tensorboard", logging_dir=folder)
        found.start()
        return found  # config.json lies beside it
    if name == "wandb":
        found = tracking.WandBTracker(PROJECT, name=run, dir=str(folder))
    else:
        found = tracking.MLflowTracker(PROJECT, run_name=run)
    found.start()
    found.store_init_configuration(settings)
    return found


def _flat(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and plain values.

    >>> list(_flat({"train": {"batch": 64, "skips": [1, 2]}}))
    [('train.batch', 64), ('train.skips', '[1, 2]')]
    """
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            plain = isinstance(value, (bool, int, float, str)) or value is None
            yield f"{prefix}{key}", value if plain else str(value)
