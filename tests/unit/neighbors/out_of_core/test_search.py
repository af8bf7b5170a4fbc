"""Search past memory: the bits of one search, within the stated memory, gone on with after a kill."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rote.core.errors import ConfigError, DataError, RunError
from rote.data.shards.read import ShardSet
from rote.data.shards.stream import open_stream
from rote.data.shards.write import write_shards
from rote.neighbors.out_of_core import engine
from rote.neighbors.out_of_core import memory_budget as budget
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.out_of_core.engine import ShardResult, search_shard
from rote.neighbors.out_of_core.memory_budget import plan_blocks, resident_bytes, search_bytes
from rote.neighbors.out_of_core.search import sharded_neighbors
from rote.neighbors.search import Neighbors, merge, nearest_neighbors

PLENTY = 4 * 10**9


def shards_of(items: np.ndarray, folder: Path, *, rows: int) -> ShardSet:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "items.npy", items)
    stream = open_stream(
        str(folder / "items.npy"), resolution=None, channels=None, skip_unreadable=False
    )
    return write_shards(
        [stream], folder / "shards", shard_bytes=rows * items[:1].nbytes, options={}
    )


def images(count: int, *, seed: int, levels: int = 256) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, levels, (count, 4, 4, 1), dtype=np.uint8) * (255 // (levels - 1))


def assert_same(found: Neighbors, expected: Neighbors) -> None:
    assert found.indices.dtype == expected.indices.dtype == np.int64
    assert found.sq_distances.dtype == expected.sq_distances.dtype
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.sq_distances, expected.sq_distances)


@pytest.mark.parametrize("k", [1, 2, 10, 60])
@pytest.mark.parametrize("rows", [1, 7, 60])
def test_the_bits_are_those_of_one_search(tmp_path: Path, rows: int, k: int) -> None:
    # Two levels in 16 pixels: hundreds of ties, also across shards.
    queries, references = images(23, seed=1, levels=2), images(60, seed=2, levels=2)
    shards = shards_of(references, tmp_path, rows=rows)
    found = sharded_neighbors(queries, shards, out=tmp_path / "out", memory=PLENTY, k=k)
    assert_same(found, nearest_neighbors(queries, references, k=k))


def test_vectors_and_queries_from_shards(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    queries = generator.normal(size=(30, 9)).astype(np.float32)
    references = generator.normal(size=(50, 9)).astype(np.float32)
    references[20:30] = references[:10]
    queries[:5] = references[:5]
    shards = shards_of(references, tmp_path / "r", rows=7)
    own = shards_of(queries, tmp_path / "q", rows=4)
    found = sharded_neighbors(own, shards, out=tmp_path / "out", memory=PLENTY, k=3)
    assert_same(found, nearest_neighbors(queries, references, k=3))


@given(data=st.data())
def test_merging_in_any_order_gives_the_sorted_whole(data: st.DataObject) -> None:
    count, k = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    sq = np.array([data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))])
    cuts = sorted(data.draw(st.sets(st.integers(1, count))) | {0, count})
    order = data.draw(st.permutations(list(itertools.pairwise(cuts))))
    best = None
    for start, stop in order:
        place = np.argsort(sq[0, start:stop], kind="stable")[:k] + start
        part = Neighbors(place[None], sq[:, place])
        best = part if best is None else merge(best, part, k=k)
    assert best is not None
    assert best.indices.tolist() == [np.argsort(sq[0], kind="stable")[:k].tolist()]


@given(data=st.data())
def test_merging_what_overlaps_takes_each_reference_once(data: st.DataObject) -> None:
    # Three of the chunks in a row are searched knowing what some earlier merge had found.
    count, k = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 14))
    sq = np.array([data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))] * 2)
    sq[1] = sq[1, ::-1]

    def nearest(members: set[int]) -> Neighbors:
        chosen = np.array(sorted(members))
        order = np.argsort(sq[:, chosen], axis=1, kind="stable")[:, :k]
        indices = chosen[order]
        return Neighbors(indices, np.take_along_axis(sq, indices, 1))

    one = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    two = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    assert_same(merge(nearest(one), nearest(two), k=k), nearest(one | two))


def test_less_memory_means_smaller_blocks_and_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, references = images(40, seed=4), images(90, seed=5)
    shards = shards_of(references, tmp_path, rows=30)
    expected = nearest_neighbors(queries, references, k=2)
    monkeypatch.setattr(budget, "resident_bytes", lambda: 0)
    monkeypatch.setattr(budget, "RESERVE", 0)
    seen: list[tuple[int, int]] = []
    search = ChunkedSearch.search

    def spy(self: ChunkedSearch, references: Any, **options: Any) -> None:
        seen.append((len(self.queries), len(references)))
        search(self, references, **options)

    monkeypatch.setattr(ChunkedSearch, "search", spy)
    facts = {"dimension": 16, "itemsize": 1, "k": 2, "threads": 1}
    used = {}
    for rows in (40, 20, 5, 1):
        memory = search_bytes(queries=rows, references=min(rows, 30), **facts)
        seen.clear()
        out = tmp_path / f"out{memory}"
        assert_same(sharded_neighbors(queries, shards, out=out, memory=memory), expected)
        assert all(search_bytes(queries=q, references=r, **facts) <= memory for q, r in seen)
        used[memory] = list(seen)
        assert sum(q * r for q, r in seen) == 40 * 90
    assert used[max(used)] == [(40, 30)] * 3
    assert len(used[min(used)]) > 100


def test_every_shard_is_read_once_for_each_block_of_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, references = images(40, seed=4), images(90, seed=5)
    shards = shards_of(references, tmp_path, rows=30)
    monkeypatch.setattr(budget, "resident_bytes", lambda: 0)
    facts = {"dimension": 16, "itemsize": 1, "k": 2, "threads": 1}
    memory = budget.RESERVE + search_bytes(queries=10, references=10, **facts)
    reads: list[int] = []
    read = ShardSet.read

    def spy(self: ShardSet, number: int, start: int, stop: int) -> np.ndarray:
        reads.extend(range(30 * number + start, 30 * number + stop))
        return read(self, number, start, stop)

    monkeypatch.setattr(ShardSet, "read", spy)
    sharded_neighbors(queries, shards, out=tmp_path / "out", memory=memory)
    blocks = -(-40 // json.loads((tmp_path / "out" / "plan.json").read_text())["query_rows"])
    assert blocks > 1
    assert reads == list(range(90)) * blocks


def test_finished_shards_are_not_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, references = images(20, seed=6), images(50, seed=7)
    shards = shards_of(references, tmp_path, rows=10)
    out = tmp_path / "out"
    searched: list[int] = []

    def stop_at_third(
        chunks: ChunkedSearch, references: Any, number: int, **options: Any
    ) -> ShardResult:
        searched.append(number)
        if len(searched) == 3:
            raise KeyboardInterrupt
        return search_shard(chunks, references, number, **options)

    monkeypatch.setattr(engine, "search_shard", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        sharded_neighbors(queries, shards, out=out, memory=PLENTY)
    progress: list[tuple[int, int]] = []
    found = sharded_neighbors(
        queries, shards, out=out, memory=PLENTY, on_progress=lambda *p: progress.append(p)
    )
    assert searched == [0, 1, 2, 2, 3, 4]
    assert_same(found, nearest_neighbors(queries, references))
    assert progress[0] == (20, 50)
    assert progress[-1] == (50, 50)
    assert [p[0] for p in progress] == sorted(p[0] for p in progress)
    assert not list((out / "partial").glob("*"))
    assert_same(sharded_neighbors(queries, shards, out=out, memory=PLENTY), found)
    assert len(searched) == 6
    with pytest.raises(RunError, match="another configuration"):
        sharded_neighbors(queries, shards, out=out, memory=PLENTY, k=3)


def test_wrong_sides_and_too_little_memory_are_one_line(tmp_path: Path) -> None:
    shards = shards_of(images(9, seed=0), tmp_path, rows=4)
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="`k` is 10"):
        sharded_neighbors(images(3, seed=1), shards, out=out, memory=PLENTY, k=10)
    with pytest.raises(DataError, match="`resolution`"):
        sharded_neighbors(np.zeros((3, 5, 4, 1), np.uint8), shards, out=out, memory=PLENTY)
    with pytest.raises(ConfigError, match=r"`memory` of 1 MB .* give at least `memory` \d+MB"):
        sharded_neighbors(images(3, seed=1), shards, out=out, memory=10**6)


def test_the_plan_says_how_much_is_needed_at_least() -> None:
    facts = {"dimension": 3072, "itemsize": 1, "k": 2, "threads": 1}
    with pytest.raises(ConfigError) as error:
        plan_blocks(resident_bytes(), queries=10, references=100, **facts)
    least = re.search(r"at least `memory` (\d+)MB", str(error.value))
    assert least
    assert plan_blocks(int(least[1]) * 10**6 + 10**7, queries=10, references=100, **facts).queries


# From here on in processes of their own.


# Linux counts what the parent held as a child's peak: a small process in between keeps pytest's out.
LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(command: list[str], cwd: Path) -> tuple[int, int]:
    """Run a command; return its exit status and its peak resident memory in bytes."""
    launch = [sys.executable, "-c", LAUNCHER, *command]
    said = subprocess.run(launch, cwd=cwd, capture_output=True, text=True, check=True).stdout
    code, peak = map(int, said.split())
    return code, peak * (1 if sys.platform == "darwin" else 1024)


def rote(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rote", *arguments]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make 600 MB of references in 200 MB shards, and queries that are near some of them."""
    folder = tmp_path_factory.mktemp("large")
    generator = np.random.default_rng(8)
    base = generator.integers(0, 256, (4000, 8, 8, 3), dtype=np.uint8)
    base = base.repeat(4, axis=1).repeat(4, axis=2)
    shape = (195_000, 32, 32, 3)
    made = np.lib.format.open_memmap(folder / "t.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, shape[0], len(base)):
        part = made[start : start + len(base)]
        part[:] = base[: len(part)] + np.uint8(start // len(base))
    np.save(folder / "g.npy", made[:: shape[0] // 10][:10] ^ 1)
    del made
    subprocess.run(
        rote("data", "shard", "t.npy", "--out", "shards", "--shard-size", "200MB"),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (folder / "t.npy").unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("memory", [590])
def test_the_budget_holds_for_the_whole_process(large: Path, memory: int) -> None:
    arguments = ("--generated", "g.npy", "--training", "shards", "--memory", f"{memory}MB")
    code, peak = peak_of(rote("neighbors", *arguments, "--out", f"out{memory}"), large)
    assert code == 0
    assert peak <= memory * 10**6
    with np.load(large / f"out{memory}" / "neighbors.npz") as found:
        # Each query is a reference with its lowest bits flipped: 3072 differences of 1.
        assert found["sq_distances"][:, 0].tolist() == [3072] * 10
        assert found["indices"][:, 0].tolist() == [i * 19_500 for i in range(10)]


@pytest.mark.slow
def test_a_kill_loses_no_finished_shard(tmp_path: Path) -> None:
    generator = np.random.default_rng(9)
    references = generator.integers(0, 256, (12_000, 16, 16, 3), dtype=np.uint8)
    queries = generator.integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    shards = shards_of(references, tmp_path, rows=500)
    np.save(tmp_path / "g.npy", queries)
    command = rote(
        *("neighbors", "--generated", "g.npy", "--training", "shards", "--out", "out", "--k", "3"),
        *("--memory", "1GB"),
    )
    partial = tmp_path / "out" / "partial" / "0-600.npz"

    def finished() -> np.ndarray:
        with np.load(partial) as arrays:
            return np.flatnonzero(arrays["done"])

    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not partial.exists() or len(finished()) < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = finished()
    assert 3 <= len(done) < 24
    # What is finished is made useless: searched again, it would change the answer.
    for number in done:
        path = shards.folder / shards.shards[number].file
        content = path.read_bytes()
        path.write_bytes(content[:128] + bytes(len(content) - 128))
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "out" / "neighbors.npz") as arrays:
        found = Neighbors(arrays["indices"], arrays["sq_distances"])
    assert_same(found, nearest_neighbors(queries, references, k=3))
