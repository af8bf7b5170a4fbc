"""How an audit grows: with the size of images, with the training side, with the generated side.

    python benchmarks/growth.py FOLDER --work WORK [--draw FILE.svg] [--only resolution ...]

FOLDER holds photographs (JPEG), more than the largest case asks for. Each case scales its part of them
into folders below WORK (JPEG of quality 92); every tenth generated one is a training photograph
compressed at quality 75. Then, each as a process of its own, with CPU seconds and the peak of `wait4`:

- *decoding*: Pillow, all cores, nothing kept;
- *rote audit*, default options, with an empty cache;
- *FAISS flat* and *torch.cdist* (by differences): the same files decoded into one array each, as float32,
  and the two nearest of every generated one; left out where the arrays would take more than `MOST` bytes,
  or torch.cdist more than `DIFFERENCES`.

CPU seconds are compared, for they say the same beside other jobs. Results are kept in WORK/growth.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timed_audit import timed_audit

CASES = {
    "resolution": [(size, 50, 500) for size in (64, 128, 256, 512, 1024)],
    "training": [(256, 50, count) for count in (500, 1000, 2000, 4000, 8000)],
    "generated": [(256, count, 500) for count in (50, 200, 800, 3200)],
}
MOST, DIFFERENCES = 5e9, 3e10
SIDES = ("generated", "training")


def make(folder: Path, work: Path, size: int, generated: int, training: int) -> None:
    """Write the two sides of a case, complete or not at all."""
    if (work / "done").exists():
        return
    shutil.rmtree(work, ignore_errors=True)
    paths = sorted(folder.iterdir())
    assert len(paths) >= generated + training, f"{folder} has {len(paths)} photographs"
    for side in SIDES:
        (work / side).mkdir(parents=True)

    def write(number: int) -> None:
        own, place = ("training", number) if number < training else ("generated", number - training)
        copied = own == "generated" and place % 10 == 0
        picture = Image.open(paths[place if copied else number]).convert("RGB")
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        picture.save(work / own / f"{place:06d}.jpg", quality=75 if copied else 92)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(training + generated)))
    (work / "done").touch()


def decoded(folder: Path) -> np.ndarray[Any, Any]:
    """Return all images of a folder as float32 rows."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(
            pool.map(lambda p: np.asarray(Image.open(p)).ravel(), sorted(folder.iterdir()))
        )
    out = np.empty((len(found), len(found[0])), np.float32)
    for row, image in enumerate(found):
        out[row] = image
    return out


def alone(what: str, work: Path) -> None:
    """Do what one process is for."""
    if what == "decoding":

        def read(path: Path) -> None:
            with Image.open(path) as picture:
                picture.load()

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for side in SIDES:
                list(pool.map(read, sorted((work / side).iterdir())))
        return
    queries, references = (decoded(work / side) for side in SIDES)
    if what == "faiss":
        import faiss

        index = faiss.IndexFlatL2(references.shape[1])
        index.add(references)
        index.search(queries, 2)
    else:
        import torch

        sides = torch.from_numpy(queries), torch.from_numpy(references)
        mode = "donot_use_mm_for_euclid_dist"
        torch.cdist(*sides, compute_mode=mode).topk(2, largest=False)


def measured(what: str, work: Path) -> list[float]:
    """Return CPU seconds and the peak in GB of a process."""
    command = [sys.executable, __file__, str(work), "--work", str(work), "--alone", what]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, what
    return [usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9]


def measure(folder: Path, work: Path, case: tuple[int, int, int]) -> dict[str, Any]:
    """Return what a case takes, by each way."""
    size, generated, training = case
    here = work / "-".join(map(str, case))
    make(folder, here, *case)
    found: dict[str, Any] = {"case": case, "decoding": measured("decoding", here)}
    shutil.rmtree(here / "cache", ignore_errors=True)
    audit = timed_audit(here, here / "cache", sides=SIDES)
    found["audit"] = [audit["cpu"], audit["peak"] / 1e9]
    values = size * size * 3 * (generated + training)
    for what, bytes_ in (("faiss", 9 * values), ("cdist", 5 * values)):
        slow = what == "cdist" and size * size * 3 * generated * training > DIFFERENCES
        found[what] = measured(what, here) if bytes_ < MOST and not slow else None
    shutil.rmtree(here)
    return found


def told(pair: list[float] | None) -> str:
    return "-" if pair is None else f"{pair[0]:.1f} / {pair[1]:.2f}"


def draw(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw CPU seconds over what grows, one panel each."""
    import altair as alt

    words = {
        "decoding": "decoding alone",
        "audit": "rote audit",
        "faiss": "FAISS flat",
        "cdist": "torch.cdist",
    }
    titles = {"resolution": "pixels a side", "training": "training", "generated": "generated"}
    panels = []
    for name, rows in results.items():
        place = list(CASES).index(name)
        values = [
            {"x": row["case"][place], "CPU seconds": row[what][0], "way": words[what]}
            for row in rows
            for what in words
            if row[what] is not None
        ]
        x = alt.X("x:Q", title=titles[name], scale=alt.Scale(type="log", base=2))
        y = alt.Y("CPU seconds:Q", scale=alt.Scale(type="log"))
        color = alt.Color("way:N", sort=list(words.values()), title=None)
        chart = alt.Chart(alt.Data(values=values)).mark_line(point=True)
        panels.append(chart.encode(x=x, y=y, color=color).properties(width=210, height=220))
    alt.hconcat(*panels).properties(background="white").save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--draw", type=Path)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone, options.work)
        return
    kept = options.work / "growth.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.only:
        rows = results.setdefault(name, [])
        print(f"{name}: CPU s / peak GB\n")
        print(
            "| pixels | generated | training | decoding | rote audit | FAISS flat | torch.cdist |"
        )
        print("|---|---|---|---|---|---|---|")
        for number, case in enumerate(CASES[name]):
            if number == len(rows):
                rows.append(measure(options.folder, options.work, case))
                kept.write_text(json.dumps(results, indent=1))
            row = rows[number]
            cells = " | ".join(told(row[what]) for what in ("decoding", "audit", "faiss", "cdist"))
            print(f"| {case[0]} | {case[1]:,} | {case[2]:,} | {cells} |", flush=True)
        print()
    if options.draw:
        draw(results, options.draw)


if __name__ == "__main__":
    main()
