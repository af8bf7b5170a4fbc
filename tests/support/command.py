"""Running the command as a person does: as a process, in an empty folder."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forks import run_forked

from rote.cli import main

# A search that takes seconds: a small network, few sizes, few samples.
QUICK = [
    *("--set", "model.width=8", "--set", "model.channel_mult=[1]", "--set", "train.batch=16"),
    *("--set", "train.images=1600", "--set", "train.snapshot_images=800"),
    *("--set", "train.log_images=160", "--set", "train.learning_rate=0.003"),
    *("--set", "search.start=4", "--set", "search.min_size=2", "--set", "search.max_size=16"),
    *("--set", "search.selection_samples=64", "--set", "search.fresh_samples=64"),
    *("--set", "sample.steps=8", "--set", "search.max_runs=4", "--tolerance", "0.2"),
]
# One thread a process: the tests run side by side.
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "rote", *map(str, arguments)]


def run(
    *arguments: str | Path, cwd: Path, timeout: float = 400
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, forked from one that has imported what it needs."""
    return run_forked(list(map(str, arguments)), cwd=cwd, environment=ENVIRONMENT, timeout=timeout)


def ok(*arguments: str | Path, cwd: Path) -> str:
    """Run a command that must succeed and return its stdout."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_times(path: Path) -> dict[str, Any]:
    """Return emm.json without what may differ between two runs of one command."""
    value: dict[str, Any] = json.loads(path.read_text())
    del value["cost"]["seconds"]
    return value


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments: str, cwd: Path) -> Done:
    """Run the command in this process: starting one for each case would take minutes."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["rote", *arguments])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as end:
            assert end.code is None or isinstance(end.code, int)
            code = end.code or 0
    return Done(code, out.getvalue(), err.getvalue())


def descendants(ancestor: int) -> dict[int, bytes]:
    """Return the command line of every process below one, read from /proc."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            lines[int(folder.name)] = (folder / "cmdline").read_bytes()
    found = {}
    for pid, line in lines.items():
        above = pid
        while above > 1 and above != ancestor:
            above = parents.get(above, 0)
        if above == ancestor:
            found[pid] = line
    return found
