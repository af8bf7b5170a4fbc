"""A search whose trainer, or which itself, is killed by -9: the next call comes to the same EMM.

The user's scripts sleep, so that kills strike while they train and while they sample.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import descendants
from kernel_density import kernel_density
from kills import bare, settle, start

import rote

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
]
KILLS = int(os.environ.get("ROTE_TEST_KILLS", "1"))
"""Half of them of the trainer, half of rote."""
BANDWIDTH = 0.1
SEARCH = {"snapshot": "last", "fresh_samples": 256, "start": 16, "max_runs": 4}
TRAIN = """
import shutil, sys, time
time.sleep(0.3)
with open(sys.argv[2] + "/half.npz", "wb") as file:
    file.write(b"half of it")
    file.flush()
    time.sleep(0.3)
shutil.copy(sys.argv[1], sys.argv[2] + "/kept.npz")
"""
SAMPLE = """
import sys, time, numpy as np
out, samples, num, seed, bandwidth = sys.argv[1:]
rows = np.load(out + "/kept.npz")["images"].astype(float)
rng = np.random.default_rng(int(seed))
found = rows[rng.integers(len(rows), size=int(num))]
found = found + float(bandwidth) * rng.normal(size=found.shape)
for part in range(2):
    time.sleep(0.2)
    np.save(f"{samples}/{part}.npy", found.astype(np.float32))
    if part:
        import os
        os.remove(f"{samples}/0.npy")
"""


def told(value):
    keys = ("size", "replicate", "rate", "observation", "coverage", "tolerance")
    points = [{key: bare(point)[key] for key in keys} for point in value["points"]]
    return value["emm"], value["sentence"], points


def strike(
    process: subprocess.Popen[str], victim: str, moment: float, choose: random.Random
) -> str:
    """Kill rote or its trainer, not before some time has passed; say what was struck, or nothing."""
    began = time.monotonic()
    while process.poll() is None:
        scripts = {
            pid: name
            for pid, line in descendants(process.pid).items()
            for name in ("train.py", "draw.py")
            if name.encode() in (words := line.split(b"\0")) and not words[3].endswith(b"keeper.py")
        }
        if time.monotonic() - began >= moment and (scripts or victim == "rote"):
            time.sleep(choose.uniform(0, 0.3))
            pid = process.pid if victim == "rote" else choose.choice(list(scripts))
            at = scripts.get(pid, " ".join(sorted(set(scripts.values()))) or "no script")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return f"{victim} at {at}"
        time.sleep(0.02)
    return ""


def gone(room: Path) -> None:
    """Wait until no process names the folder any more: a trainer's lie in sessions of their own."""
    deadline = time.monotonic() + 60
    while left := [
        line
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(room).encode() in (line := read(path)) and b"keeper.py" not in line
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def test_killed_at_any_moment_the_next_call_comes_to_the_same_emm(tmp_path):
    rows = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "draw.py").write_text(SAMPLE)
    config = rote.preset("tiny", kind="vector")
    expected = rote.estimate_emm(
        rote.Dataset(rows),
        config.model_copy(update={"search": config.search.model_copy(update=SEARCH)}),
        trainer=kernel_density,
        settings={"bandwidth": BANDWIDTH},
        out=tmp_path / "function",
    ).to_json()
    changes = [f"trainer.bandwidth={BANDWIDTH}", *(f"search.{k}={v}" for k, v in SEARCH.items())]
    asked = (
        *("emm", "--data", "rows.npy", "--out", "out", "--workers", "2"),
        *("--train-command", f"{sys.executable} -I -S train.py {{data}} {{out}}"),
        "--sample-command",
        f"{sys.executable} draw.py {{out}} {{samples}} {{num}} {{seed}} {{bandwidth}}",
        *(word for change in changes for word in ("--set", change)),
    )
    choose, whole, kills, calls, log = random.Random(0), 0.0, 0, 0, []
    if (
        KILLS > 1
    ):  # moments are spread over a whole call; a single one is the first at which it trains
        began = time.monotonic()
        assert start(asked, tmp_path).wait(600) == 0
        whole = time.monotonic() - began
        (tmp_path / "out").rename(tmp_path / "unhindered")
    while True:
        process = start(asked, tmp_path)
        calls += 1
        if kills < KILLS:
            victim = "the trainer" if kills % 2 == 0 else "rote"
            if struck := strike(process, victim, choose.uniform(0, whole), choose):
                kills += 1
                log.append(struck)
                print(kills, calls, struck, flush=True)
        said = process.communicate(timeout=600)[1]
        settle(process)
        gone(tmp_path)
        if process.returncode == 0:
            assert told(json.loads((tmp_path / "out" / "emm.json").read_text())) == told(
                expected
            ), log
            assert not list(tmp_path.rglob("*.tmp")), log
            if kills == KILLS:
                break
            (tmp_path / "out").rename(tmp_path / f"out-{calls}")
        else:
            assert process.returncode in (1, -signal.SIGKILL), said
            assert "Traceback" not in said, (log, said)
            assert process.returncode != 1 or "was ended by signal 9" in said, (log, said)
