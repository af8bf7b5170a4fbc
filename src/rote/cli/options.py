"""Options and steps that several commands share."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.command import Place
from rote.cli.values import choice
from rote.core.devices import DEVICES
from rote.core.errors import ConfigError, Interrupted
from rote.core.trackers import TRACKERS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rote.data.dataset import Dataset
    from rote.experiments.config import ExperimentConfig
    from rote.experiments.trainers.config import TrainerConfig


PRESETS = ("tiny", "small", "paper")
"""The names of `rote.experiments.config.PRESETS`, known before that is imported."""


class State:
    """What the global options said."""

    debug = False


Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="A named set (see `rote data list`) or a folder, zip, npz, npy, csv or parquet file.",
    ),
]
PlacedData = Annotated[Data, Place("DATA")]
Preset = Annotated[
    str, choice("--preset", PRESETS, "How large models and trainings are, and how they are scored.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one value, such as train.batch=128. Repeatable."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Root seed of all randomness.")]
WeightsName = Annotated[
    str,
    choice(
        "--weights", ("ema", "raw"), "Those averaged over the training (ema), or the last (raw)."
    ),
]
Device = Annotated[
    str, choice("--device", DEVICES, "Where to compute; auto is cuda where there is one.")
]
Track = Annotated[str | None, choice("--track", TRACKERS, "Show trainings live (the extra track).")]
SearchDevice = Annotated[
    str,
    choice(
        "--device",
        DEVICES,
        "Where neighbors are searched; auto is cuda where there is one. Duplicates: on the CPU.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the resolved configuration and stop.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Spreadsheet = Annotated[
    bool,
    typer.Option(
        "--spreadsheet",
        help="csv files for a spreadsheet: a ' before texts that it would run as formulas.",
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """What a training is, beside its data and its preset."""

    assignments: Set = None
    seed: Seed = 0
    device: Device = "auto"

    def config(
        self,
        name: str,
        *,
        kind: str,
        changes: Sequence[str] = (),
        trainer: TrainerConfig | None = None,
    ) -> ExperimentConfig:
        """Return the preset of that name for data of a kind, with what --set and ``changes`` say.

        With a trainer, ``trainer.NAME=VALUE`` are its settings.
        """
        from rote.core.config import override
        from rote.experiments.config import preset

        given, mark = self.assignments or [], "trainer."
        own = [text.removeprefix(mark) for text in given if text.startswith(mark)]
        rest = [text for text in given if not text.startswith(mark)]
        config = override(preset(name, kind=kind), [*rest, *changes])
        if trainer is None:
            if own:
                raise ConfigError(f"--set trainer.{own[0]}: there is no --trainer to take it")
            return config
        if lost := [text for text in rest if not text.startswith("search.")]:
            raise ConfigError(
                f"--set {lost[0]}: a trainer takes the place of model, train and sample; what it is "
                "told is --set trainer.NAME=VALUE"
            )
        return config.model_copy(update={"trainer": trainer.told(own)})


@dataclass(frozen=True)
class SubsetOptions:
    """Which items of a source are trained on."""

    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Take a seeded subset of this many.")
    ] = None
    first: Annotated[
        bool,
        typer.Option("--first", help="Let --size take the first ones of the source instead."),
    ] = False

    def positions(
        self, dataset: Dataset, *, seed: int, stratify: bool = False
    ) -> npt.NDArray[np.int64]:
        """Return the positions of --size items, or of all; errors name the flag."""
        from rote.core.errors import DataError

        if self.size is None:
            return dataset.subset_indices(len(dataset), seed=None)
        try:
            return dataset.subset_indices(
                self.size, seed=None if self.first else seed, stratify=stratify
            )
        except DataError as error:
            raise DataError(f"--size {self.size}: {error}") from error


def check_folder(path: Path) -> None:
    """Refuse an --out that cannot become an audit's folder, before hours of work and not after.

    Raises
    ------
    ConfigError
        If a part of it is a file, or it holds a search or a study, whose report would be replaced.
    RunError
        If nothing can be written there.
    """
    from rote.core.atomic_files import read_json
    from rote.core.run_folder import check_writable, holds

    there = next((part for part in (path, *path.parents) if part.exists()), None)
    if there is not None and not there.is_dir():
        raise ConfigError(f"--out {path}: {there} is a file, not a folder; choose another --out")
    bound = read_json(path / "config.json") if (path / "config.json").exists() else {}
    if bound.get("kind") in ("emm", "study", "studies"):
        raise ConfigError(
            f"--out {path} holds {holds(bound)}, whose report would be replaced; choose another --out, "
            f"such as {path / 'audit'}"
        )
    check_writable(path)


@contextlib.contextmanager
def interruptible(*, in_time: bool = False) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM within the block into `Interrupted`, raised in the main thread.

    With ``in_time`` the process ends within two seconds all the same (`rote.cli.stopping`): where nothing
    is to be saved at the next step of a loop.
    """
    from rote.cli.stopping import ended_in_time

    def stop(number: int, frame: FrameType | None) -> None:
        # A second signal must not tear the saving apart.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with ended_in_time() if in_time else contextlib.nullcontext():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def answers_in_time(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command be interrupted in time from its first import on."""

    @functools.wraps(command)
    def run(*given: object, **named: object) -> None:
        with interruptible(in_time=True):
            command(*given, **named)

    return run


class StopFlag:
    """For loops that save at their next step: set by Ctrl-C or SIGTERM, asked by the loop."""

    def __init__(self) -> None:
        self.stopping = False

    def __enter__(self) -> StopFlag:
        def stop(number: int, frame: FrameType | None) -> None:
            self.stopping = True

        self._before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self.stopping


def hush_all_but_first() -> None:
    """Of the processes that a launcher has started, let one speak."""
    if int(os.environ.get("RANK", "0")):
        from rote.core.console import hush

        hush()


def refuse_launcher(command: str) -> None:
    """Refuse to be started several times by a launcher."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            f"launchers such as `accelerate launch` are for `rote train`; {command} spreads its runs by "
            "itself: give --workers or --engine ray"
        )
