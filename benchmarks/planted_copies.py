"""What an audit finds of copies that were planted, against the ratio as it is usually computed.

    python benchmarks/planted_copies.py cifar10_train.npz cifar10_test.npz --out planted

A folder of 1,000 novel images (of CIFAR-10's test set) and 100 planted copies of training images: 20
exact, 20 JPEG quality 30, 20 with noise of 16 levels, 20 mirrored, 20 shifted by two pixels. The training
set holds a twin of every source: every second one exact, the others JPEG quality 90. 2,000 further test
images are the control. Each audit's own pages are below --out.

The plain ratio is what published code does: float distances to all training images, the two smallest,
their quotient below 1/3. It is written here once more, in a few lines and without rote.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.audit.audit import audit
from rote.memorization.corruptions import degradations
from rote.memorization.invariances import Invariances
from rote.report import write_report

KINDS = {f"{kind.name} {kind.strength:g}": kind for kind in degradations()}
PLANTED = ("exact", "jpeg 30", "noise 16", "flip 1", "shift 2")
EACH, NOVEL, CONTROL = 20, 1000, 2000
Images = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def plant(training: Images, novel: Images, folder: Path) -> Images:
    """Write the folder of generated images; return the training images with their twins."""
    order = np.random.default_rng(0).permutation(len(training))[: EACH * len(PLANTED)]
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(PLANTED):
        copies = training[order[number * EACH : (number + 1) * EACH]]
        copies = copies if name == "exact" else KINDS[name](copies, seed=number)
        for n, image in enumerate(copies):
            Image.fromarray(image).save(folder / f"{name.replace(' ', '-')}-{n:02d}.png")
    for n, image in enumerate(novel):
        Image.fromarray(image).save(folder / f"novel-{n:04d}.png")
    twins = [training[order[::2]], KINDS["jpeg 90"](training[order[1::2]], seed=9)]
    return np.concatenate([training, *twins])


def plain_ratio(generated: Images, training: Images) -> Mask:
    """Return d1 / d2 < 1/3 in float32, pixels in [-1, 1], the two nearest of all training images."""
    x, y = (
        torch.from_numpy(s.reshape(len(s), -1)).float() / 127.5 - 1 for s in (generated, training)
    )
    found = []
    for some in x.split(50):
        # Differences, not products: as torch.norm(x - y), without its (50, N, D) tensor.
        distance = torch.cdist(some, y, compute_mode="donot_use_mm_for_euclid_dist")
        two = distance.topk(2, dim=1, largest=False).values
        found.append(two[:, 0] / two[:, 1] < 1 / 3)  # 0 / 0 is NaN, and not below
    return torch.cat(found).numpy()


def row(name: str, memorized: Mask, names: tuple[str, ...], seconds: float) -> str:
    """Return a line of the table: copies found of each kind, recall, precision."""
    kinds = np.array([Path(name).name.rsplit("-", 1)[0].replace("-", " ") for name in names])
    hits = [int(memorized[kinds == kind].sum()) for kind in PLANTED]
    false = int(memorized[kinds == "novel"].sum())
    total = sum(hits)
    each = [f"{h} ({h / (h + false):.2f})" if h else "0" for h in hits]
    precision = f"{total / (total + false):.3f}" if total + false else "none"
    recall = f"{total / (EACH * len(PLANTED)):.2f}"
    return f"| {name} | {' | '.join(each)} | {false} | {recall} | {precision} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--references", type=int, default=50_000, help="the first so many")
    parser.add_argument("--transforms", nargs="*", default=["", "flip,shift", "flip,tone"])
    given: Any = parser.parse_args()
    images = load_images(str(given.training)).items[: given.references]
    test = load_images(str(given.test)).items
    images = plant(np.asarray(images), np.asarray(test[:NOVEL]), given.out / "generated")
    generated = load_images(str(given.out / "generated"))
    training = Dataset(images, source="training with twins")
    holdout = Dataset(np.asarray(test[NOVEL : NOVEL + CONTROL]), source="held out")
    print(f"{len(generated):,} generated against {len(training):,} training; {EACH} of each kind")
    print(f"| | {' | '.join(PLANTED)} | false, of {NOVEL:,} | recall | precision | s |")
    print("|---|" + "---|" * (len(PLANTED) + 4), flush=True)
    for text in given.transforms:
        start = time.perf_counter()
        found = audit(
            generated,
            training,
            holdout=holdout,
            duplicate_rms=10.0,
            positive_control=0,
            training_sample=0,
            device="cpu",
            invariances=Invariances.parse(text),
        )
        seconds = time.perf_counter() - start
        for result in found.criteria:
            assert result.memorized is not None
            name = f"{result.name}{f', {text}' if text else ''}"
            print(row(name, result.memorized, generated.names, seconds), flush=True)
        out = given.out / f"audit-{text.replace(',', '-') or 'plain'}"
        found.save(out)
        write_report(out)
    start = time.perf_counter()
    plain = plain_ratio(generated.items, images)
    print(row("plain ratio", plain, generated.names, time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
