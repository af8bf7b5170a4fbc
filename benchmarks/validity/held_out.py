"""Does the calibrated ratio hold the false-positive rate that was asked for, on all unseen images?

    python benchmarks/validity/held_out.py --cifar10 FOLDER --out held_out.json [--splits 200]

A split: training images, held-out images that calibrate, and unseen images that nobody looked at, drawn
from one set. Rates are of all unseen images, near-duplicates of training images among them. Two rules:

exact    held-out images that equal a training image leave, and no others (what an audit does)
near     those within the radius of near-duplicates leave, too (what it did before)

The sets: digits scaled and padded with black to 8, 12, 16, 24 and 32 pixels; CIFAR-10 at 4, 8 and 32;
the radius from the spacing, and the fixed 10 levels that a user may give. JPEG: the recall of the
calibrated ratio on re-compressed copies of training images, quality 90 and 75; and again with twins of
training images among the held-out ones, 1 % of them. A set that stands in the file is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))
from duplicate_radius import Pixels, recompressed

from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.data.resample import fit_images
from rote.memorization.criteria import distance_ratio
from rote.memorization.duplicate_radius import duplicate_radius, spacing_of
from rote.neighbors.search import nearest_neighbors
from rote.stats.conformal import calibrate

Floats = npt.NDArray[np.float64]
ASKED, FIXED, COPIES, TWINS = 0.005, 10.0, 100, 0.01


def sets(folder: Path | None) -> Iterator[tuple[str, Pixels, tuple[int, int, int]]]:
    """Yield name, images, and how many train, calibrate and are unseen in a split."""
    digits = load_images("digits").items
    for size in (8, 12, 16, 24, 32):
        # Twice the size where there is room, then a margin of black on all sides.
        inner = 16 if size >= 24 else 8
        scaled = fit_images(digits, resolution=inner, channels=None)
        margin = (size - inner) // 2
        wide = ((0, 0), (margin, margin), (margin, margin), (0, 0))
        yield f"digits in {size} px", np.pad(scaled, wide), (900, 450, 447)
    if folder is not None:
        images = np.load(folder / "cifar10_train.npz")["images"]
        for size in (4, 8, 32):
            few = images[:20_000]
            split = (4_000, 1_500, 2_000)
            yield f"CIFAR-10, {size} px", fit_images(few, resolution=size, channels=None), split


class Split:
    """One split: every image but those of training measured against the training ones."""

    def __init__(self, images: Pixels, sizes: tuple[int, int, int], seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(images))[: sum(sizes)]
        self.training = images[np.sort(order[: sizes[0]])]
        self.references = self.training[exact_duplicates(self.training).representative]
        self.values = int(np.prod(images.shape[1:]))
        self.held, self.unseen = (
            self.measured(images[part]) for part in np.split(order[sizes[0] :], [sizes[1]])
        )

    def measured(self, images: Pixels) -> tuple[Floats, Floats]:
        """Return the ratio and the nearest distance (root mean square) of images."""
        sq = nearest_neighbors(images, self.references, k=2).sq_distances
        return distance_ratio(sq[:, 0], sq[:, 1]), np.sqrt(sq[:, 0] / self.values)

    def rates(self, radius: float, twins: tuple[Floats, Floats] | None = None) -> dict[str, Any]:
        """Return what both rules find, with twins among the held-out images if there are any."""
        ratio, near = self.held
        if twins is not None:
            ratio, near = (np.concatenate(pair) for pair in ((ratio, twins[0]), (near, twins[1])))
        found: dict[str, Any] = {"close": int(((near <= radius) & (near > 0)).sum())}
        for rule, kept in (("exact", near > 0), ("near", near > radius)):
            threshold = calibrate(ratio[kept], asked=ASKED)
            unseen = self.unseen[0][self.unseen[1] > 0]
            found[rule] = {
                "threshold": threshold.threshold,
                "unseen": float(threshold.flags(unseen).mean()),
            }
        return found

    def recalls(self, rates: dict[str, Any], copies: dict[str, tuple[Floats, Floats]]) -> None:
        """Add the recall of re-compressed copies by both rules."""
        for rule in ("exact", "near"):
            for name, (ratio, _) in copies.items():
                rates[rule][name] = float((ratio < rates[rule]["threshold"]).mean())


def whole(images: Pixels, sizes: tuple[int, int, int], splits: int) -> list[dict[str, Any]]:
    """Return what every split says."""
    rows = []
    for seed in range(splits):
        split = Split(images, sizes, seed)
        spacing = spacing_of(split.training, np.arange(len(split.training)), seed=seed)
        own = split.training[np.random.default_rng(seed).permutation(sizes[0])]
        copies = {f"jpeg{q}": split.measured(recompressed(own[:COPIES], q)) for q in (90, 75)}
        twins = split.measured(recompressed(own[-int(TWINS * sizes[1]) :], 90))
        for by, radius in (("spacing", duplicate_radius(spacing)), ("10 levels", FIXED)):
            for planted in (None, twins):
                found = split.rates(radius, planted)
                split.recalls(found, copies)
                kind = "plain" if planted is None else "twins"
                rows.append({"seed": seed, "by": by, "radius": radius, "held": kind, **found})
    return rows


def summary(name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each radius, rule and kind of held-out side: means, and quantiles of splits."""
    for by in ("spacing", "10 levels"):
        for held in ("plain", "twins"):
            some = [row for row in rows if (row["by"], row["held"]) == (by, held)]
            for rule in ("exact", "near"):
                unseen = np.array([row[rule]["unseen"] for row in some])
                low, high = np.quantile(unseen, [0.025, 0.975])
                recall = [
                    np.mean([row[rule][kind] for row in some]) for kind in ("jpeg90", "jpeg75")
                ]
                cells = [name, by, held, rule, f"{np.mean([row['close'] for row in some]):.1f}"]
                cells += [f"{unseen.mean():.2%}", f"{low:.2%} to {high:.2%}"]
                yield f"| {' | '.join([*cells, *(f'{x:.1%}' for x in recall)])} |"


def main() -> None:
    """Do the sets that the file lacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=200)
    given = parser.parse_args()
    held = json.loads(given.out.read_text()) if given.out.exists() else {}
    print("| set | radius | held out | rule | near | unseen | 95 % of splits | 90 | 75 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, images, sizes in sets(given.cifar10):
        if name not in held:
            held[name] = whole(images, sizes, given.splits)
            given.out.write_text(json.dumps(held))
        for line in summary(name, held[name]):
            print(line, flush=True)


if __name__ == "__main__":
    main()
