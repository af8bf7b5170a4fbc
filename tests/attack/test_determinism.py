"""The same command gives the same result, whatever the threads, the workers and the order on disk."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ENVIRONMENT, QUICK, command
from PIL import Image

pytestmark = pytest.mark.slow
TRAIN = (
    *("train", "--data", "digits", "--size", "64", "--set", "model.width=8"),
    *("--set", "model.channel_mult=[1]", "--set", "train.batch=16", "--set", "train.images=1600"),
    *("--set", "train.log_images=160", "--set", "train.snapshot_images=800", "--out", "out"),
)
AUDIT = ("audit", "--generated", "g", "--training", "t", "--holdout", "h", "--out", "out")
STUDY = ("study", "labels", "--scale", "smoke", "--value", "none", "--out", "out")
COMMANDS = {"train": TRAIN, "audit": AUDIT, "emm": ("emm", *QUICK, "--out", "out"), "study": STUDY}
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {"one thread": ("1", ()), "two threads": ("2", ())}
WITH_WORKERS = {"one thread": ("1", ("--workers", "1")), "two workers": ("2", ("--workers", "2"))}


def write(room: Path, order: list[int]) -> None:
    """Write the same images into a folder, in another order."""
    generator = np.random.default_rng(0)
    training = generator.integers(0, 256, (200, 24, 24, 3), dtype=np.uint8)
    sides = {
        "t": training,
        "h": generator.integers(0, 256, (100, 24, 24, 3), dtype=np.uint8),
        "g": np.concatenate([training[:30], generator.integers(0, 256, (30, 24, 24, 3), np.uint8)]),
    }
    for name, images in sides.items():
        (room / name).mkdir(parents=True)
        for number in sorted(range(len(images)), key=lambda n: order[n % len(order)]):
            Image.fromarray(images[number]).save(room / name / f"{number}.png")


def bare(value: Any) -> Any:
    """Return a result without times, and without how much of the machine was used."""
    if isinstance(value, dict):
        drop = ("seconds", "created", "commit", "threads", "workers")
        return {k: bare(v) for k, v in value.items() if not k.endswith(drop)}
    return [bare(entry) for entry in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, Any]:
    """Return what every file says; the pages show times, and are made from these."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if (
            path.is_file()
            and path.name not in (".lock", "manifest.json")
            and path.suffix != ".html"
        ):
            name = path.relative_to(folder).as_posix()
            content = path.read_bytes().replace(bytes(folder.parent), b"")
            found[name] = bare(json.loads(content)) if path.suffix == ".json" else content
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_whatever_the_threads_workers_and_order_on_disk(name: str, tmp_path: Path) -> None:
    found = []
    orders = np.random.default_rng(1).permutation(30).tolist(), list(range(30))
    ways = WAYS if name in ("train", "audit") else WITH_WORKERS
    for (threads, more), order in zip(ways.values(), orders, strict=True):
        room = tmp_path / f"room-{threads}" / "same"
        room.mkdir(parents=True)
        if name == "audit":
            write(room, order)
        counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = {**ENVIRONMENT, **dict.fromkeys(counts, threads)}
        environment["PYTHONHASHSEED"] = threads
        done = subprocess.run(
            command(*COMMANDS[name], *more),
            cwd=room,
            env=environment | {"XDG_CACHE_HOME": os.fspath(room / "cache")},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        found.append((done.stdout, contents(room / "out")))
    one, other = found
    assert one[1].keys() == other[1].keys()
    assert [file for file in one[1] if one[1][file] != other[1][file]] == []
    assert one[0] == other[0]
