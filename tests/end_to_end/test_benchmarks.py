"""The benchmark of the GPU runs from end to end, here on a CPU and at a hundredth of its size."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import ENVIRONMENT

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_gpu_search.py"


def test_the_gpu_benchmark_runs_and_says_what_it_measured(tmp_path: Path) -> None:
    arguments = ["--device", "cpu", "--scale", "0.004", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--rows", "CIFAR-10", "features 768-d"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CPU: no measurement")
    assert "CIFAR-10: 40 in 200, 3,072 uint8, k = 2" in done.stdout
    assert "features 768-d: 40 in 200, 768 float32, k = 2" in done.stdout
    for measured in ("first", "streamed", "resident", "peak", "transfer", "float32"):
        assert done.stdout.count(f"\n  {measured} ") == 3
    assert "hidden" not in done.stdout  # nothing can be, without a device beside this one
    assert "not measured" in done.stdout


def test_a_row_that_does_not_fit_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--device", "cpu", "--scale", "1000", "--rows", "features 768-d"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "features 768-d: left out, it needs 1" in done.stdout
