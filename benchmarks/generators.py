"""The EMM of eight kinds of generators on one data set, at comparable CPU time a training.

    python benchmarks/generators.py OUT [--length 1] [--workers 1] [--runs 10] [--only NAME ...]

Searches the EMM of rote's U-Net and transformer and of the trainers in `examples/trainers`, and prints a
table: EMM with its interval, the size at which half of the samples are copies, runs, CPU seconds of one
training to its end (a tenth of it, timed on 16 items) and of the whole search. `--length 2` trains all of
them twice as long. Writes `generators.png` into OUT: samples of the run of 16 images or the next larger
size, above the training image nearest to each. Run it again to carry on: finished runs are kept.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import rote

FOLDER = Path(__file__).parents[1] / "examples" / "trainers"
DATA, TIMED, SHOWN, PIXELS = "digits", 16, 12, 4
SEARCH = {"start": 8, "tolerance": 0.3, "fresh_samples": 500, "gap": False}
TRANSFORMER = {"architecture": "transformer", "width": 32, "blocks": 2}


@dataclass(frozen=True)
class Kind:
    """A kind of generator."""

    label: str
    images: int
    """Seen in a training of length 1: about 20 CPU seconds of a loaded core."""
    trainer: bool = True
    """Of `examples/trainers`; else rote's own."""


KINDS = {
    "kernel_density": Kind("kernel density, noise of 16 levels", 0),
    "flow_matching": Kind("flow matching, perceptron", 384_000),
    "unet": Kind("rote: diffusion, U-Net", 25_600, trainer=False),
    "diffusers_ddpm": Kind("diffusers: DDPM, U-Net", 35_840),
    "gan": Kind("generative adversarial network", 192_000),
    "vae": Kind("variational autoencoder", 307_200),
    "transformer": Kind("rote: diffusion, transformer", 83_200, trainer=False),
    "autoregressive": Kind("autoregressive, recurrent network", 20_480),
}


def settings(name: str, length: float) -> dict[str, object]:
    """Return what `--set` is told for one kind."""
    images = round(KINDS[name].images * length)
    found: dict[str, object] = {f"search.{key}": value for key, value in SEARCH.items()}
    if KINDS[name].trainer:
        return found | ({"trainer.images": images} if images else {})
    quarter = max(images // 4 // 64, 1) * 64
    found |= {"train.images": 4 * quarter, "train.snapshot_images": quarter}
    changes = TRANSFORMER if name == "transformer" else {}
    return found | {f"model.{key}": value for key, value in changes.items()}


def search(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return the content of `emm.json`, and the CPU seconds that it took in `cpu`."""
    out = args.out.resolve() / name
    command = [sys.executable, "-m", "rote", "emm", "--data", DATA, "--out", str(out)]
    command += ["--workers", str(args.workers), "--set", f"search.max_runs={args.runs}"]
    if KINDS[name].trainer:
        command += ["--trainer", f"{name}:trainer"]
    for key, value in settings(name, args.length).items():
        command += ["--set", f"{key}={str(value).lower()}"]
    note = args.out / f"{name}.cpu.json"
    before = json.loads(note.read_text()) if note.exists() else 0.0
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (args.out / f"{name}.log").open("a") as log:
        subprocess.run(command, cwd=FOLDER, check=True, stdout=log, stderr=log)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not before or end.ru_utime - start.ru_utime > 20:  # less only reads what is there
        before += end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
        note.write_text(json.dumps(before))
    return json.loads((out / "emm.json").read_text()) | {"cpu": before}


def training_seconds(name: str, args: argparse.Namespace) -> float:
    """Return the CPU seconds of one training to its end, from a tenth of it."""
    note = args.out / f"{name}.training.json"
    if not note.exists():
        images = max(round(KINDS[name].images * args.length / 10), 64)
        dataset = rote.Dataset(rote.load_images(DATA).items[:TIMED])
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            if KINDS[name].trainer:
                job = rote.TrainingJob(
                    dataset, 0, Path(folder), "cpu", 1, {"images": images}, lambda: False
                )
                made = importlib.import_module(name).trainer(job)
                start = time.process_time()
                for _ in made if hasattr(made, "__iter__") else ():
                    pass
            else:
                config = rote.preset("tiny")
                model = config.model.model_copy(update=TRANSFORMER if name == "transformer" else {})
                length = {"images": images, "snapshot_images": images}
                train = config.train.model_copy(update=length)
                rote.train(dataset, model, train, out=Path(folder, "run"), seed=0)
            spent = time.process_time() - start
        note.write_text(json.dumps(spent * KINDS[name].images * args.length / images))
    return float(json.loads(note.read_text()))


def shown(emm: dict[str, Any]) -> str:
    """Return an EMM with its interval, or the one end that is known."""
    if emm["value"] is not None:
        return f"{emm['value']:.0f} ({emm['low']:.0f} to {emm['high']:.0f})"
    ends = [f"at least {emm['low']:.0f}"] if emm["low"] else []
    ends += [f"at most {emm['high']:.0f}"] if emm["high"] else []
    return " and ".join(ends) or "not known"


def strip(folder: Path, emm: dict[str, Any]) -> np.ndarray:
    """Return some samples of a run of at least 16 images above the nearest training images."""
    points = sorted(emm["points"], key=lambda point: point["size"])
    point = next((one for one in points if one["size"] >= TIMED), points[-1])
    run = folder / point["run"]
    data, seed = rote.load_images(DATA), json.loads((run / "config.json").read_text())["seed"]
    trained_on = data.items[data.subset_indices(point["size"], seed=seed)]
    made = np.load(run / "samples" / "fresh.npz")["images"][:SHOWN]
    seen = trained_on[np.load(run / "audit" / "neighbors.npz")["nn1_index"][:SHOWN]]
    lines = [np.concatenate(list(row[..., 0]), axis=1) for row in (made, seen)]
    return np.kron(np.concatenate(lines), np.ones((PIXELS, PIXELS), np.uint8))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--length", type=float, default=1.0, help="of a training")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", type=int, default=10, help="of each search, at most")
    parser.add_argument("--only", nargs="*", choices=list(KINDS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, str(FOLDER))
    args.out.mkdir(parents=True, exist_ok=True)
    print("| generator | EMM (90 %) | half are copies | runs | CPU s of a training | of all |")
    print("|---|---|---|---|---|---|")
    strips = []
    for name in args.only or KINDS:
        value = search(name, args)
        half = next(one for one in value["other_epsilons"] if one["epsilon"] == 0.5)
        print(
            f"| {KINDS[name].label} | {shown(value['emm'])} | {shown(half)} | {len(value['points'])} | "
            f"{training_seconds(name, args):.0f} | {value['cpu']:.0f} |",
            flush=True,
        )
        strips.append(np.pad(strip(args.out / name, value), ((0, 8), (0, 0)), constant_values=128))
        Image.fromarray(np.concatenate(strips)).save(args.out / "generators.png")


if __name__ == "__main__":
    main()
