"""Does the gap to the optimum predict the memorization rate? Many small trainings, both measured.

python benchmarks/gap_evidence.py --cifar10 cifar10_train.npz --out evidence/ [--minutes 40]

Trains one small network after another, measures the gap curve and the memorization rate of several of
its snapshots, and writes one JSON file per run. A run whose file is there is skipped, so the script
carries on where it was stopped. `docs/results/gap/analyze.py` draws the conclusions.
"""

import argparse
import itertools
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rote.core.atomic_files import write_json
from rote.core.seeds import child_seed
from rote.data.convert import from_model
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint, snapshot_paths
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.probes.gap import GapProbe
from rote.diffusion.probes.gap_file import checkpoint_probe
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY

SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.57, 0.8, 1.13, 1.6, 2.26, 3.2, 6.4)
SAMPLES = 192
BATCH = 64


@dataclass(frozen=True)
class Job:
    """One training; ``steps`` are those at which a snapshot is kept, the last is the end."""

    family: str
    data: str
    size: int
    seed: int = 0
    width: int = 16
    steps: tuple[int, ...] = (60, 120, 240)
    labels: str = "none"
    dropout: float = 0.0
    weight_decay: float = 0.0
    raw: bool = False
    """Score the raw weights, too."""

    @property
    def name(self) -> str:
        """File name of its result."""
        parts = [self.family, self.data, f"w{self.width}", f"n{self.size}", f"s{self.seed}"]
        return "-".join(parts)


def jobs() -> list[Job]:
    """Return all jobs, those of each family spread over the list, so that any beginning is useful."""
    sizes = (8, 16, 32, 64)
    short = (60, 120, 240)
    widths = {8: (90, 180, 360), 16: short, 24: short, 32: short}
    kinds = ("true", "random", "unique")
    looks = {8: 20, 12: 20, 16: 25, 24: 30, 32: 40, 48: 50, 64: 60}
    families = [
        [Job("width", "digits", n, width=w, steps=s) for w, s in widths.items() for n in sizes],
        [Job(f"labels-{k}", "digits", n, labels=k) for k in kinds for n in sizes[1:]],
        [
            Job("dropout", "digits", n, dropout=d, seed=round(100 * d))
            for d in (0.1, 0.3)
            for n in sizes[:3]
        ],
        [Job("cifar8", "cifar10-8", n) for n in sizes],
        [Job(f"labels-{k}", "cifar10-8", n, labels=k) for k in kinds for n in sizes[1:]],
        [Job("ema", "digits", n, seed=1, raw=True) for n in sizes],
        [Job("cifar4", "cifar10-4", n) for n in sizes],
        [Job("cifar16", "cifar10-16", n, steps=(60, 120)) for n in sizes[:2]],
        [Job("decay", "digits", n, weight_decay=1e-3) for n in sizes[:3]],
        [Job("cifar8-wide", "cifar10-8", n, width=32) for n in sizes[1:3]],
        [
            Job("onset", "digits", n, seed=2, steps=tuple(range(every, 8 * every + 1, every)))
            for n, every in looks.items()
        ],
    ]
    mixed = itertools.zip_longest(*families)
    return [job for row in mixed for job in row if job is not None]


def dataset_of(name: str, cifar10: Path) -> Dataset:
    """Load digits, or CIFAR-10 at the resolution that the name ends with."""
    if name == "digits":
        return load_images("digits")
    return load_images(str(cifar10), resolution=int(name.split("-")[1]))


def run_job(job: Job, data: Dataset, folder: Path) -> dict[str, Any]:
    """Train and measure one job."""
    torch.set_num_threads(1)
    order = data.subset_indices(len(data), seed=job.seed)
    subset, rest = data.take(order[: job.size]), data.take(order[job.size :][:4000])
    model = ModelConfig(
        width=job.width,
        channel_mult=(1, 2),
        blocks=1,
        attention_resolutions=(),
        dropout=job.dropout,
    )
    every = np.gcd.reduce(job.steps)
    config = TrainConfig(
        batch=BATCH,
        images=BATCH * max(job.steps),
        learning_rate=3e-3,
        ema_halflife_images=2000,
        weight_decay=job.weight_decay,
        labels=job.labels,
        random_classes=10 if job.labels == "random" else None,
        snapshot_images=BATCH * int(every),
    )
    started = time.process_time()
    train(subset, model, config, out=folder, seed=job.seed)
    seconds = {"train": time.process_time() - started}
    started = time.process_time()
    paths = [p for p in snapshot_paths(folder) if int(p.stem) // BATCH in job.steps]
    probe = checkpoint_probe(load_checkpoint(paths[0]), subset, rest, seed=0, sigmas=SIGMAS)
    seconds["probe"] = time.process_time() - started
    kinds: tuple[Literal["ema", "raw"], ...] = ("ema", "raw") if job.raw else ("ema",)
    found = [measure(load_checkpoint(p), subset, probe, kind) for p in paths for kind in kinds]
    shutil.rmtree(folder)
    return {"job": asdict(job), "holdout": len(rest), "seconds": seconds, "snapshots": found}


def measure(
    checkpoint: Checkpoint, subset: Dataset, probe: GapProbe, kind: Literal["ema", "raw"]
) -> dict[str, Any]:
    """Measure gap and rate of one snapshot, and the CPU seconds of both."""
    denoiser = checkpoint.denoiser(weights=kind)
    started = time.process_time()
    curve = probe.curve(denoiser)
    between = time.process_time()
    labels = None
    if checkpoint.label_count:
        drawn = np.random.default_rng(0).integers(checkpoint.label_count, size=SAMPLES)
        labels = torch.from_numpy(drawn)
    seeds = [child_seed(0, "sample", number) for number in range(SAMPLES)]
    samples = sample(denoiser, seeds, shape=checkpoint.shape, labels=labels)
    images = Dataset(from_model(samples, kind="image"), source="samples")
    rate = run_audit(images, subset, RATIO_ONLY).rate
    return {
        "images_seen": checkpoint.images_seen,
        "weights": kind,
        "rate": rate.to_json(),
        "gap": curve.to_json(),
        "seconds": {"gap": between - started, "sampling": time.process_time() - between},
    }


def main() -> None:
    """Run all jobs that are not done yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cifar10", type=Path, required=True, help="cifar10_train.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=60, help="start no job after this long")
    parser.add_argument("--only", default="", help="runs whose name begins so")
    asked = parser.parse_args()
    loaded: dict[str, Dataset] = {}
    started = time.monotonic()
    for number, job in enumerate(jobs()):
        path = asked.out / f"{job.name}.json"
        if path.exists() or not job.name.startswith(asked.only):
            continue
        if time.monotonic() - started > 60 * asked.minutes:
            break
        if job.data not in loaded:
            loaded[job.data] = dataset_of(job.data, asked.cifar10)
        write_json(path, run_job(job, loaded[job.data], asked.out / f".{job.name}"))
        last = json.loads(path.read_text())["snapshots"]
        print(number, job.name, [round(s["rate"]["value"], 2) for s in last], flush=True)


if __name__ == "__main__":
    main()
