"""`rote neighbors` on sources in memory and on shards: the same bits, and a device that is said."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run_here
from PIL import Image

SEARCH = ("neighbors", "--generated", "g.npy", "--training", "t.npy")
SHARDS = ("neighbors", "--generated", "g.npy", "--training", "shards")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neighbors")
    generator = np.random.default_rng(0)
    # Few levels, so that there are ties.
    np.save(folder / "t.npy", generator.integers(0, 4, (300, 6, 6, 1), dtype=np.uint8) * 80)
    np.save(folder / "g.npy", generator.integers(0, 4, (40, 6, 6, 1), dtype=np.uint8) * 80)
    for source, out in (("t.npy", "shards"), ("g.npy", "made")):
        done = run_here("data", "shard", source, "--out", out, "--shard-size", "4kB", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def brute_force(room: Path, k: int) -> tuple[np.ndarray, np.ndarray]:
    queries, references = (
        np.load(room / name).reshape(-1, 36).astype(np.int64) for name in ("g.npy", "t.npy")
    )
    sq = np.square(queries[:, None] - references).sum(axis=2)
    order = np.argsort(sq, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(sq, order, axis=1)


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("generated", ["g.npy", "made"])
def test_a_source_in_memory_gives_the_bits_of_brute_force(
    room: Path, device: str, generated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # the same on every machine
    out = f"whole-{device}-{generated}"
    options = ("--k", "5", "--device", device, "--out", out, "--json")
    done = run_here(*SEARCH, "--generated", generated, *options, cwd=room)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["device"], told["memory"], told["queries"]) == ("cpu", None, 40)
    indices, sq = brute_force(room, 5)
    with np.load(room / out / "neighbors.npz") as found:
        assert found["indices"].tolist() == indices.tolist()
        assert found["sq_distances"].tolist() == sq.tolist()
    assert json.loads((room / out / "manifest.json").read_text())["device"] == "cpu"


def test_shards_give_the_same(room: Path) -> None:
    assert run_here(*SEARCH, "--k", "3", "--out", "a", cwd=room).returncode == 0
    assert run_here(*SHARDS, "--k", "3", "--out", "b", cwd=room).returncode == 0
    with np.load(room / "a" / "neighbors.npz") as one, np.load(room / "b/neighbors.npz") as other:
        for name in ("indices", "sq_distances"):
            assert one[name].dtype == other[name].dtype
            assert one[name].tolist() == other[name].tolist()


def test_the_same_command_reads_what_is_there(room: Path) -> None:
    assert run_here(*SEARCH, "--out", "twice", cwd=room).returncode == 0
    before = (room / "twice" / "neighbors.npz").stat().st_mtime_ns
    assert run_here(*SEARCH, "--out", "twice", cwd=room).returncode == 0
    assert (room / "twice" / "neighbors.npz").stat().st_mtime_ns == before
    done = run_here(*SEARCH, "--k", "3", "--out", "twice", cwd=room)
    assert done.returncode == 1 and "k is 2 there and 3 here" in done.stderr


def test_shards_say_that_they_are_searched_on_the_cpu(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    done = run_here(*SHARDS, "--out", "said", "--json", cwd=room)
    assert done.returncode == 0, done.stderr
    assert "shards are searched on the CPU; the CUDA device here is not used" in done.stderr
    assert json.loads(done.stdout)["device"] == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "CUDA" not in run_here(*SHARDS, "--out", "said", cwd=room).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*SHARDS, "--device", "cuda"), "--device cuda: shards are searched on the CPU"),
        ((*SHARDS, "--device", "gpu"), "--device gpu is unknown"),
        ((*SEARCH, "--device", "gpu"), "--device gpu is unknown"),
        ((*SEARCH, "--device", "cuda"), "torch sees no CUDA device here"),
        ((*SEARCH, "--memory", "1GB"), "--memory is for shards, and --training t.npy is no folder"),
        ((*SEARCH, "--verify"), "--verify is for shards"),
        ((*SEARCH, "--k", "301"), "--k is 301, but there are 300 references; choose 1 to 300"),
        ((*SEARCH, "--training", "nowhere"), "--training 'nowhere' is neither"),
        ((*SEARCH, "--generated", "nowhere"), "--generated 'nowhere' is neither"),
        ((*SEARCH, "--training", "digits"), "--generated has items of shape (6, 6, 1)"),
    ],
)
def test_what_does_not_fit_is_one_line(
    room: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = run_here(*arguments, "--out", "none", cwd=room)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and message in lines[0]
    assert not (room / "none").exists()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_bits_of_brute_force(room: Path) -> None:
    done = run_here(*SEARCH, "--k", "5", "--device", "cuda", "--out", "gpu", "--json", cwd=room)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["device"] == "cuda"
    indices, sq = brute_force(room, 5)
    with np.load(room / "gpu" / "neighbors.npz") as found:
        assert found["indices"].tolist() == indices.tolist()
        assert found["sq_distances"].tolist() == sq.tolist()


def test_names_lead_to_the_files_whatever_was_left_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for side in ("g", "t"):
        (tmp_path / side).mkdir()
    for number in range(12):
        picture = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        for side in ("g", "t"):
            picture.save(tmp_path / side / f"{number:02d}.png")
    (tmp_path / "t" / "03.png").write_bytes(b"cut")
    sides = ("neighbors", "--generated", "g", "--skip-unreadable")
    done = run_here(*sides, "--training", "t", "--out", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shard = ("data", "shard", "t", "--out", "shards", "--skip-unreadable")
    assert run_here(*shard, cwd=tmp_path).returncode == 0
    done = run_here(*sides, "--training", "shards", "--out", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for out in ("a", "b"):
        with (tmp_path / out / "pairs.csv").open() as file:
            nearest = [row for row in csv.DictReader(file) if row["rank"] == "1"]
        assert len(nearest) == 12
        assert [r["name"] for r in nearest if r["name"] != r["nn_name"]] == ["03.png"]
        assert all(row["nn_sq_distance"] == "0" for row in nearest if row["name"] != "03.png")
