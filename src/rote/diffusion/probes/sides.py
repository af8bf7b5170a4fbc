"""What a finished run is looked into with: its newest snapshot, what it was trained on, and what not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from rote.core.atomic_files import read_json
from rote.core.errors import ConfigError, DataError
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.named.names import named_sources
from rote.data.options import ReadOptions, parse_window
from rote.data.sides import as_dataset
from rote.data.tables.table import Reading
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint
from rote.diffusion.probes.gap_file import complement, find_subset
from rote.results.run import Manifest
from rote.results.schema import read_result


class Sides(NamedTuple):
    """A snapshot, the items it was trained on in model units, and held-out ones."""

    checkpoint: Checkpoint
    training: Dataset
    holdout: Dataset


def sides_of_run(
    run: Path, *, data: Any = None, holdout: Any = None, seed: int | None = None
) -> Sides:
    """Return the newest snapshot of a run, the items it was trained on, and held-out ones.

    Parameters
    ----------
    run
        The folder of `rote train`.
    data
        The whole source that it was trained on or on a part of, as `rote.load_images` takes it; None: the
        one that the run names, read as it was then.
    holdout
        Images that it was not trained on; None: those of the training, or the rest of ``data``.
    seed
        Seed that the part was drawn with; that of the run is tried, too.

    Raises
    ------
    ConfigError
        If there is no such run, or nothing was held out.
    DataError
        If the data is not that of the run.
    """
    told = told_of_run(run)
    checkpoint = load_checkpoint(run)
    dataset = data_of_run(run) if data is None else as_dataset(data)
    scaled, _ = for_models(dataset)
    seeds = {checkpoint.facts["seed"]} | (set() if seed is None else {seed})
    taken = find_subset(scaled, checkpoint, count=told.size, seeds=sorted(seeds))
    holdout = told.holdout if holdout is None else holdout
    rest = held_out(holdout, scaled, complement(scaled, taken))
    return Sides(checkpoint, scaled.take(taken), rest)


class Told(NamedTuple):
    """What a run says of its training.

    Attributes
    ----------
    source, called
        Where the whole source lies, and what the run calls it.
    read
        How it was read, by option; None where the run is of a version that did not say.
    holdout
        What its gap was measured against; None: the rest of the source.
    size
        How many items it was trained on.
    seed, device
        Of the training; "auto" for a run on cuda, which need not be here.
    """

    source: str
    called: str
    read: dict[str, Any] | None
    holdout: str | None
    size: int
    seed: int
    device: str


def told_of_run(run: Path) -> Told:
    """Return what a run says of its training.

    Raises
    ------
    ConfigError
        If there is no such run.
    """
    if not (run / "config.json").is_file():
        raise ConfigError(f"{run} holds no training; give the folder of a finished `rote train`")
    bound, manifest = read_json(run / "config.json"), run / "manifest.json"
    made = read_result(manifest, Manifest) if manifest.exists() else None
    told = None if made is None else made.data
    called = str(bound["dataset"]["source"])
    return Told(
        called if told is None else _found(told.source, told.folder),
        called,
        None if told is None else told.read,
        None if told is None or told.holdout is None else _found(told.holdout, told.folder),
        int(bound["dataset"]["count"]),
        int(bound["seed"]),
        "cpu" if made is not None and made.device == "cpu" else "auto",
    )


def _found(source: str, folder: str) -> str:
    """Return where a source is that was given in another folder."""
    return source if source in named_sources() else str(Path(folder, Path(source).expanduser()))


def data_of_run(run: Path) -> Dataset:
    """Load the source that a run names as the training did, or at the run's own size and channels.

    Raises
    ------
    ConfigError
        If there is no such run.
    DataError
        If its source is not there any more, or was in memory.
    """
    told = told_of_run(run)
    options, reading = _of_shape(load_checkpoint(run).shape), Reading()
    if told.read is not None:
        images = {field.name for field in fields(ReadOptions)}
        read = {key: _plain(key, value) for key, value in told.read.items()}
        options = ReadOptions(**{key: value for key, value in read.items() if key in images})
        reading = Reading(**{key: value for key, value in read.items() if key not in images})
    try:
        dataset = load_images(told.source, options=options, reading=reading)
    except DataError as error:
        raise DataError(
            f"{run} was trained on {told.called}, which cannot be read again ({error}); give `data`"
        ) from error
    return replace(dataset, source=told.called)


def _plain(key: str, value: Any) -> Any:
    """Return a way of reading from its form in JSON."""
    if key == "window":
        return parse_window(value)
    return tuple(value) if isinstance(value, list) else value


def _of_shape(shape: Sequence[int]) -> ReadOptions:
    """Return how images become those of a shape; of what are no images, nothing is asked."""
    if len(shape) != 3:
        return ReadOptions()
    channels, height, width = shape
    return ReadOptions(resolution=height if height == width else None, channels=channels)


def held_out(holdout: Any, dataset: Dataset, rest: Dataset) -> Dataset:
    """Return the held-out side: what is given, at the data's own size, or the rest of the data.

    Raises
    ------
    ConfigError
        If the whole source was trained on and no other one is given, or vectors would need its scaling.
    """
    if holdout is None:
        if not len(rest):
            raise ConfigError(
                "all of `data` was trained on, so nothing stands for the population; give `holdout`, or "
                "train on a part of it with `size`"
            )
        return rest
    if not dataset.in_levels:
        raise ConfigError(
            "`holdout`: vectors are scaled by the columns of their own source; train on a part of `data` "
            "with `size`, and its rest is the held-out side"
        )
    return as_dataset(holdout, options=_of_shape(dataset.shape).with_window(dataset.window))


def read_sigmas(sigmas: str | Sequence[float]) -> tuple[float, ...]:
    """Return noise levels, given as numbers or as text with commas between.

    >>> read_sigmas("0.4,0.8"), read_sigmas([1])
    ((0.4, 0.8), (1.0,))
    """
    given = sigmas.split(",") if isinstance(sigmas, str) else sigmas
    try:
        return tuple(float(sigma) for sigma in given)
    except (TypeError, ValueError):
        raise ConfigError(
            f"`sigmas` {sigmas}: give numbers with commas between, as 0.4,0.8"
        ) from None
