"""Which ruler sees which copies at 512 pixels: photographs with planted copies, audited in several ways.

    python benchmarks/planted_large.py FOLDER --out planted-large

FOLDER holds large pictures (JPEG, PNG, WebP; shorter side at least 1,024). Each is cut into squares of a
quarter of its shorter side that do not overlap, scaled to 512 x 512; those without detail, such as skies,
are left out. Squares are shuffled: --training of them are the training set, the next --holdout are the
control, and the rest are generated as they are (novel), but for --each that copies are pasted into. Of
the generated ones --each are made of every kind of copy:

exact     a training image
jpeg 75   the same, compressed and decompressed
crop 6 %  3 % cut off each edge and scaled back
paste     one quarter of a training image, where it was, in a square that is in no other set
mirrored  left and right exchanged

The audits: the default one (pixels); the same with `flip`; and one in several spaces. The calibrated
threshold of each ruler is set on the held-out squares for 0.5 % false positives. The table tells copies
found of each kind and novel squares flagged, with 95 % intervals. Features are kept in --out.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import rote
from rote.data.dataset import Dataset
from rote.report import write_report
from rote.stats.rates import wilson

Images = npt.NDArray[np.uint8]
SIZE, PARTS, SHORTEST, DETAIL = 512, 4, 1024, 3.0
QUALITY, CROPPED = 75, 0.06
KINDS = ("exact", "jpeg 75", "crop 6 %", "paste", "mirrored")
AUDITS = (
    ("default", ("pixel",), ""),
    ("flip", ("pixel",), "flip"),
    ("spaces", ("pixel", "lowres", "patch", "imgsim", "efficientnet-lite0"), ""),
)


def squares(folder: Path) -> Iterator[Images]:
    """Yield the squares of all photographs, each picture of one name and shape once."""
    names = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp") or path.is_symlink():
            continue
        with Image.open(path) as picture:
            # A picture may lie there in several sizes: 1080x1920.png, Elephants_3840x2160.jpg.
            name = path.parent if path.stem[0].isdigit() else path.stem.split("_")[0]
            shortest = min(picture.size)
            if shortest < SHORTEST or name in names:
                continue
            names.add(name)
            photograph = picture.convert("RGB")
        side = shortest // PARTS
        for top in range(0, photograph.height - side + 1, side):
            for left in range(0, photograph.width - side + 1, side):
                square = photograph.crop((left, top, left + side, top + side))
                if detail(square) >= DETAIL:
                    yield np.asarray(square.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def detail(square: Image.Image) -> float:
    """Return how much neighboring pixels differ at 64 x 64, in levels: skies and gradients hardly do."""
    values = np.asarray(square.resize((64, 64), Image.Resampling.BOX), np.float32)
    return float(min(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))


def copy_of(image: Images, kind: str, host: Images, corner: int) -> Images:
    """Return a copy of one kind."""
    if kind == "exact":
        return image
    if kind == "jpeg 75":
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
        return np.asarray(Image.open(buffer))
    if kind == "crop 6 %":
        edge = round(CROPPED / 2 * SIZE)
        inner = Image.fromarray(image[edge:-edge, edge:-edge])
        return np.asarray(inner.resize((SIZE, SIZE), Image.Resampling.LANCZOS))
    if kind == "mirrored":
        return np.ascontiguousarray(image[:, ::-1])
    half = SIZE // 2
    top, left = half * (corner // 2), half * (corner % 2)
    pasted = host.copy()
    pasted[top : top + half, left : left + half] = image[top : top + half, left : left + half]
    return pasted


def made(
    folder: Path, *, training: int, holdout: int, each: int
) -> tuple[Dataset, Dataset, Dataset]:
    """Return the generated, the training and the held-out side."""
    everything = list(squares(folder))
    order = np.random.default_rng(0).permutation(len(everything))
    shuffled = [everything[n] for n in order]
    train, held = shuffled[:training], shuffled[training : training + holdout]
    hosts = shuffled[training + holdout : training + holdout + each]
    novel = shuffled[training + holdout + each :]
    images, names = [], []
    for number, kind in enumerate(KINDS):
        for n, host in enumerate(hosts):
            images.append(copy_of(train[number * each + n], kind, host, n % 4))
            names.append(f"{kind} {n}")
    names += [f"novel {n}" for n in range(len(novel))]
    print(
        f"{len(everything):,} squares: {training:,} training, {holdout:,} held out, {len(novel):,} novel"
    )
    return (
        Dataset(
            np.stack([*images, *novel]), names=tuple(names), source="novel and planted squares"
        ),
        Dataset(np.stack(train), source="squares, training"),
        Dataset(np.stack(held), source="squares, held out"),
    )


def cell(count: int, total: int) -> str:
    """Return a count with its interval in percent."""
    rate = wilson(count, total)
    return f"{count} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--training", type=int, default=300)
    parser.add_argument("--holdout", type=int, default=210)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--audits", nargs="*", default=[name for name, _, _ in AUDITS])
    given = parser.parse_args()
    generated, training, holdout = made(
        given.folder, training=given.training, holdout=given.holdout, each=given.each
    )
    novel = len(generated) - given.each * len(KINDS)
    header = f"| audit | space, criterion | threshold | {' | '.join(KINDS)} | false, of {novel} |"
    lines = [header, "|---|" + "---|" * (len(KINDS) + 3)]
    for name, spaces, invariances in AUDITS:
        if name not in given.audits:
            continue
        start = time.process_time()
        found = rote.audit(
            generated,
            training,
            holdout=holdout,
            space=list(spaces),
            criterion=["ratio", "calibrated", "absolute", "tiles"]
            if name == "default"
            else ["ratio", "calibrated"],
            invariances=invariances,
            positive_control=100 if name == "default" else 0,
            features_folder=given.out / "features",
        )
        seconds = time.process_time() - start
        found.save(given.out / name)
        write_report(given.out / name)
        for result in found.spaces:
            for criterion in result.criteria:
                if criterion.memorized is None:
                    continue
                hits = criterion.memorized[: -novel or None].reshape(-1, given.each).sum(axis=1)
                false = int(criterion.memorized[-novel:].sum())
                threshold = (
                    criterion.description.get("threshold") or found.criterion.ratio_threshold
                )
                shown = " | ".join(cell(int(hit), given.each) for hit in hits)
                lines.append(
                    f"| {name} | `{result.space['name']}`, {criterion.name} | {threshold:.3g} "
                    f"| {shown} | {cell(false, novel)} |"
                )
        notices = [notice.to_json() for notice in found.notices]
        print(
            f"{name}: {seconds:.0f} s of CPU time; notices: {json.dumps(notices)[:600]}", flush=True
        )
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
