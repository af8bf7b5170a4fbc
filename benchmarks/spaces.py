"""Which space sees which copies: CIFAR-10 with planted copies, audited in several spaces at once.

    python benchmarks/spaces.py cifar10_train.npz cifar10_test.npz --out spaces

The generated side are 200 novel images (of CIFAR-10's test set) and 100 planted copies of training
images: 20 exact, 20 JPEG quality 30, 20 with noise of 16 levels, 20 mirrored, 20 shifted by two pixels.
The training set are the first --references images; 400 further test images are the control, and 20
training images are degraded in every kind and strength. Features are kept in --out, so that a second run
computes none.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from planted_copies import EACH, KINDS, PLANTED

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.audit.audit import audit
from rote.report import write_report

SPACES = ("pixel", "lowres", "patch", "imgsim:64", "efficientnet-lite0:96", "st-lpips")
NOVEL, CONTROL, COPIES = 200, 400, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("training", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--references", type=int, default=2000, help="the first so many")
    parser.add_argument("--spaces", nargs="*", default=SPACES)
    given = parser.parse_args()
    training = load_images(str(given.training)).items[: given.references]
    test = load_images(str(given.test)).items
    order = np.random.default_rng(0).permutation(len(training))[: EACH * len(PLANTED)]
    parts, names = [], []
    for number, name in enumerate(PLANTED):
        copies = training[order[number * EACH : (number + 1) * EACH]]
        parts.append(copies if name == "exact" else KINDS[name](copies, seed=number))
        names += [f"{name} {n}" for n in range(EACH)]
    parts.append(test[:NOVEL])
    names += [f"novel {n}" for n in range(NOVEL)]
    start = time.process_time()
    found = audit(
        Dataset(np.concatenate(parts), names=tuple(names), source="novel and planted images"),
        Dataset(np.asarray(training), source="CIFAR-10, training"),
        holdout=Dataset(np.asarray(test[NOVEL : NOVEL + CONTROL]), source="CIFAR-10, test"),
        space=given.spaces,
        duplicate_rms=10.0,
        positive_control=COPIES,
        training_sample=300,
        features_folder=given.out / "features",
        on_stage=lambda name: print(f"{time.process_time() - start:7.1f} s  {name}", flush=True),
    )
    found.save(given.out)
    write_report(given.out)
    print(f"| space, criterion | {' | '.join(PLANTED)} | false, of {NOVEL} |")
    print("|---|" + "---|" * (len(PLANTED) + 1))
    for result in found.spaces:
        for criterion in result.criteria:
            assert criterion.memorized is not None
            hits = criterion.memorized[: EACH * len(PLANTED)].reshape(-1, EACH).sum(axis=1)
            false = int(criterion.memorized[EACH * len(PLANTED) :].sum())
            shown = " | ".join(str(hit) for hit in hits)
            print(f"| `{result.space['name']}`, {criterion.name} | {shown} | {false} |", flush=True)
    print(f"{time.process_time() - start:.0f} s of CPU time")


if __name__ == "__main__":
    main()
