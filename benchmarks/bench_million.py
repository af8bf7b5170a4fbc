"""A whole audit of a million generated images: time, and how much of them is in memory.

    python benchmarks/bench_million.py FOLDER --work WORK [--count 1000000]

FOLDER holds CIFAR-10 as ``cifar10_train.npz`` and ``cifar10_test.npz``. The generated side is written
once to WORK (3.07 GB for a million): random training images (half) and test images (half), each moved by
up to 4 pixels (mirrored at the border), with noise of sigma 0, 2, 8, 16 or 32; one in a hundred is an
exact copy of a training image, and two in a hundred are noisy copies (sigma 4) of one image: collapse.
Training are the 50,000 training images, held-out the 10,000 test images.

The audit runs as a command of its own. Its peaks are read from /proc while it runs: VmHWM counts mapped
pages of files, RssAnon does not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BATCH = 10_000
SIGMAS = np.array([0, 2, 8, 16, 32], np.float32)
SHIFT = 4


def write_generated(
    path: Path, train: npt.NDArray[Any], test: npt.NDArray[Any], count: int
) -> None:
    """Write the generated side, some images at a time."""
    rng = np.random.default_rng(0)
    wide = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 32, 32, 3))
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        half = size // 2
        base = np.concatenate(
            [
                train[rng.integers(0, len(train), half)],
                test[rng.integers(0, len(test), size - half)],
            ]
        )
        padded = np.pad(base, wide, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(1, 2))
        top, left = rng.integers(0, 2 * SHIFT + 1, (2, size))
        moved = windows[np.arange(size), top, left].transpose(0, 2, 3, 1)
        sigma = rng.choice(SIGMAS, size)
        sigma[: size // 50] = 4
        moved[: size // 50] = test[0]
        noise = rng.standard_normal(moved.shape, np.float32) * sigma[:, None, None, None]
        made = np.clip(np.rint(moved + noise), 0, 255).astype(np.uint8)
        exact = slice(size // 50, size // 50 + size // 100)
        made[exact] = train[rng.integers(0, len(train), exact.stop - exact.start)]
        out[start : start + size] = made[rng.permutation(size)]
    out.flush()


def memory_of(pid: int) -> dict[str, int]:
    """Return the fields of a process's status that count memory, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    lines = [line.split() for line in text.splitlines() if line.startswith(("VmHWM", "Rss"))]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def run(command: list[str], log: Path) -> tuple[float, dict[str, int]]:
    """Run a command with its stderr in a file; return its seconds and its peaks in bytes."""
    start = time.perf_counter()
    peak: dict[str, int] = {}
    with log.open("w") as handle:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=handle)
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for name, value in memory_of(process.pid).items():
                    peak[name] = max(peak.get(name, 0), value)
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(log.read_text())
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"generated-{options.count}.npy"
    if not path.exists():
        train, test = (
            np.load(options.folder / f"cifar10_{name}.npz")["images"] for name in ("train", "test")
        )
        write_generated(path.with_suffix(".part"), train, test, options.count)
        path.with_suffix(".part").rename(path)
    out = options.work / f"audit-{options.count}"
    sides = ["--training", str(options.folder / "cifar10_train.npz")]
    sides += ["--holdout", str(options.folder / "cifar10_test.npz")]
    command = [sys.executable, "-m", "rote", "audit", "--generated", str(path), *sides]
    log = options.work / f"audit-{options.count}.log"
    seconds, peak = run([*command, "--out", str(out), "--timings"], log)
    print(log.read_text())
    found = json.loads((out / "audit.json").read_text())
    print(json.dumps({key: found[key] for key in ("rate", "control", "verdicts", "collapse")}))
    print(
        f"| {options.count:,} | {seconds:.0f} s | {peak['VmHWM'] / 1e6:,.0f} MB with mapped pages "
        f"| {peak['RssAnon'] / 1e6:,.0f} MB without |"
    )


if __name__ == "__main__":
    main()
