"""One training by two processes, as launchers start them; trackers."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from command import ENVIRONMENT, descendants, ok, run_here

from rote.core.run_folder import read_metrics
from rote.diffusion.checkpoint import load_checkpoint, read_tensors

pytestmark = pytest.mark.enable_socket
TRAIN = [
    *("train", "--data", "digits", "--size", "32", "--seed", "3"),
    *("--set", "model.width=8", "--set", "model.channel_mult=[1]", "--set", "model.dropout=0.2"),
    *("--set", "train.batch=16", "--set", "train.images=480", "--set", "train.log_images=160"),
    *(
        "--set",
        "train.labels=true",
        "--set",
        "train.label_dropout=0.2",
        "--set",
        "train.mirror=true",
    ),
    *("--set", "train.snapshot_images=240"),
]
many_kills = pytest.mark.skipif(
    "ROTE_TEST_KILLS" not in os.environ, reason="one launcher whose process is killed is enough"
)
needs_accelerate = pytest.mark.skipif(
    find_spec("accelerate") is None, reason="accelerate is not installed (rote-memorization[track])"
)
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = [
    *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    ok(*TRAIN, "--out", "run", cwd=folder)
    return folder / "run"


def launch(launcher: list[str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *launcher, "-m", "rote", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=600,
    )


def assert_equal_but_for_sums(found: Path, expected: Path) -> None:
    """Thirty steps whose gradients are sums of two halves: weights differ by roundings alone.

    A rounding of a gradient near zero can turn the direction of one weight's Adam step; no weight may
    move by more than a twentieth of the way that thirty steps can go, and hardly any by a hundredth.
    """
    one = read_tensors(load_checkpoint(found).path)
    other = read_tensors(load_checkpoint(expected).path)
    assert one.keys() == other.keys()
    way = 30 * 1e-3
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], rtol=0, atol=0.05 * way), name
    differences = torch.cat([(one[n] - other[n]).abs().flatten() for n in one])
    assert float((differences > 0.01 * way).float().mean()) < 0.01
    rows = [read_metrics(folder / "metrics.jsonl") for folder in (found, expected)]
    assert [row["images_seen"] for row in rows[0]] == [row["images_seen"] for row in rows[1]]
    losses = [[row["loss"] for row in each] for each in rows]
    assert np.allclose(*losses, rtol=1e-4)


@pytest.mark.slow
@needs_accelerate
def test_two_processes_train_what_one_does_and_one_tracks(alone: Path, tmp_path: Path) -> None:
    done = launch(ACCELERATE, *TRAIN, "--out", "run", "--track", "tensorboard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "run/checkpoints/480.safetensors"
    folder = tmp_path / "run"
    assert_equal_but_for_sums(folder, alone)
    assert (folder / "config.json").read_bytes() == (alone / "config.json").read_bytes()
    assert not (folder / "checkpoints" / "state.safetensors").exists()
    assert events(folder) == [
        (row["images_seen"], pytest.approx(row["loss"], rel=1e-6))
        for row in read_metrics(folder / "metrics.jsonl")
    ]


def events(folder: Path) -> list[tuple[int, float]]:
    """Read what TensorBoard was shown back from its own files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    assert found.Tags()["scalars"] == ["loss"]
    return [(event.step, event.value) for event in found.Scalars("loss")]


ENDS = """
import os, torch
from rote.diffusion.training.distributed import launched
with launched("cpu") as ranks:
    weight = torch.ones(1, requires_grad=True)
    weight.sum().backward()
    ranks.add_up(weight.grad)
    torch.optim.Adam([weight]).step()
    ranks.wait()
assert weight.grad == 2
names = [open(f"/proc/self/task/{number}/comm").read() for number in os.listdir("/proc/self/task")]
assert len(names) == 1, names
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_no_thread_outlives_the_processes_that_train_together(tmp_path: Path) -> None:
    """One that takes Python's lock while Python ends aborts the process after its work is done."""
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    launcher = [sys.executable, "-m", *TORCHRUN, str(script)]
    done = subprocess.run(launcher, capture_output=True, text=True, env=ENVIRONMENT, timeout=100)
    assert done.returncode == 0, done.stderr


def ranks(launcher: int) -> dict[bytes, int]:
    """Return the processes that train, by their rank."""
    found = {}
    for pid, line in descendants(launcher).items():
        with contextlib.suppress(OSError):
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            environment = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
            if b"rote" in line and b"RANK" in environment:
                found[environment[b"RANK"]] = pid
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the ranks in /proc")
@pytest.mark.parametrize(
    ("launcher", "rank"),
    [
        pytest.param(TORCHRUN, b"0", id="torchrun"),
        pytest.param(ACCELERATE, b"1", id="accelerate", marks=[needs_accelerate, many_kills]),
    ],
)
def test_all_end_with_one_that_is_killed_and_carry_on(
    launcher: list[str], rank: bytes, tmp_path: Path
) -> None:
    more = ("--set", "train.images=3200", "--set", "train.snapshot_images=1600", "--out", "run")
    arguments = [sys.executable, "-m", *launcher, "-m", "rote", *TRAIN, *more]
    first = tmp_path / "run" / "checkpoints" / "1600.safetensors"
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 100
            while not first.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            os.kill(ranks(process.pid)[rank], signal.SIGKILL)
            said = process.communicate(timeout=60)[1]
        finally:
            if process.poll() is None:
                process.kill()
    assert process.returncode == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) <= 1  # the launcher may end the others before they have noticed
    assert all("another process of this training has ended" in line for line in errors)
    assert first.exists()
    done = launch(launcher, *TRAIN, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = [row["images_seen"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert seen == list(range(160, 3201, 160))


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_one_line_of_each_process(
    alone: Path, tmp_path: Path
) -> None:
    """torchrun this time; and a finished run, of which nothing is left to do."""
    uneven = ("--set", "train.batch=15", "--set", "train.images=480")
    done = launch(TORCHRUN, *TRAIN, *uneven, "--out", "run", cwd=tmp_path)
    assert done.returncode == 1
    assert "train.batch 15 cannot be shared equally by 2 processes" in done.stderr
    before = (alone / "metrics.jsonl").stat().st_mtime_ns
    done = launch(TORCHRUN, *TRAIN, "--out", str(alone), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(alone / "checkpoints" / "480.safetensors")
    assert (alone / "metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize("verb", ["study width", "emm"])
def test_searches_and_studies_refuse_a_launcher(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = run_here(*verb.split(), "--out", "x", cwd=tmp_path)
    assert done.returncode == 1
    assert "launchers such as `accelerate launch` are for `rote train`" in done.stderr


def test_a_tracker_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("mlflow", "tensorboard", "wandb"):
        monkeypatch.setitem(sys.modules, package, None)
    for name, message in [
        ("tensorbord", "did you mean 'tensorboard'"),
        ("mlflow", "needs mlflow, which is not installed; pip install mlflow"),
        ("wandb", "needs wandb, which is not installed; pip install wandb"),
        ("tensorboard", "pip install 'rote-memorization[track]'"),
    ]:
        for verb in ("train", "emm", "study width"):
            done = run_here(*verb.split(), "--out", "x", "--track", name, cwd=tmp_path)
            assert done.returncode == 1
            assert message in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
            assert not (tmp_path / "x").exists()
