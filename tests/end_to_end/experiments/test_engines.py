"""Studies on workers that are killed, on Ray, and on a Ray that does not see the folder of the results.

All of it is real: processes, signals, a Ray. Every answer is held against that of one local worker that
nothing happened to.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command import ENVIRONMENT, command, descendants, run_here

from rote.core.run_folder import read_metrics
from rote.data.load import load_images
from rote.experiments.studies.study import run_study

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc"),
]
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed (rote-memorization[ray])"
)
STUDY = ("study", "labels", "--scale", "smoke", "--value", "none", "--out", "out")
SECONDS = 300.0


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the study, done by one worker."""
    out = tmp_path_factory.mktemp("local")
    run_study("labels", load_images("digits"), scale="smoke", out=out, values=["none"])
    return out


def assert_same(out: Path, expected: Path) -> None:
    """Compare everything but times, and the files of every run bit for bit."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if not k.endswith(("seconds", "created"))}
        return [bare(entry) for entry in value] if isinstance(value, list) else value

    def names(folder: Path) -> set[str]:
        found = {p.relative_to(folder).as_posix() for p in folder.glob("runs/**/*") if p.is_file()}
        return {name for name in found if not name.endswith(".lock")}

    for name in ["study.json", *names(expected)]:
        one, other = out / name, expected / name
        if one.suffix != ".json":
            assert one.read_bytes() == other.read_bytes(), name
        elif one.name != "manifest.json":
            assert bare(json.loads(one.read_text())) == bare(json.loads(other.read_text())), name
    assert names(out) == names(expected)


@contextlib.contextmanager
def started(
    *more: str, cwd: Path, environment: dict[str, str] = ENVIRONMENT
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(*STUDY, *more),
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(found: Callable[[], Any], process: subprocess.Popen[str] | None) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process and process.communicate()[1]
        time.sleep(0.02)
    return value


def below(ancestor: int, mark: bytes) -> list[int]:
    """Return the processes below one whose command line holds the mark."""
    return [pid for pid, line in descendants(ancestor).items() if mark in line]


def alive(processes: set[int]) -> list[int]:
    """Return those that have not ended."""
    found = []
    for pid in processes:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def hosts(processes: set[int]) -> set[str]:
    """Return the addresses at which some processes listen."""
    sockets = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            for number in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.add(str(number.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                # The last four bytes, lowest first; IPv6 says 127.0.0.1 as ::ffff:127.0.0.1.
                last = bytes.fromhex(fields[1].partition(":")[0])[-4:]
                found.add(".".join(str(byte) for byte in reversed(last)))
    return found


def training(folder: Path) -> bool:
    """Say whether a run at work has logged its progress."""
    return any(
        read_metrics(path)
        for path in folder.glob("out/runs/*/metrics.jsonl")
        if not (path.parent / "trial.json").exists()
    )


@pytest.mark.slow
def test_a_local_worker_killed_at_work_changes_nothing(expected: Path, tmp_path: Path) -> None:
    with started("--workers", "2", cwd=tmp_path) as process:
        wait_for(lambda: training(tmp_path), process)
        os.kill(below(process.pid, b"spawn_main")[0], signal.SIGKILL)
        said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 0, said
    assert "a worker process was killed from outside" in said
    assert_same(tmp_path / "out", expected)


@pytest.mark.slow
@needs_ray
def test_a_ray_of_its_own_with_its_driver_and_a_worker_killed(
    expected: Path, tmp_path: Path
) -> None:
    ray = ("--engine", "ray", "--workers", "2")
    # Not in the folder of the test, whose path is too long for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="ray-test-") as place:
        environment = {**ENVIRONMENT, "TMPDIR": place}
        with started(*ray, cwd=tmp_path, environment=environment) as process:
            wait_for(lambda: training(tmp_path), process)
            (folder,) = Path(place).glob("rote-ray-*")
            assert folder.stat().st_mode & 0o777 == 0o700
            family = {process.pid, *descendants(process.pid)}
            assert hosts(family) == {"127.0.0.1"}
            process.kill()
        wait_for(lambda: not (folder.exists() or alive(family)), None)
        assert not (tmp_path / "out" / "study.json").exists()
        with started(*ray, cwd=tmp_path, environment=environment) as process:
            wait_for(lambda: below(process.pid, b"ray::perform_run"), process)
            process.terminate()
            said = process.communicate(timeout=SECONDS)[1]
        assert process.returncode == 130, said
        assert "C++" not in said
        assert not list(Path(place).glob("rote-ray-*"))
    with started(*ray, cwd=tmp_path) as process:
        os.kill(
            wait_for(lambda: below(process.pid, b"ray::perform_run"), process)[0], signal.SIGKILL
        )
        said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 0, said
    assert "was lost; the run goes on in another one" in said
    assert_same(tmp_path / "out", expected)
    assert not (tmp_path / "out" / "runs" / ".ray-home").exists()


CLUSTER = """
import ray, sys
found = ray.init(address="local", num_cpus=2, object_store_memory=100_000_000, log_to_driver=False,
                 include_dashboard=False, logging_level="ERROR", _temp_dir=sys.argv[1])
print(found.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""
HIDDEN = 'mount -t tmpfs none "$0" && exec "$@"'


@pytest.fixture
def cluster_that_sees_nothing(tmp_path: Path) -> Iterator[tuple[str, dict[str, str], int]]:
    """Start a cluster for which the folder of the test is an empty one; yield its address."""
    if not shutil.which("unshare"):
        pytest.skip("hides the folder with unshare (util-linux)")
    hide = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", HIDDEN, str(tmp_path)]
    if subprocess.run([*hide, "true"], capture_output=True).returncode:
        pytest.skip("hides the folder in a mount namespace, which is not permitted here")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    environment = {**ENVIRONMENT, **settings, **token}
    with (
        tempfile.TemporaryDirectory(prefix="ray-test-", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(
            [*hide, sys.executable, "-c", CLUSTER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdout
        assert process.stdin
        yield process.stdout.readline().strip(), environment, process.pid
        process.stdin.close()
        process.wait(60)


@pytest.mark.slow
@needs_ray
def test_results_come_home_from_workers_that_do_not_see_the_folder(
    expected: Path, tmp_path: Path, cluster_that_sees_nothing: tuple[str, dict[str, str], int]
) -> None:
    address, environment, node = cluster_that_sees_nothing
    ray = ("--engine", "ray", "--ray-address", address)
    # Ctrl-C: what the workers have saved comes home.
    with started(*ray, cwd=tmp_path, environment=environment) as process:
        wait_for(lambda: training(tmp_path), process)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 130, said
    saved = list(tmp_path.glob("out/runs/*/checkpoints/*.safetensors"))
    assert saved
    assert any(read_metrics(path.parents[1] / "metrics.jsonl") for path in saved)
    # A worker is killed; its run goes on from what is at home.
    with started(*ray, cwd=tmp_path, environment=environment) as process:
        workers = wait_for(lambda: below(node, b"ray::perform_run"), process)
        os.kill(workers[0], signal.SIGKILL)
        said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 0, said
    assert "was lost; the run goes on in another one" in said
    assert_same(tmp_path / "out", expected)


WRONG = {
    "engine": (("--engine", "dask"), "--engine dask is unknown (known: local, ray)"),
    "address": (("--ray-address", "auto"), "--ray-address is for --engine ray"),
    "share": (("--gpus-per-run", "0.5"), "--gpus-per-run is for --engine ray"),
    "both": (
        ("--engine", "ray", "--workers", "2", "--ray-address", "auto"),
        "--workers is for a local Ray",
    ),
    "no GPU wanted": (
        ("--engine", "ray", "--gpus-per-run", "0.5", "--device", "cpu"),
        "--gpus-per-run 0.5 and --device cpu exclude each other",
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("verb", [STUDY[:-1], ("emm", "--out")], ids=["study", "emm"])
def test_wrong_options_are_one_line(tmp_path: Path, name: str, verb: tuple[str, ...]) -> None:
    given, message = WRONG[name]
    done = run_here(*verb, "x", *given, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
