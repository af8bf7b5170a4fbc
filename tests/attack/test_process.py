"""Processes as machines and people start them: streams closed and full, no home, forks, many audits."""

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, command, run_here
from sklearn.datasets import load_digits

import rote
from rote.neighbors.search import nearest_neighbors

MODULE = """
import os, sys

def space(images):
    print("printed")
    os.write(1, b"written\\n")
    os.system("echo by a process")
    return images.reshape(len(images), -1).astype("float32")

def quits(images):
    sys.exit(0)
"""
AUDIT = ("audit", "--generated", "made.npz", "--training", "seen.npz", "--positive-control", "0")
RATE = "memorization rate 0.3333 [0.2273, 0.4594] (20 of 60)"


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().data * 255 / 16).round().astype(np.uint8).reshape(-1, 8, 8, 1)


@pytest.fixture(scope="module")
def room(tmp_path_factory, digits) -> Path:
    folder = tmp_path_factory.mktemp("process")
    np.savez(folder / "made.npz", images=np.concatenate([digits[:20], digits[1000:1040]]))
    np.savez(folder / "seen.npz", images=digits[:300])
    (folder / "mine_that_prints.py").write_text(MODULE)
    return folder


def in_fork(function) -> int:
    """Run a function in a fork and return its exit code, that of an alarm where it hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: there are threads
        pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            function()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_fork_computes_after_its_parent_has_computed(digits):
    def search():
        nearest_neighbors(digits[:300], digits[300:600], k=2)

    search()
    assert in_fork(search) == 0


def test_code_of_others_neither_prints_into_json_nor_ends_a_gate(room):
    found = run_here(*AUDIT, "--space", "mine_that_prints:space", "--json", cwd=room)
    assert json.loads(found.stdout)["rate"]["count"] == 20
    assert "printed" in found.stderr
    ended = run_here(*AUDIT, "--space", "mine_that_prints:quits", "--fail-above", "0.9", cwd=room)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "called sys.exit(0)" in ended.stderr


def shell(line: str, room: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `rote`, which stands for $R, in bash."""
    known = {**ENVIRONMENT, "R": " ".join(command()), "A": " ".join(command(*AUDIT))}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=room,
        env=known | environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


STREAMS = {
    "$A >&-": (1, "Bad file descriptor"),
    "$A 2>&-": (0, ""),
    "$A >&- 2>&- --out a": (1, None),
    "$A <&- >&- 2>&- --out b": (1, None),
    "$A >/dev/full": (1, "No space left"),
    "$A 2>/dev/full": (0, ""),
    "$A >/dev/full 2>/dev/full": (1, None),
    "$R audit --help >/dev/full": (1, "No space left"),
    "$A --json | head -1; exit ${PIPESTATUS[0]}": (0, ""),
    "$A --fail-above 0.01 | head -c 0; exit ${PIPESTATUS[0]}": (3, "gate"),
    "$R data list | head -1; exit ${PIPESTATUS[0]}": (0, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("line", STREAMS)
def test_streams_that_fail_never_pass_for_success(room, line):
    code, told = STREAMS[line]
    done = shell(line, room)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert told is None or told in done.stderr
    for folder in ("a", "b"):
        if f"--out {folder}" in line:
            assert (room / folder / "report.html").is_file()


@pytest.mark.slow
def test_json_is_alone_on_stdout_whoever_prints(room):
    done = shell("$A --space mine_that_prints:space --json", room)
    assert json.loads(done.stdout)["rate"]["count"] == 20
    assert {"printed", "written", "by a process"} <= set(done.stderr.splitlines())


ENVIRONMENTS = {
    "LC_ALL=C LANG=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 $A --out here": 0,
    "PYTHONIOENCODING=ascii $A": 0,
    "TERM=dumb NO_COLOR=1 $A": 0,
    "umask 077; $A --out private": 0,
    "ROTE_CACHE=/proc/none $A": 0,
    "ROTE_CACHE=/dev/full $A": 0,
    "env -i $A": 0,
    "PYTHONOPTIMIZE=1 $A --out there": 0,
    "PYTHONOPTIMIZE=2 $A --out nowhere": 1,
    "mkdir gone; cd gone; rmdir ../gone; $R data list": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("line", ENVIRONMENTS)
def test_environments_give_the_rate_or_one_line(room, line):
    if line.startswith("env -i"):
        line = line.replace("env -i", f"env -i PYTHONPATH={Path(rote.__file__).parent.parent}")
        done = shell(line, room)
        assert done.returncode == 0, done.stderr
    else:
        done = shell(line, room)
    assert done.returncode == ENVIRONMENTS.get(line, 0), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert done.stdout == RATE + "\n"
    else:
        assert [text.partition(":")[0] for text in done.stderr.splitlines()] == ["error"]
    if "umask" in line:
        assert all(path.stat().st_mode & 0o077 == 0 for path in (room / "private").iterdir())


HOMELESS = """
import os, sys
from rote.cli import main
import rote.memorization.audit.audit, rote.cli.audit.audit_view, rote.data.files.decoded_cache
"a".encode("cp437")  # what an npz file is read with
import numpy as np, numba, scipy.stats, sklearn.datasets
rote.audit(*(np.load(name)["images"] for name in ("made.npz", "seen.npz")), positive_control=0)
os.setgroups([]), os.setgid(12345), os.setuid(12345)
os.environ.pop("HOME", None)
sys.argv[0] = "rote"
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_a_user_that_is_in_no_list_and_has_no_home(room, tmp_path_factory):
    for folder in (room, *room.parents):
        if folder.stat().st_uid == os.getuid() and folder not in (Path("/"), Path("/tmp")):
            folder.chmod(0o755)
    known = {k: v for k, v in ENVIRONMENT.items() if k not in ("HOME", "ROTE_CACHE")}
    script = [sys.executable, "-c", HOMELESS, *AUDIT]
    done = subprocess.run(script, cwd=room, env=known, capture_output=True, text=True, timeout=200)
    assert done.stdout == RATE + "\n", done.stderr
    assert "there is no home folder for a cache; set ROTE_CACHE" in done.stderr


@pytest.mark.slow
def test_many_audits_take_what_one_takes(digits, tmp_path):
    def held() -> tuple[int, int, int]:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        tasks = len(list(Path("/proc/self/task").iterdir()))
        return pages * 4096, len(list(Path("/proc/self/fd").iterdir())), tasks

    taken, threads = [], threading.active_count()
    for number in range(25):
        found = rote.audit(digits[number : number + 60], digits[:300], holdout=digits[400:460])
        found.save(tmp_path)
        rote.write_report(tmp_path)
        taken.append(held())
    assert max(memory for memory, _, _ in taken[10:]) < taken[9][0] + 60e6
    assert taken[-1][1:] == taken[9][1:]
    assert threading.active_count() == threads


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (8, 8, 1)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_the_smallest_sets_give_a_rate_or_one_line(tmp_path, count, shape, level):
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, (count, *shape), np.uint8)
    if level is not None:
        items[:] = level
    try:
        found = rote.audit(items, items, holdout=items)
    except rote.RoteError as error:
        assert "\n" not in str(error)
        return
    assert 0 <= found.rate.low <= found.rate.high <= 1
    found.save(tmp_path)
    assert rote.write_report(tmp_path).is_file()
