"""Long items: answers of the index over sketches are those of integer brute force, to the last tie."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rote.neighbors import numeric
from rote.neighbors.brute_force import brute_force_nearest, brute_force_pairs
from rote.neighbors.cpu import long_index, long_items, products
from rote.neighbors.cpu.long_index import LongIndex
from rote.neighbors.cpu.sketch import Sketch
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.radius.search import block_components

SHAPES = st.one_of(
    st.tuples(st.integers(1, 100), st.integers(1, 100), st.sampled_from([1, 3])),
    st.tuples(st.integers(1, 300)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(7)),
)


def drawn(shape: tuple[int, ...], count: int, seed: int, kind: str) -> np.ndarray[Any, Any]:
    """Return items uint8 (count, *shape): noise, few levels, smooth ramps, or one color each."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    if kind == "few":  # ties everywhere
        return rng.integers(0, 2, (count, *shape), dtype=np.uint8) * 255
    if kind == "flat":
        level = rng.integers(0, 256, (count, *(1 for _ in shape)), dtype=np.uint8)
        return np.broadcast_to(level, (count, *shape)).copy()
    ramp = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    values = rng.uniform(-200, 200, (count, 1)) * ramp.ravel() + rng.uniform(0, 255, (count, 1))
    noisy = values + rng.normal(0, 3, values.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8).reshape(count, *shape)


@settings(max_examples=12)
@given(
    shape=SHAPES,
    kind=st.sampled_from(["noise", "few", "flat", "smooth"]),
    references=st.integers(2, 80),
    seed=st.integers(0, 2**16),
    k=st.integers(1, 5),
    threads=st.integers(1, 2),
)
def test_answers_are_those_of_brute_force(
    shape: tuple[int, ...], kind: str, references: int, seed: int, k: int, threads: int
) -> None:
    """Sizes that blocks do not divide, ties, few references, pieces of one item, rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_index, "LEAF", 8)
        patch.setattr(long_index, "FEWEST", 4)
        patch.setattr(long_index, "WORTH", seed % 2 * 10**6)
        patch.setattr(long_items, "PIECE_BYTES", 1 + seed % 4 * int(np.prod(shape)))
        patch.setattr(products, "STRETCH", 64)
        items = drawn(shape, references + 6, seed, kind)
        queries, side = items[:9], items[6:]
        rows = np.flatnonzero(np.random.default_rng(seed).integers(0, 4, len(side)))
        for some in (None, rows) if len(rows) > 1 else (None,):
            chosen = side if some is None else side[some]
            most = min(k, len(chosen))
            found = LongIndex(side, rows=some, threads=threads).nearest(queries, most)
            flat = (x.reshape(len(x), -1) for x in (queries, chosen))
            for got, wanted in zip(found, brute_force_nearest(*flat, most), strict=True):
                assert got.tolist() == wanted.tolist()


@settings(max_examples=12)
@given(
    shape=SHAPES,
    kind=st.sampled_from(["noise", "few", "flat", "smooth"]),
    seed=st.integers(0, 2**16),
    side=st.integers(1, 12),
)
def test_sketches_lie_no_farther_apart_than_items(
    shape: tuple[int, ...], kind: str, seed: int, side: int
) -> None:
    """Every pair, beyond the rounding that is allowed for; the length of an item is kept."""
    items = drawn(shape, 12, seed, kind)
    sketch = Sketch.of(shape, side=side, areas=max(1, side // 3))
    flat = items.reshape(len(items), -1)
    found = sketch(flat)
    whole = flat.astype(np.int64)
    sq = np.square(whole[:, None] - whole[None]).sum(axis=2)
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    length = np.sqrt(np.square(whole).sum(axis=1))
    assert found.shape[1] == sketch.width
    assert (apart <= np.sqrt(sq) + sketch.rounding * (length[:, None] + length[None])).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), length, rtol=1e-7, atol=1e-6)


@settings(max_examples=8)
@given(
    shape=SHAPES,
    kind=st.sampled_from(["few", "flat", "smooth"]),
    count=st.integers(1, 150),
    seed=st.integers(0, 2**16),
)
def test_groups_within_a_radius_are_those_of_all_pairs(
    shape: tuple[int, ...], kind: str, count: int, seed: int
) -> None:
    """The radius is the distance of some pair, so that pairs lie on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numeric, "LONG", 1)
        items = drawn(shape, count, seed, kind)
        rows = np.arange(0, count, 1 + seed % 2)
        flat = items[rows].reshape(len(rows), -1)
        every = brute_force_pairs(flat, np.inf)[2]
        radius = float(np.sort(every)[len(every) // 20]) if len(every) else 0.0
        i, j, _ = brute_force_pairs(flat, radius)
        edges = coo_array((np.ones(len(i)), (i, j)), shape=(len(rows), len(rows)))
        wanted = connected_components(edges, directed=False)[1]
        found = block_components(items, rows, radius)
        joint = len(set(zip(found.tolist(), wanted.tolist(), strict=True)))
        assert joint == len(set(found.tolist())) == len(set(wanted.tolist()))


@settings(max_examples=8)
@given(
    shape=SHAPES,
    kind=st.sampled_from(["few", "flat", "smooth"]),
    cuts=st.lists(st.integers(1, 79), max_size=3),
    seed=st.integers(0, 2**16),
    k=st.integers(1, 4),
)
def test_chunks_give_the_bits_of_one_search(
    shape: tuple[int, ...], kind: str, cuts: list[int], seed: int, k: int
) -> None:
    """The directions of the first chunk serve the others, and ties go to the lowest index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numeric, "LONG", 1)
        patch.setattr(long_index, "LEAF", 8)
        items = drawn(shape, 86, seed, kind)
        queries, side = items[:9], items[6:]
        chunks = ChunkedSearch(queries, k=k)
        ends = [0, *sorted(set(cuts)), len(side)]
        for start, stop in pairwise(ends):
            chunks.search(side[start:stop], first=start)
        flat = (x.reshape(len(x), -1) for x in (queries, side))
        wanted = brute_force_nearest(*flat, k)
        assert chunks.best is not None
        assert chunks.best.indices.tolist() == wanted[0].tolist()
        assert chunks.best.sq_distances.tolist() == wanted[1].tolist()


def test_no_queries_have_no_answers() -> None:
    references = drawn((40, 40, 1), 60, 0, "noise")
    found = LongIndex(references, threads=1).nearest(references[:0].reshape(0, 1600), 2)
    assert [part.shape for part in found] == [(0, 2), (0, 2)]
