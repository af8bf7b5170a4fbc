"""The peak memory of audits beside what was planned, at several sizes and budgets.

    python benchmarks/audit_memory.py WORK [--case SIZE,GENERATED,TRAINING,MEMORY ...]

Folders of JPEG files are written below WORK once. `rote audit --dry-run --json` tells the plan; then the
audit runs as a process of its own with an empty cache, and `wait4` tells its peak, pages of mapped files
included. Exits 1 if a peak lies above its plan, or a plan above its budget.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

CASES = (
    *("512,60,400,", "512,60,400,1900MB", "512,200,2000,2GB"),
    *("1024,30,300,", "1024,30,300,2GB", "64,500,20000,", "64,500,20000,1300MB"),
)


def write_side(folder: Path, size: int, first: int, count: int) -> None:
    """Write pictures of coarse patches with grain."""
    folder.mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(first + number)
        patches = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        wide = np.asarray(patches.resize((size, size), Image.Resampling.BICUBIC), np.float32)
        noisy = np.clip(wide + rng.normal(0, 3, wide.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:06d}.jpg", quality=92)


def rote(work: Path, *arguments: str) -> tuple[str, int, int]:
    """Run a command; return its stdout, status and peak in bytes."""
    environment = {**os.environ, "ROTE_CACHE": str(work / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rote", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None and process.stderr is not None
    said, error = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    return said or error, os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--case", action="append")
    options = parser.parse_args()
    print("| size | generated | training | --memory | planned GB | block MB | peak GB | held |")
    print("|---|---|---|---|---|---|---|---|")
    kept = True
    for case in options.case or CASES:
        size, generated, training, memory = case.split(",")
        folder = options.work / f"{size}-{generated}-{training}"
        if not folder.exists():
            write_side(folder / "generated", int(size), 0, int(generated))
            write_side(folder / "training", int(size), int(generated), int(training))
        shutil.rmtree(options.work / "cache", ignore_errors=True)
        sides = ("--generated", str(folder / "generated"), "--training", str(folder / "training"))
        asked = ("audit", *sides, *(("--memory", memory) if memory else ()))
        told, status, _ = rote(options.work, *asked, "--dry-run", "--json")
        if status:
            print(told)
            continue
        plan = json.loads(told)
        said, status, peak = rote(options.work, *asked)
        assert status == 0, said
        held = peak <= plan["peak"] <= plan["memory"]
        kept &= held
        print(
            f"| {size} | {int(generated):,} | {int(training):,} | {memory or 'none'} "
            f"| {plan['peak'] / 1e9:.2f} | {plan['block'] / 1e6:.0f} | {peak / 1e9:.2f} "
            f"| {'yes' if held else 'NO'} |",
            flush=True,
        )
    if not kept:
        sys.exit("a peak lies above what was planned")


if __name__ == "__main__":
    main()
