"""Copies of patches of a real scan, planted and degraded: what rulers find of them; the cost of reading.

    python benchmarks/volumes.py --scan SCAN.npy --out FOLDER

SCAN is int16 (D, H, W) in Hounsfield units. It is cut into patches of 24x24x24 voxels; those of air alone
are left out, every fourth is held out. 40 generated patches are copies, 40 are held-out ones, upside down
and mirrored, which are no copies; the positive control degrades 40 training patches in every way. Printed
is what each ruler finds of all these; with --differences which silent differences of 60 copies of 150
patches of 32x32x32 voxels are named, and of 10 honest pairs how many; with --volumes what reading so many
volumes of that size takes. With --patches those of 24x24x24 whose levels spread by 40 and more are
written into FOLDER/patches.npz, for `rote emm`, and nothing else is done.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import zoom

from rote import audit
from rote.data.load import load_images
from rote.data.options import ReadOptions

SIDE, WINDOW, CONTRAST = 24, (-221.0, 185.0), 40.0
RULERS: dict[str, dict[str, Any]] = {
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


def random_patches(scan: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return patches (count, 32, 32, 32) from anywhere, three tenths of each more than air."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    while len(found) < count:
        corner = [int(rng.integers(0, side - 32)) for side in scan.shape]
        patch = scan[tuple(slice(at, at + 32) for at in corner)]
        if (patch > WINDOW[0]).mean() > 0.3:
            found.append(patch.astype(np.float64))
    return np.stack(found)


def levels_of(values: np.ndarray, low: float = WINDOW[0], high: float = WINDOW[1]) -> np.ndarray:
    """Return values through a window, with noise of 3 levels."""
    noise = np.random.default_rng(2).normal(0, 3, values.shape)
    return np.clip((values - low) / (high - low) * 255 + noise, 0, 255).astype(np.uint8)


def middle(values: np.ndarray, *shares: float) -> np.ndarray:
    """Return the middle of each patch, so large a share of each side, as large as the whole."""
    kept = [round(32 * share) for share in shares]
    cut = values[:, *(slice((32 - one) // 2, (32 - one) // 2 + one) for one in kept)]
    return zoom(cut, (1, *(32 / one for one in kept)), order=1, grid_mode=True, mode="nearest")


def differences(scan: np.ndarray) -> Iterator[dict[str, object]]:
    """Yield what is named of 60 copies of 150 patches that were prepared otherwise."""
    values = random_patches(scan, 150, 1)
    training, source = levels_of(values), values[:60]
    copies = levels_of(source)
    padded = np.zeros_like(copies)
    inside = (slice(None), *[slice(4, 28)] * 3)
    padded[inside] = zoom(copies, (1, *[0.75] * 3), order=1, grid_mode=True, mode="nearest")
    made = {
        "none": copies,
        "window -400, 400": levels_of(source, -400, 400),
        "window -1000, 1000": levels_of(source, -1000, 1000),
        "window 0, 80": levels_of(source, 0, 80),
        "axes as nibabel gives them": copies.transpose(0, 3, 2, 1)[:, ::-1],
        "left and right exchanged": copies[..., ::-1],
        "head and feet exchanged": copies[:, ::-1],
        "front and back exchanged": copies[:, :, ::-1],
        "negatives": 255 - copies,
        "cropped to 0.7": levels_of(middle(source, 0.7, 0.7, 0.7)),
        "cropped to 0.75": levels_of(middle(source, 0.75, 0.75, 0.75)),
        "cropped to 0.55": levels_of(middle(source, 0.55, 0.55, 0.55)),
        "spacing of depth 0.6": levels_of(middle(source, 0.6, 1, 1)),
        "spacing in the plane 0.8": levels_of(middle(source, 1, 0.8, 0.8)),
        "black around it": padded,
    }
    asked: dict[str, Any] = {"positive_control": 0, "training_sample": 0, "device": "cpu"}
    for name, items in made.items():
        found = audit(items[..., None], training[..., None], **asked)
        said = [one for one in found.notices if one.topic == "difference"]
        yield {"difference": name, "copies": found.rate.count, "said": said[0].text if said else ""}
    honest = [levels_of(random_patches(scan, 120, 10 + seed))[..., None] for seed in range(10)]
    named = [audit(x[:40], x[40:], **asked).notices for x in honest]
    yield {"honest pairs named": sum(any(n.topic == "difference" for n in one) for one in named)}


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
    parser.add_argument("--differences", action="store_true")
    asked = parser.parse_args()
    scan = np.load(asked.scan)
    if asked.volumes:
        print(json.dumps(reading(scan, asked.out / "scans", asked.volumes)))
        return
    if asked.differences:
        for row in differences(scan):
            print(json.dumps(row), flush=True)
        return
    patches = patches_of(scan)
    if asked.patches:
        # One of 16 that is nearly air, or of one tissue, has all others like it for a nearest neighbor.
        levels = load_images(patches[..., None], options=ReadOptions(window=WINDOW)).items
        some = patches[levels.std(axis=(1, 2, 3, 4)) >= CONTRAST]
        asked.out.mkdir(parents=True, exist_ok=True)
        np.savez(asked.out / "patches.npz", volumes=some[..., None])
        return
    print(json.dumps({"patches": len(patches)}))
    for row in recall(patches):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
