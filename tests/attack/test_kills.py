"""Commands killed at random moments: the next call carries on to what an unhindered one writes.

The victim is the command, one of its workers, or the whole group; the signal is one that saves (SIGINT,
SIGTERM) or one that does not (SIGKILL). Nothing that was started may outlive it, and no temporary file
may be left once the command has come to its end.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command import QUICK, descendants
from kills import contents, settle, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc"),
]
KILLS = int(os.environ.get("ROTE_TEST_KILLS", "1"))
"""Of each command; tens of them take minutes."""
MANY = pytest.mark.skipif(KILLS == 1, reason="one kill of each of these is in end_to_end")
TRAIN = (
    *("train", "--data", "digits", "--size", "64", "--set", "model.width=8"),
    *("--set", "model.channel_mult=[1]", "--set", "train.batch=16", "--set", "train.images=8000"),
    *("--set", "train.log_images=160", "--set", "train.snapshot_images=800", "--out", "out"),
)
AUDIT = (
    "audit",
    "--generated",
    "g.npy",
    "--training",
    "t.npy",
    "--holdout",
    "h.npy",
    "--out",
    "out",
)
COMMANDS = {
    "train": TRAIN,
    "emm": ("emm", *QUICK, "--workers", "2", "--out", "out"),
    "study": (
        *("study", "labels", "--scale", "smoke", "--value", "none", "--workers", "2"),
        *("--out", "out"),
    ),
    "audit": AUDIT,
}


def strike(process: subprocess.Popen[str], choose: random.Random) -> tuple[str, signal.Signals]:
    """Send a signal to the command, to one of its workers, or to all of them."""
    number = choose.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    workers = [pid for pid, line in descendants(process.pid).items() if b"spawn_main" in line]
    whom = choose.choice(("command", "worker", "group")) if workers else "command"
    with contextlib.suppress(ProcessLookupError):
        if whom == "command":
            process.send_signal(number)
        elif whom == "worker":
            os.kill(choose.choice(workers), number)
        else:
            os.killpg(process.pid, number)
    return whom, number


@pytest.fixture
def room(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    training = generator.integers(0, 256, (1500, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "t.npy", training)
    np.save(tmp_path / "h.npy", generator.integers(0, 256, (300, 16, 16, 3), dtype=np.uint8))
    fresh = generator.integers(0, 256, (300, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "g.npy", np.concatenate([training[:100], fresh]))
    return tmp_path


@pytest.mark.parametrize(
    "name", ["train", *(pytest.param(name, marks=MANY) for name in ("emm", "study")), "audit"]
)
def test_killed_at_random_moments_it_carries_on_to_the_same(name: str, room: Path) -> None:
    arguments = COMMANDS[name]
    began = time.monotonic()
    alone = start(arguments, room)
    said = alone.communicate(timeout=600)[1]
    assert alone.returncode == 0, said
    whole = time.monotonic() - began
    (room / "out").rename(room / "expected")
    expected = contents(room / "expected")
    choose = random.Random(name)
    kills, calls, log = 0, 0, []
    while True:
        process = start(arguments, room)
        calls += 1
        if kills < KILLS:
            # Of the whole time of one call: many come before anything is saved, some near the end.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(choose.uniform(0.05, 1.0) * whole)
            if process.poll() is None:
                log.append(strike(process, choose))
                kills += 1
        said = process.communicate(timeout=600)[1]
        settle(process)
        if process.returncode == 0:
            assert contents(room / "out") == expected, log
            assert not list(room.rglob("*.tmp")), log
            if kills == KILLS:
                break
            for path in sorted((room / "out").rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
        else:
            assert process.returncode in (
                130,
                -signal.SIGKILL,
                -signal.SIGTERM,
                -signal.SIGINT,
                1,
            ), said
            assert "Traceback" not in said, (log, said)
    print(name, calls, log)
