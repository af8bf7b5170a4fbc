"""Copies of patches of a real scan, planted and degraded: what rulers find of them; the cost of reading.

    python benchmarks/volumes.py --scan SCAN.npy --out FOLDER

SCAN is int16 (D, H, W) in Hounsfield units. It is cut into patches of 24x24x24 voxels; those of air alone
are left out, every fourth is held out. 40 generated patches are copies, 40 are held-out ones, upside down
and mirrored, which are no copies; the positive control degrades 40 training patches in every way. Printed
is what each ruler finds of all these; with --volumes what reading so many volumes of that size takes.
With --patches they are written into FOLDER/patches.npz, for `rote emm`, and nothing else is done.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rote import audit
from rote.data.load import load_images
from rote.data.options import ReadOptions

SIDE, WINDOW = 24, (-221.0, 185.0)
RULERS = {
    "voxels": {"space": "pixel"},
    "voxels, flip and tone": {"space": "pixel", "invariances": "flip,tone"},
    "lowres:8": {"space": "lowres:8"},
    "lowres:4": {"space": "lowres:4"},
}


def patches_of(scan: np.ndarray) -> np.ndarray:
    """Return patches (N, 24, 24, 24) that hold more than air."""
    sizes = [side // SIDE for side in scan.shape]
    cut = scan[tuple(slice(size * SIDE) for size in sizes)]
    cut = cut.reshape(sizes[0], SIDE, sizes[1], SIDE, sizes[2], SIDE).transpose(0, 2, 4, 1, 3, 5)
    patches = cut.reshape(-1, SIDE, SIDE, SIDE)
    return patches[(patches > WINDOW[0]).mean(axis=(1, 2, 3)) > 0.2]


def recall(patches: np.ndarray) -> Iterator[dict[str, object]]:
    """Yield what each ruler finds of copies, of what is none, and of copies degraded in each way."""
    items = load_images(patches[..., None], options=ReadOptions(window=WINDOW)).items
    held = np.arange(len(items)) % 4 == 3
    training, holdout = items[~held], items[held]
    copied = training[np.random.default_rng(0).permutation(len(training))[:40]]
    made = np.concatenate([copied, holdout[:40, ::-1, :, ::-1]])
    for name, asked in RULERS.items():
        found = audit(made, training, holdout=holdout, positive_control=40, device="cpu", **asked)
        verdicts = {one.name: one.memorized for one in found.criteria if one.memorized is not None}
        yield {
            "ruler": name,
            "copies": {name: int(flagged[:40].sum()) for name, flagged in verdicts.items()},
            "others": {name: int(flagged[40:].sum()) for name, flagged in verdicts.items()},
            "degraded": {
                f"{cell.kind.name} {cell.kind.strength:g}": {
                    criterion: round(rate.value, 2) for criterion, rate in cell.recall.items()
                }
                for cell in found.positive
            },
        }


def reading(scan: np.ndarray, folder: Path, count: int) -> dict[str, float]:
    """Return seconds and peak memory of reading so many volumes of the size of a scan."""
    import nibabel

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        values = np.roll(scan, number, axis=0).transpose(2, 1, 0)
        affine = np.diag([-0.957, -0.957, 1.5, 1.0])
        nibabel.save(nibabel.Nifti1Image(values, affine), folder / f"{number:03}.nii.gz")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for path in sorted(folder.iterdir()):
        np.asarray(nibabel.load(path).dataobj)
    plain = time.perf_counter() - start
    start = time.perf_counter()
    found = load_images(
        str(folder), options=ReadOptions(window=WINDOW), decoded=folder.parent / "kept"
    )
    first = time.perf_counter() - start
    start = time.perf_counter()
    load_images(str(folder), options=ReadOptions(window=WINDOW), decoded=folder.parent / "kept")
    return {
        "volumes": count,
        "gigabytes": found.items.nbytes / 1e9,
        "nibabel alone, one thread": plain,
        "first": first,
        "again": time.perf_counter() - start,
        "peak_mb_before": before / 1024,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print both tables as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scan", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patches", action="store_true", help="write the patches alone")
    parser.add_argument("--volumes", type=int, default=0, help="to read, of the size of the scan")
    asked = parser.parse_args()
    scan = np.load(asked.scan)
    if asked.volumes:
        print(json.dumps(reading(scan, asked.out / "scans", asked.volumes)))
        return
    patches = patches_of(scan)
    if asked.patches:
        asked.out.mkdir(parents=True, exist_ok=True)
        np.savez(asked.out / "patches.npz", volumes=patches[..., None])
        return
    print(json.dumps({"patches": len(patches)}))
    for row in recall(patches):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
