"""Trackers: what `metrics.jsonl` holds, shown live by TensorBoard, Weights & Biases or MLflow.

The clients are those of Hugging Face accelerate. A tracker is a view: the record is the files of the run.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rote.core.errors import ConfigError, RunError, did_you_mean
from rote.core.installation import extra

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
        raise ConfigError(f"`track` {name} is unknown{did_you_mean(name, TRACKERS)}")
    for package in ("accelerate", name):
        if find_spec(package) is None:
            own = package in ("accelerate", "tensorboard")
            install = extra("track") if own else f"pip install {package}"
            raise ConfigError(f"`track` {name} needs {package}, which is not installed; {install}")


def prepare_tracker(name: str | None) -> None:
    """Make what the trackers of several workers share, before they begin together.

    Raises
    ------
    ConfigError, RunError
        If it is unknown, not installed, or refuses.
    """
    check_tracker(name)
    if name == "mlflow":
        with _one_line(name):
            _make_experiment()


def _make_experiment() -> None:
    """Make MLflow's experiment, and with it a new store, if they are not there.

    Workers that find neither would all begin to make them, and all but one would fail.
    """
    import mlflow

    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    try:
        mlflow.create_experiment(experiment)
    except mlflow.exceptions.MlflowException:
        if mlflow.get_experiment_by_name(experiment) is None:
            raise


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
        with _one_line(name):
            if not opened:  # a run that has nothing left to do leaves no trace
                opened.append(_open(name, folder, run, config))
            values = {key: value for key, value in row.items() if key != "images_seen"}
            opened[0].log(values, step=row["images_seen"])

    try:
        yield log
    finally:
        for each in opened:
            with _one_line(str(name)):
                each.finish()


@contextlib.contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Keep a client's words out of our results, and turn what it raises into one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except Exception as error:  # clients have no error of their own in common
        told = " ".join(str(error).split()) or type(error).__name__
        raise RunError(
            f"`track` {name} failed ({told}); put that right, or run the same command without `track`: "
            "what was trained is kept"
        ) from error


def _open(name: str, folder: Path, run: str, config: dict[str, Any]) -> Any:
    from accelerate import PartialState, tracking

    PartialState()  # their logging asks for it
    settings = dict(_flat(config))
    if name == "tensorboard":
        found = tracking.TensorBoardTracker("tensorboard", logging_dir=folder)
        found.start()
        return found  # config.json lies beside it
    if name == "wandb":
        import wandb

        quiet = wandb.Settings(console="off")  # it would copy the terminal, bars and all
        found = tracking.WandBTracker(PROJECT, name=run, dir=str(folder), settings=quiet)
    else:
        _make_experiment()
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
