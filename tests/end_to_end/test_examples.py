"""The worked examples run, as processes, in shorter form."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
# Trainings of seconds that still begin to copy. One thread: the tests run side by side.
SHORT = {
    "plain_torch_loop": "--size 16 --images 160000 --every 40000 --samples 100",
    "diffusers_unconditional": (
        "--size 4 --images 6400 --every 1600 --samples 40 --width 16 --steps 10"
    ),
}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def example(name: str, *arguments: str, cwd: Path) -> str:
    if name.startswith("diffusers") and importlib.util.find_spec("diffusers") is None:
        pytest.skip("diffusers is not installed (pip install -e '.[diffusers]')")
    done = run(name, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        env=ENVIRONMENT,
    )


def test_every_example_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHORT))
def test_the_example_sees_memorization_begin(name: str, tmp_path: Path) -> None:
    said = example(name, *SHORT[name].split(), "--out", "curve.jsonl", cwd=tmp_path)
    *checks, control, end = said.splitlines()
    assert len(checks) == 8  # four checks of raw and of averaged weights
    assert re.match(r"held-out digits that look memorized: 0", control)
    began = re.match(r"memorization began by ([\d,]+) images", end)
    assert began, said
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()[1:]]
    assert [row["weights"] for row in rows] == ["raw", "ema"] * 4
    assert rows[0]["p_value"] > rows[0]["alpha"], "not from the first check on"
    assert int(began[1].replace(",", "")) in {row["images_seen"] for row in rows}
    if name == "plain_torch_loop":  # once: starting diffusers takes seconds
        again = run(name, *SHORT[name].split(), "--out", "curve.jsonl", cwd=tmp_path)
        assert "it began again; delete that file" in again.stderr, "two trainings must not mix"
