"""One `rote audit` as a process of its own, with its time and memory: for benchmarks of audits."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def timed_audit(
    work: Path, cache: Path, *, sides: Sequence[str], more: Sequence[str] = ()
) -> dict[str, Any]:
    """Audit the folders ``sides`` of ``work`` into its folder ``audit``.

    Returns wall and CPU seconds, peak resident bytes, and what rote said on stderr with `--timings`.
    """
    shutil.rmtree(work / "audit", ignore_errors=True)
    command = [sys.executable, "-m", "rote", "audit", "--timings", "--out", str(work / "audit")]
    for side in sides:
        command += [f"--{side}", str(work / side)]
    log = work / "audit.log"
    start = time.perf_counter()
    with log.open("w") as handle:
        process = subprocess.Popen(
            [*command, *more],
            stdout=subprocess.DEVNULL,
            stderr=handle,
            env={**os.environ, "ROTE_CACHE": str(cache), "COLUMNS": "100"},
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(log.read_text())
    return {
        "wall": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "log": log.read_text(),
    }
