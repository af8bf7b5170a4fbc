"""Where the runs of `bench_campaigns.py` come from: a bank of real trainings, or a simulated world.

A source is called with a size and returns one run, trained to its end: the counts of copies of all its
snapshots on the selection sample, and of the last one on fresh samples.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from emm_coverage import EPSILON, RUN_IMAGES, SNAPSHOTS, World, deviations
from scipy.special import expit

from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import load_checkpoint
from rote.diffusion.probes.gap_file import checkpoint_probe
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.experiments.run.spec import RunSpec
from rote.results.run import PointFile
from rote.results.schema import read_result

SELECTION_SAMPLES, FRESH_SAMPLES = 256, 1000
MEASURED_STEPS, MEASURED_TIMES = 20, 5
GAP_SIGMA = 0.4


@dataclass(frozen=True)
class WholeRun:
    """A run trained to its end: (images seen, copies, samples) of its snapshots, and fresh counts.

    ``gaps`` are those of its snapshots at sigma 0.4; a simulated run has none.
    """

    size: int
    selection: tuple[tuple[int, int, int], ...]
    count: int
    total: int
    gaps: tuple[float, ...] = ()

    @property
    def images(self) -> int:
        return self.selection[-1][0]


class Source(Protocol):
    """Gives runs of any of its sizes."""

    grid: list[int]

    def __call__(self, size: int) -> WholeRun: ...


Bank = dict[int, list[WholeRun]]


def read_bank(tasks: Sequence[RunSpec]) -> Bank:
    """Read the finished runs."""
    bank: Bank = {}
    for task in tasks:
        point = read_result(task.file, PointFile)
        selection = tuple(
            (one.images_seen, one.rate.count, one.rate.total) for one in point.selection
        )
        gaps = tuple(one.gap[one.sigmas.index(GAP_SIGMA)] or 0.0 for one in point.gap)
        run = WholeRun(point.size, selection, point.rate.count, point.rate.total, gaps)
        bank.setdefault(point.size, []).append(run)
    return bank


class BankDraws:
    """The runs of each size in a drawn order; in a new one when they are used up."""

    def __init__(self, bank: Bank, rng: np.random.Generator) -> None:
        self.grid = sorted(bank)
        self._bank, self._rng = bank, rng
        self._left: dict[int, list[WholeRun]] = {}

    def __call__(self, size: int) -> WholeRun:
        if not self._left.get(size):
            own = self._bank[size]
            self._left[size] = [own[i] for i in self._rng.permutation(len(own))]
        return self._left[size].pop()


class WorldDraws:
    """New runs of a world of `emm_coverage.py` whose nominal crossing lies at exp(``center``)."""

    def __init__(
        self, world: World, grid: list[int], center: float, rng: np.random.Generator
    ) -> None:
        self.grid, self._world, self._center, self._rng = grid, world, center, rng

    def __call__(self, size: int) -> WholeRun:
        world, rng = self._world, self._rng
        end = math.log((1 - EPSILON) / EPSILON) + world.line(math.log(size) - self._center)
        end += deviations(world, rng, 1)[0]
        selection = []
        for number in range(1, SNAPSHOTS + 1):
            grown = world.growth * math.log2(number / SNAPSHOTS)
            rate = expit(end + grown + world.jitter * rng.standard_normal())
            copies = int(rng.binomial(SELECTION_SAMPLES, rate))
            selection.append((RUN_IMAGES * number // SNAPSHOTS, copies, SELECTION_SAMPLES))
        return WholeRun(
            size, tuple(selection), int(rng.binomial(FRESH_SAMPLES, rate)), FRESH_SAMPLES
        )


@dataclass(frozen=True)
class Unit:
    """What things cost, in CPU seconds of one core."""

    image: float
    sample: float
    gap: float


def measure_unit(task: RunSpec, dataset: Dataset) -> Unit:
    """Time training, sampling and the gap of a finished run: medians of CPU seconds, one thread."""
    torch.set_num_threads(1)
    config, tile = task.setting, task.setting.sample.tile
    drawn = task.draw(dataset)
    subset, rest = drawn.dataset, task.rest(dataset, drawn)
    assert rest is not None
    images = MEASURED_STEPS * config.train.batch
    short = config.train.model_copy(update={"images": images, "snapshot_images": images})
    paths = (task.folder / "checkpoints").glob("[0-9]*.safetensors")
    checkpoint = load_checkpoint(max(paths, key=lambda path: int(path.stem)))
    denoiser = checkpoint.denoiser()
    probe = checkpoint_probe(checkpoint, subset, rest, seed=0)

    def training() -> None:
        with tempfile.TemporaryDirectory() as folder:
            train(subset, config.model, short, out=Path(folder) / "run", seed=0)

    def sampling() -> None:
        sample(denoiser, range(tile), shape=checkpoint.shape, config=config.sample)

    def gap() -> None:
        probe.curve(denoiser)

    def median(work: Callable[[], None]) -> float:
        work()
        seconds = []
        for _ in range(MEASURED_TIMES):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
        return statistics.median(seconds)

    return Unit(median(training) / images, median(sampling) / tile, median(gap))
