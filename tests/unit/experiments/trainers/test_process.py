"""A command ends with everything that it has started, whatever ends whom."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rote.core.errors import Interrupted, RunError
from rote.experiments.trainers import process
from rote.experiments.trainers.process import run_process

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
PYTHON = (sys.executable, "-I", "-S", "-c")
FAMILY = """
import os, signal, subprocess, sys, time
sleep = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
one = subprocess.Popen(sleep)
two = subprocess.Popen(sleep, start_new_session=True)
print(one.pid, two.pid, os.getpid(), flush=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
"""A command, its child, and a child in a session of its own; asking it to end is not enough."""


def done(folder, *line, limit=None, should_stop=lambda: False):
    return run_process(
        line,
        log=folder / "log",
        lock=folder / ".lock",
        limit=limit,
        environment=dict(os.environ),
        should_stop=should_stop,
    )


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def family(log):
    """Return the processes that a command has told, once it has."""
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(word) for word in log.read_text().split()]


def test_its_status_and_what_it_says(tmp_path):
    assert done(tmp_path, *PYTHON, "print(7)") == 0
    assert done(tmp_path, *PYTHON, "import sys; sys.exit('out of luck')") == 1
    assert done(tmp_path, *PYTHON, "import os; os.kill(os.getpid(), 9)") == -signal.SIGKILL
    assert (tmp_path / "log").read_text() == "7\nout of luck\n"
    with pytest.raises(RunError, match="'no-such-program' cannot be run: No such file"):
        done(tmp_path, "no-such-program")


@linux
def test_nothing_of_it_is_left_at_its_end_at_a_limit_or_at_a_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
    log = tmp_path / "log"
    assert done(tmp_path, *PYTHON, FAMILY) == 0
    assert not any(map(alive, family(log)))
    log.unlink()
    assert done(tmp_path, *PYTHON, f"{FAMILY}time.sleep(60)", limit=0.5) is None
    assert not any(map(alive, family(log)))
    log.unlink()
    with pytest.raises(Interrupted):
        done(
            tmp_path,
            *(*PYTHON, f"{FAMILY}time.sleep(60)"),
            should_stop=lambda: bool(log.exists() and log.read_text()),
        )
    assert not any(map(alive, family(log)))


HOLD = """
import os, sys
from pathlib import Path
from rote.experiments.trainers import process
process.GRACE_SECONDS = 0.1
process.run_process(sys.argv[1:], log=Path("log"), lock=Path(".lock"), limit=None,
    environment=dict(os.environ), should_stop=lambda: False)
"""


@linux
@pytest.mark.parametrize("victim", ["rote", "the keeper", "both", "the command"])
def test_nothing_outlives_a_kill(victim, tmp_path):
    line = [sys.executable, "-c", HOLD, *PYTHON, f"{FAMILY}time.sleep(60)"]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.DEVNULL) as rote:
        one, two, own = family(tmp_path / "log")
        parent = Path(f"/proc/{own}/stat").read_text().rpartition(")")[2].split()[1]
        victims = {"rote": [rote.pid], "the keeper": [int(parent)], "the command": [own]}
        for pid in victims.get(victim, [rote.pid, int(parent)]):
            os.kill(pid, signal.SIGKILL)
        # With both gone nobody is left to look for what its child has started.
        mine = (
            {own} if victim == "both" else {own, one} if victim == "the keeper" else {one, two, own}
        )
        deadline = time.monotonic() + 30
        while any(map(alive, mine)) and time.monotonic() < deadline:
            time.sleep(0.02)
        left = [pid for pid in (one, two, own) if alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        rote.kill()
    assert not mine & set(left)


def test_the_next_one_waits_until_nothing_of_the_last_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.05)
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time\nfile = open('.lock', 'w')\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\nprint(flush=True)\ntime.sleep(60)",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(RunError, match="an earlier command is still at work"):
            done(tmp_path, *PYTHON, "print(7)")
        other.kill()
    assert done(tmp_path, *PYTHON, "print(7)") == 0
