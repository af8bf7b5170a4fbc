"""Shards searched by a real Ray of two workers: one killed at work, none reachable, none installed."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command import ENVIRONMENT, command, descendants, ok, run

from rote.core.errors import DataError, RunError
from rote.core.ray import cluster as cluster_module
from rote.neighbors.out_of_core import ray as ray_engine
from rote.neighbors.search import nearest_neighbors

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed (rote-memorization[ray])"
)
pytestmark = pytest.mark.enable_socket
SEARCH = (
    "neighbors",
    "--generated",
    "g.npy",
    "--training",
    "shards",
    "--k",
    "3",
    "--memory",
    "1GB",
)
COUNT, QUERIES = 12_000, 800


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder with queries and with references in six shards of about a second each."""
    folder = tmp_path_factory.mktemp("ray")
    generator = np.random.default_rng(0)
    # Noise: no projection helps, so that a shard takes its time; few levels, so that there are ties.
    np.save(folder / "t.npy", generator.integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8))
    np.save(folder / "g.npy", generator.integers(0, 256, (QUERIES, 16, 16, 3), dtype=np.uint8))
    size = COUNT // 6 * 768
    ok("data", "shard", "t.npy", "--out", "shards", "--shard-size", str(size), cwd=folder)
    return folder


def assert_exact(room: Path, out: str) -> None:
    with np.load(room / out / "neighbors.npz") as found:
        expected = nearest_neighbors(np.load(room / "g.npy"), np.load(room / "t.npy"), k=3)
        assert np.array_equal(found["indices"], expected.indices)
        assert np.array_equal(found["sq_distances"], expected.sq_distances)


def workers_at_work(ancestor: int) -> list[int]:
    """Return the processes below one process that Ray has named after the task they run."""
    named = descendants(ancestor).items()
    return [pid for pid, title in named if title.startswith(b"ray::search_task")]


@pytest.mark.slow
@needs_ray
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")
def test_a_worker_killed_at_work_changes_nothing(room: Path) -> None:
    arguments = command(*SEARCH, "--engine", "ray", "--workers", "2", "--out", "killed")
    with subprocess.Popen(
        arguments, cwd=room, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 90
            while not (victims := workers_at_work(process.pid)):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            # Nothing is finished yet: what this worker has begun, another one must do again.
            assert not (room / "killed" / "partial").exists()
            os.kill(victims[0], signal.SIGKILL)
            stderr = process.communicate(timeout=90)[1]
        finally:
            if process.poll() is None:
                process.kill()
    assert process.returncode == 0, stderr
    assert_exact(room, "killed")
    assert not workers_at_work(process.pid)


CLUSTER = """
import ray, sys
found = ray.init(address="local", num_cpus=2, object_store_memory=100_000_000, log_to_driver=False,
                 include_dashboard=False, logging_level="ERROR", _temp_dir=sys.argv[1])
print(found.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a cluster that is not rote's, with a token of its own, and stop it at the end."""
    for name, value in (("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", secrets.token_hex(32))):
        monkeypatch.setitem(ENVIRONMENT, name, value)
    environment = {**ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0"}
    with (
        tempfile.TemporaryDirectory(prefix="ray-test-", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdout
        assert process.stdin
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(60)


@pytest.mark.slow
@needs_ray
def test_a_cluster_by_its_address(room: Path, cluster: str) -> None:
    ray = ("--engine", "ray", "--ray-address", cluster)
    ok(*SEARCH, *ray, "--out", "cluster", cwd=room)
    assert_exact(room, "cluster")


@needs_ray
def test_nothing_at_the_address_is_one_line_in_a_bounded_time(room: Path) -> None:
    assert cluster_module.CONNECT_SECONDS <= 20
    code = (
        "import sys; sys.argv = ['rote', *sys.argv[1:]]\n"
        "from rote.core.ray import cluster; cluster.CONNECT_SECONDS = 3\n"
        "from rote.cli import main; main()"
    )
    address = ("--engine", "ray", "--ray-address", "127.0.0.1:9", "--out", "no")
    arguments = [sys.executable, "-c", code, *SEARCH, *address]
    done = subprocess.run(
        arguments, cwd=room, capture_output=True, text=True, env=ENVIRONMENT, timeout=40
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert "--ray-address 127.0.0.1:9 cannot be reached" in lines[0]
    assert not (room / "no").exists()


class RayTaskError(Exception):
    cause: Exception


class RayError(Exception):
    pass


class WorkerCrashedError(RayError):
    pass


def ray_that_raises(error: Exception) -> SimpleNamespace:
    """Return what looks like Ray, and fails when a result is asked for."""

    def get(ref: object) -> None:
        raise error

    names = ("OutOfMemoryError", "NodeDiedError")
    errors = {name: type(name, (RayError,), {}) for name in names}
    errors |= {e.__name__: e for e in (RayTaskError, RayError, WorkerCrashedError)}
    return SimpleNamespace(get=get, exceptions=SimpleNamespace(**errors))


def test_what_goes_wrong_in_a_worker_is_one_line_too() -> None:
    said = RayTaskError("a traceback of\nmany lines")
    said.cause = DataError("shard x is missing")
    cases = [
        (said, DataError, r"shard x is missing \(said by a Ray worker\)"),
        (WorkerCrashedError(), RunError, "lost 4 times .* same command again"),
        (RayError("first\nsecond"), RunError, r"Ray failed on x\.npy \(RayError: first\)"),
    ]
    for error, kind, message in cases:
        engine = ray_engine.RayEngine(ray_that_raises(error), 10**9)
        with pytest.raises(kind, match=message) as raised:
            engine._result(None, "x.npy")
        assert "\n" not in str(raised.value)


WRONG = {
    "engine": (("--engine", "dask"), "--engine dask is unknown (known: local, ray)"),
    "address": (("--ray-address", "auto"), "--ray-address is for --engine ray"),
    "workers": (("--workers", "2"), "--workers is for --engine ray"),
    "both": (
        ("--engine", "ray", "--workers", "2", "--ray-address", "auto"),
        "--workers is for a local Ray",
    ),
    "memory": (("--memory", "much"), "--memory 'much' is no size"),
    "too little": (("--memory", "10MB"), " MB in all; give at least --memory "),
    "no shards": (("--training", "."), "no shards.json"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_one_line(room: Path, name: str) -> None:
    options, expected = WRONG[name]
    done = run(*SEARCH, "--out", f"wrong-{name}", *options, cwd=room)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert expected in lines[0]


def test_without_ray_it_says_what_to_install(room: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None; sys.argv = ['rote', *sys.argv[1:]]\n"
        "from rote.cli import main; main()"
    )
    arguments = [sys.executable, "-c", code, *SEARCH, "--engine", "ray", "--out", "none"]
    done = subprocess.run(arguments, cwd=room, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    assert "pip install 'rote-memorization[ray]'" in done.stderr


def test_the_local_engine_imports_no_ray(room: Path) -> None:
    code = (
        "import sys; sys.argv = ['rote', *sys.argv[1:]]\n"
        "from rote.cli.app import app\n"
        "import rote.cli; app(standalone_mode=False)\n"
        "assert 'ray' not in sys.modules"
    )
    arguments = [sys.executable, "-c", code, *SEARCH, "--out", "local"]
    subprocess.run(arguments, cwd=room, check=True, capture_output=True, env=ENVIRONMENT)
    assert_exact(room, "local")
